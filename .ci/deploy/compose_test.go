package deploy

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"signalling/pkg/settings"
	"signalling/services/gateway"
	"signalling/services/rooms"
)

const (
	composeFile = "../../deploy/compose.yml"
	proxyFile   = "../../deploy/proxy/haproxy.cfg"
	composeCfg  = "../../deploy/compose/haproxy.cfg"
	composeProm = "../../deploy/compose/prometheus.yml"
)

// service is what the tests read of a service of compose.yml.
type service struct {
	Image       string            `json:"image"`
	Environment map[string]string `json:"environment"`
	Ports       []string          `json:"ports"`
	ReadOnly    bool              `json:"read_only"`
	CapDrop     []string          `json:"cap_drop"`
	Grace       string            `json:"stop_grace_period"`
}

func composeServices(t *testing.T) map[string]service {
	t.Helper()
	var file struct {
		Services map[string]service `json:"services"`
	}
	readYAML(t, composeFile, &file)
	return file.Services
}

// TestComposeIsForThisMachine: anybody may connect, so nothing is published beyond loopback.
func TestComposeIsForThisMachine(t *testing.T) {
	for name, s := range composeServices(t) {
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s", name, p)
			}
		}
		if !s.ReadOnly || strings.Join(s.CapDrop, ",") != "ALL" {
			t.Errorf("%s can write, or has capabilities", name)
		}
	}
}

// TestComposeIsSetAsTheServicesUnderstand reads the environments with the services' own settings, and compares the time that a
// stop has with what it takes.
func TestComposeIsSetAsTheServicesUnderstand(t *testing.T) {
	for name, s := range composeServices(t) {
		var cfg any
		var drain func() time.Duration
		switch {
		case strings.HasPrefix(name, "gateway-"):
			c := &gateway.Config{}
			cfg, drain = c, func() time.Duration { return c.DrainTimeout }
		case strings.HasPrefix(name, "rooms-"):
			c := &rooms.Config{}
			cfg, drain = c, func() time.Duration { return c.DrainTimeout }
		default:
			continue
		}
		known := strings.Join(settingsOf(t, cfg), " ") + " LOG_FORMAT"
		for variable := range s.Environment {
			if !strings.Contains(" "+known+" ", " "+variable+" ") {
				t.Errorf("%s: there is no setting %s", name, variable)
			}
		}
		if err := settings.Parse(cfg, settings.Options{Environ: s.Environment}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		grace, err := time.ParseDuration(s.Grace)
		if err != nil || grace < drain()+5*time.Second {
			t.Errorf("%s: %v (%v) for a drain of %v", name, grace, err, drain())
		}
	}
}

// TestComposeHasTheProxysExample: the proxy of compose.yml is the tested example, with other addresses.
func TestComposeHasTheProxysExample(t *testing.T) {
	address := regexp.MustCompile(`(server gateway-\d) \S+ port \d+`)
	resolved := regexp.MustCompile(` resolvers docker .*`)
	lines := func(path string) string {
		var all []string
		_, text, _ := strings.Cut(string(read(t, path)), "\ndefaults\n")
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				all = append(all, resolved.ReplaceAllString(address.ReplaceAllString(line, "$1"), ""))
			}
		}
		return strings.Join(all, "\n")
	}
	if got, want := lines(composeCfg), lines(proxyFile); got != want {
		t.Errorf("%s has\n%s\nand %s\n%s", composeCfg, got, proxyFile, want)
	}
}

// TestComposePrometheusAsksEverybody: each gateway and rooms instance is a target, of the jobs that the alerts expect.
func TestComposePrometheusAsksEverybody(t *testing.T) {
	var file struct {
		Scrape []struct {
			Job    string `json:"job_name"`
			Static []struct {
				Targets []string `json:"targets"`
			} `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	readYAML(t, composeProm, &file)
	got := map[string]string{}
	for _, job := range file.Scrape {
		for _, target := range job.Static[0].Targets {
			got[target] = job.Job
		}
	}
	for name, s := range composeServices(t) {
		for variable, job := range map[string]string{"GATEWAY_ADMIN_LISTEN": "signalling-gateway", "ROOMS_ADMIN_LISTEN": "signalling-rooms"} {
			if listen := s.Environment[variable]; listen != "" && got[name+listen] != job {
				t.Errorf("%s%s is of job %q, want %s", name, listen, got[name+listen], job)
			}
		}
	}
}
