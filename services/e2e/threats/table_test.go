package threats

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalling/services/e2e/lab"
)

// row is one of the table in SECURITY.md.
type row struct {
	threat   string
	settings []string
	tests    []named
}

// named is a test, and the file that it is said to be in.
type named struct{ test, file string }

// id is how removals name the test.
func (n named) id() string { return filepath.Dir(n.file) + " " + n.test }

var (
	link    = regexp.MustCompile("\\[`(Test\\w+)`\\]\\(([^)]+)\\)")
	setting = regexp.MustCompile("`([A-Z][A-Z_]+)`")
)

// table reads the table of SECURITY.md.
func table(t *testing.T, root string) (rows []row) {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, filepath.Join(root, "SECURITY.md")), "| threat | control | settings | tests |\n|---|---|---|---|\n")
	if !ok {
		t.Fatal("SECURITY.md has no table of threats")
	}
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			break
		}
		r := row{threat: strings.TrimSpace(cells[0])}
		for _, m := range setting.FindAllStringSubmatch(cells[2], -1) {
			r.settings = append(r.settings, m[1])
		}
		for _, m := range link.FindAllStringSubmatch(cells[3], -1) {
			r.tests = append(r.tests, named{m[1], m[2]})
		}
		rows = append(rows, r)
	}
	return rows
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tests are all that some removal must be noticed by.
func tests() (all []string) {
	for _, r := range removals {
		for _, entry := range r.tests {
			folder, names, _ := strings.Cut(entry, " ")
			for name := range strings.FieldsSeq(names) {
				all = append(all, folder+" "+name)
			}
		}
	}
	return all
}

// Every test that the table names is there, every setting is one, and every test is tried without its control.
func TestTheTableIsTrue(t *testing.T) {
	root, err := lab.Repository()
	if err != nil {
		t.Fatal(err)
	}
	rows, tried := table(t, root), tests()
	if len(rows) < 25 {
		t.Errorf("the table has %d rows", len(rows))
	}
	readme := read(t, filepath.Join(root, "README.md"))
	var listed []string
	for _, r := range rows {
		if len(r.tests) == 0 {
			t.Errorf("%s: no test", r.threat)
		}
		for _, n := range r.tests {
			listed = append(listed, n.id())
			if !strings.Contains(read(t, filepath.Join(root, n.file)), "\nfunc "+n.test+"(t *testing.T) {\n") {
				t.Errorf("%s: there is no %s in %s", r.threat, n.test, n.file)
			}
			if !slices.Contains(tried, n.id()) {
				t.Errorf("%s: nobody knows whether %s fails without the control", r.threat, n.test)
			}
		}
		for _, name := range r.settings {
			if !strings.Contains(readme, "| `"+name+"` |") {
				t.Errorf("%s: there is no setting %s", r.threat, name)
			}
		}
	}
	for _, id := range tried {
		if !slices.Contains(listed, id) {
			t.Errorf("%s is not in the table", id)
		}
	}
}

// What the removals replace is there, once.
func TestTheRemovalsFit(t *testing.T) {
	root, err := lab.Repository()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range removals {
		if n := strings.Count(read(t, filepath.Join(root, r.file)), r.old); n != 1 {
			t.Errorf("%s has %q %d times", r.file, r.old, n)
		}
	}
}
