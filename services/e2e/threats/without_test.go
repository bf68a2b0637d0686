package threats

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/lab"
)

var remove = flag.String("remove", "", "remove the controls whose files or tests match this expression, and see which tests notice")

// patience is for one package of tests with a control removed, its build included.
const patience = 5 * time.Minute

// TestWithoutControls removes one control after the other, in a copy of the repository.
func TestWithoutControls(t *testing.T) {
	if *remove == "" {
		t.Skip("this takes long: make threats")
	}
	chosen, err := regexp.Compile(*remove)
	if err != nil {
		t.Fatal(err)
	}
	root := copyOf(t)
	for _, r := range removals {
		for _, entry := range r.tests {
			if !chosen.MatchString(r.file + " " + entry) {
				continue
			}
			t.Run(strings.ReplaceAll(filepath.Base(r.file)+" "+entry, "/", "."), func(t *testing.T) { r.try(t, root, entry) })
		}
	}
}

// try expects each of the tests to fail without the control.
func (r removal) try(t *testing.T, root, entry string) {
	path := filepath.Join(root, r.file)
	with := read(t, path)
	write(t, path, strings.Replace(with, r.old, r.new, 1))
	defer write(t, path, with)
	folder, names, _ := strings.Cut(entry, " ")
	for name := range strings.FieldsSeq(names) {
		out := run(t, root, folder, name)
		failed := strings.Contains(out, "--- FAIL: "+name+" ")
		crashed := strings.Contains(out, "\npanic: ") && !strings.Contains(out, "panic: test timed out")
		if !failed && !crashed {
			t.Errorf("%s does not notice that %q is gone from %s\n%s", name, r.old, r.file, out)
		}
	}
}

// run runs a test until something in it fails, and returns what it says.
func run(t *testing.T, root, folder, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	test := exec.CommandContext(ctx, "go", "test", "-vet=off", "-count=1", "-timeout=4m", "-failfast", "-v", "-run", "^"+name+"$", "./"+folder)
	test.Dir = root
	out, err := test.CombinedOutput()
	if strings.Contains(string(out), "[build failed]") || err != nil && ctx.Err() != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// copyOf makes a copy of the repository's files as they are, and of what npm has installed.
func copyOf(t *testing.T) string {
	t.Helper()
	root, err := lab.Repository()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf(`cd %q && git ls-files -z -co --exclude-standard | tar c --null -T - | tar x -C %q
		find . -name node_modules -prune -not -path './.bin/*' | while read -r d; do ln -s "$PWD/$d" %q/"$d"; done`, root, dir, dir)
	if out, err := exec.CommandContext(t.Context(), "bash", "-euc", script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}
