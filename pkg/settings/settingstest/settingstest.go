// Package settingstest checks, in tests, that settings are described and that
// generated tables in Markdown files are up to date. The name of a test that
// calls [Block] contains the word Settings: `make settings` finds it by that.
package settingstest

import (
	"os"
	"strings"
	"testing"

	"signalling/pkg/settings"
)

// UpdateVariable is the environment variable that, if not empty, makes [Block]
// write the tables instead of comparing them.
const UpdateVariable = "UPDATE_SETTINGS"

// Described fails the test for every setting of dst that has no description,
// or one that is not a phrase: it ends with a full stop or spans lines.
func Described(t testing.TB, dst any, opts settings.Options) {
	t.Helper()
	table, err := settings.Table(dst, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table {
		switch d := s.Description; {
		case strings.TrimSpace(d) == "":
			t.Errorf("%s has no desc tag", s.Name)
		case strings.HasSuffix(d, "."), strings.Contains(d, "\n"):
			t.Errorf("%s: the description should be a phrase on one line without a full stop: %q", s.Name, d)
		}
	}
}

// Block fails the test unless the block of the given name in the Markdown
// file at path is the table of dst. With [UpdateVariable] set it writes the
// block instead. See [settings.CheckBlock] for the form of a block.
func Block(t testing.TB, path, name string, dst any, opts settings.Options) {
	t.Helper()
	table, err := settings.Table(dst, opts)
	if err != nil {
		t.Fatal(err)
	}
	act := settings.CheckBlock
	if os.Getenv(UpdateVariable) != "" {
		act = settings.UpdateBlock
	}
	if err := act(path, name, settings.Markdown(table)); err != nil {
		t.Errorf("%v (%s=1 go test rewrites it)", err, UpdateVariable)
	}
}
