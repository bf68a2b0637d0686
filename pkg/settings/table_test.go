package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalling/pkg/settings"
	"signalling/pkg/settings/settingstest"
)

type described struct {
	Listen string `env:"LISTEN" envDefault:":8080" desc:"address, host:port"`
	Key    string `env:"KEY,required" secret:"true" desc:"the key"`
	Pipe   string `env:"PIPE" envDefault:"a|b" desc:"one | two"`
	Again  string `env:"LISTEN" desc:"not listed a second time"`
}

func TestTable(t *testing.T) {
	got, err := settings.Table(&described{}, settings.Options{Defaults: map[string]string{"LISTEN": ":0"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []settings.Setting{
		{Name: "LISTEN", Default: ":0", Description: "address, host:port"},
		{Name: "KEY", Description: "the key", Required: true, Secret: true},
		{Name: "PIPE", Default: "a|b", Description: "one | two"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := settings.Table(&described{}, settings.Options{Defaults: map[string]string{"X": ""}}); err == nil {
		t.Error("a default for an unknown setting was accepted")
	}
}

func TestWriteHelp(t *testing.T) {
	var b strings.Builder
	if err := settings.WriteHelp(&b, "prog", "does things", table(t)); err != nil {
		t.Fatal(err)
	}
	want := `prog: does things

Settings are environment variables:

  LISTEN
        address, host:port (default :8080)
  KEY
        the key (required)
  PIPE
        one | two (default a|b)
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

const wantMarkdown = `| variable | default | meaning |
|---|---|---|
| ` + "`LISTEN` | `:8080`" + ` | address, host:port |
| ` + "`KEY`" + ` | required | the key |
| ` + "`PIPE` | `a\\|b`" + ` | one \| two |
`

func TestMarkdown(t *testing.T) {
	if d := cmp.Diff(wantMarkdown, settings.Markdown(table(t))); d != "" {
		t.Error(d)
	}
}

func TestBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	write(t, path, "before\n<!-- settings:x -->\nold\n<!-- /settings:x -->\nafter\n")

	if err := settings.CheckBlock(path, "x", wantMarkdown); !errors.Is(err, settings.ErrStale) {
		t.Errorf("CheckBlock of an old block: %v, want ErrStale", err)
	}
	if err := settings.UpdateBlock(path, "x", wantMarkdown); err != nil {
		t.Fatal(err)
	}
	want := "before\n<!-- settings:x -->\n" + wantMarkdown + "<!-- /settings:x -->\nafter\n"
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
	settingstest.Block(t, path, "x", &described{}, settings.Options{})

	write(t, path, "<!-- settings:x -->\nold\n<!-- /settings:x -->\n")
	r := &recorder{TB: t}
	settingstest.Block(r, path, "x", &described{}, settings.Options{})
	if len(r.failures) != 1 {
		t.Errorf("an old block gave %d failures, want 1", len(r.failures))
	}
	t.Setenv(settingstest.UpdateVariable, "1")
	settingstest.Block(t, path, "x", &described{}, settings.Options{})
	if err := settings.CheckBlock(path, "x", wantMarkdown); err != nil {
		t.Error(err)
	}
}

func TestBlockErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	write(t, path, "<!-- /settings:x -->\n<!-- settings:x -->\n")
	for _, name := range []string{"x", "y"} {
		if err := settings.CheckBlock(path, name, ""); err == nil || errors.Is(err, settings.ErrStale) {
			t.Errorf("block %s: %v, want an error about its marks", name, err)
		}
	}
	if err := settings.UpdateBlock(path+"x", "x", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// recorder is a testing.TB that remembers whether it failed.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, _ ...any) {
	r.failures = append(r.failures, format)
}

func TestDescribed(t *testing.T) {
	settingstest.Described(t, &described{}, settings.Options{})

	bad := struct {
		None string `env:"NONE"`
		Stop string `env:"STOP" desc:"ends with a stop."`
		Fine string `env:"FINE" desc:"fine"`
	}{}
	r := &recorder{TB: t}
	settingstest.Described(r, &bad, settings.Options{})
	if len(r.failures) != 2 {
		t.Errorf("%d failures, want 2: %q", len(r.failures), r.failures)
	}
}

func table(t *testing.T) []settings.Setting {
	t.Helper()
	table, err := settings.Table(&described{}, settings.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
