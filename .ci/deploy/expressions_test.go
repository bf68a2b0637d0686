package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

const (
	rulesFile     = "../../deploy/prometheus/rules.yml"
	ruleTestsFile = "../../deploy/prometheus/rules.test.yml"
	dashboardFile = "../../deploy/grafana/signalling.json"
	troubleFile   = "../../deploy/TROUBLESHOOTING.md"
)

// alert is a rule of rules.yml.
type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string  `json:"name"`
			Rules []alert `json:"rules"`
		} `json:"groups"`
	}
	readYAML(t, rulesFile, &file)
	var all []alert
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no alerts")
	}
	return all
}

// dashboard is what the tests read of Grafana's format.
type dashboard struct {
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct{ H, W, X, Y int }
		Targets []struct {
			Expr         string `json:"expr"`
			LegendFormat string `json:"legendFormat"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string          `json:"name"`
			Type  string          `json:"type"`
			Query json.RawMessage `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(read(t, dashboardFile), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAlertsAskForWhatIsThere parses the expression of each alert, and compares names and labels with a server's metrics.
func TestAlertsAskForWhatIsThere(t *testing.T) {
	metrics := served(t)
	for _, a := range alerts(t) {
		if a.Annotations["summary"] == "" || (a.Labels["severity"] != "page" && a.Labels["severity"] != "ticket") {
			t.Errorf("%s has no summary, or a severity that is neither page nor ticket", a.Alert)
		}
		for _, problem := range problems(a.Expr, metrics, nil) {
			t.Errorf("%s: %s", a.Alert, problem)
		}
	}
}

// TestAlerts runs rules.test.yml.
func TestAlerts(t *testing.T) {
	promtool := program(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules.test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = filepath.Dir(rulesFile)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// TestAlertsAreTested holds rules.test.yml against rules.yml: promtool does not miss a test that is not there.
func TestAlertsAreTested(t *testing.T) {
	var file struct {
		Tests []struct {
			Name  string `json:"name"`
			Alert []struct {
				Name   string `json:"alertname"`
				Alerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	readYAML(t, ruleTestsFile, &file)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, a := range test.Alert {
			fires[a.Name] = fires[a.Name] || len(a.Alerts) > 0
			quiet[a.Name] = quiet[a.Name] || len(a.Alerts) == 0
		}
	}
	for _, a := range alerts(t) {
		if !fires[a.Alert] || !quiet[a.Alert] {
			t.Errorf("%s: seen to fire: %v, and not to: %v", a.Alert, fires[a.Alert], quiet[a.Alert])
		}
		delete(fires, a.Alert)
	}
	for name := range fires {
		t.Errorf("there is no alert %s", name)
	}
}

// TestAlertsAreExplained looks for each alert's name in the page that says what to do.
func TestAlertsAreExplained(t *testing.T) {
	page := string(read(t, troubleFile))
	for _, a := range alerts(t) {
		if !strings.Contains(page, "`"+a.Alert+"`") {
			t.Errorf("%s does not tell what to do about %s", troubleFile, a.Alert)
		}
	}
}

// TestDashboardAsksForWhatIsThere parses each expression, and compares names and labels with a server's metrics.
func TestDashboardAsksForWhatIsThere(t *testing.T) {
	metrics, d := served(t), readDashboard(t)
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" {
			name, label := variableQuery(t, v.Query)
			if metrics[name] == nil || !slices.Contains(targetLabels, label) {
				t.Errorf("variable %s: label_values(%s, %s)", v.Name, name, label)
			}
		}
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: its id %d is taken, or it ends beyond the edge", p.Title, p.ID)
		}
		ids[p.ID] = true
		if (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("panel %q has %d expressions", p.Title, len(p.Targets))
		}
		for _, target := range p.Targets {
			for _, problem := range problems(target.Expr, metrics, variables) {
				t.Errorf("panel %q: %s", p.Title, problem)
			}
			for _, l := range legendLabels(target.LegendFormat) {
				if !keeps(target.Expr, l) {
					t.Errorf("panel %q: %s has no label %s for its legend", p.Title, target.Expr, l)
				}
			}
		}
	}
}

var (
	labelValues = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	legendLabel = regexp.MustCompile(`{{\s*(\w+)\s*}}`)
	variable    = regexp.MustCompile(`\$(\w+)`)
)

func variableQuery(t *testing.T, raw json.RawMessage) (name, label string) {
	t.Helper()
	var q struct{ Query string }
	if err := json.Unmarshal(raw, &q); err != nil {
		t.Fatal(err)
	}
	m := labelValues.FindStringSubmatch(q.Query)
	if m == nil {
		t.Fatalf("query %q", q.Query)
	}
	return m[1], m[2]
}

func legendLabels(format string) (all []string) {
	for _, m := range legendLabel.FindAllStringSubmatch(format, -1) {
		all = append(all, m[1])
	}
	return all
}

// parse reads an expression as Grafana would send it.
func parse(expr string) (parser.Expr, error) {
	expr = strings.ReplaceAll(expr, "$__rate_interval", "1m")
	return parser.ParseExpr(variable.ReplaceAllString(expr, ".+"))
}

func selectors(e parser.Node) (all []*parser.VectorSelector) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			all = append(all, s)
		}
		return nil
	})
	return all
}

// keeps tells whether the outermost aggregation of an expression leaves a label.
func keeps(expr, label string) bool {
	e, err := parse(expr)
	if err != nil {
		return true // was reported
	}
	var outer *parser.AggregateExpr
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok && outer == nil {
			outer = a
		}
		return nil
	})
	return outer == nil || slices.Contains(outer.Grouping, label)
}

// problems says what an expression asks for in vain.
func problems(expr string, metrics map[string]metric, variables []string) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, m := range variable.FindAllStringSubmatch(expr, -1) {
		if m[1] != "__rate_interval" && !slices.Contains(variables, m[1]) {
			say("there is no variable %s", m[0])
		}
	}
	e, err := parse(expr)
	if err != nil {
		say("%s: %v", expr, err)
		return all
	}
	for _, s := range selectors(e) {
		m := metrics[s.Name]
		if m == nil {
			say("there is no metric %s", s.Name)
			continue
		}
		for _, l := range s.LabelMatchers {
			if l.Name != model.MetricNameLabel && !slices.Contains(targetLabels, l.Name) && !matches(m, l) {
				say("no series of %s has %s", s.Name, l)
			}
		}
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				for _, s := range selectors(a.Expr) {
					if m := metrics[s.Name]; m != nil && !slices.Contains(targetLabels, l) && !m.has(l) {
						say("%s has no label %s", s.Name, l)
					}
				}
			}
		}
		return nil
	})
	return all
}

func (m metric) has(label string) bool {
	_, ok := m[label]
	return ok
}

// matches tells whether a metric has a series that a matcher selects. Quantiles and bounds of buckets are not looked at.
// Each alternative of a regular expression must be some value.
func matches(m metric, l *labels.Matcher) bool {
	if l.Name == "quantile" || l.Name == "le" {
		return m.has(l.Name)
	}
	if l.Type == labels.MatchRegexp {
		for value := range strings.SplitSeq(l.Value, "|") {
			if !slices.ContainsFunc(m[l.Name], regexp.MustCompile("^(?:"+value+")$").MatchString) {
				return false
			}
		}
	}
	// != of a value that never comes excludes nothing.
	return m.has(l.Name) && slices.ContainsFunc(m[l.Name], func(v string) bool { return l.Matches(v) == (l.Type != labels.MatchNotEqual) })
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal(read(t, path), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestProblemsAreSeen shows that the checks above can fail.
func TestProblemsAreSeen(t *testing.T) {
	metrics := map[string]metric{"x_total": {"kind": {"a", "b"}}}
	for expr, want := range map[string]string{
		`sum by (kind) (rate(x_total{kind=~"a|b", instance=~"$gateway"}[$__rate_interval]))`: "",
		`rate(x_total{kind!="a"}[5m])`:       "",
		`y_total`:                            "no metric y_total",
		`x_total{kind="c"}`:                  "no series",
		`x_total{kind!="c"}`:                 "no series",
		`x_total{kind=~"a|c"}`:               "no series",
		`x_total{color="a"}`:                 "no series",
		`sum by (color) (x_total)`:           "no label color",
		`x_total{instance="$rooms"}`:         "no variable $rooms",
		`sum by (kind) (rate(x_total[5m])`:   "unclosed",
		`rate(x_total)`:                      "expected type range vector",
		`sum(x_total{instance=~"$gateway"}`:  "unclosed",
		`histogram_quantile(1, x_total) > 0`: "",
	} {
		got := strings.Join(problems(expr, metrics, []string{"gateway"}), "; ")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

// program returns the path of a program of a Debian package. Without it the test is skipped, and fails in CI.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not installed (Debian package %s)", name, pkg)
	default:
		t.Skipf("%s is not installed (Debian package %s)", name, pkg)
	}
	return path
}
