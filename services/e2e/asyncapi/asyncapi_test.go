// Package asyncapi validates api/asyncapi/asyncapi.json with the parser of the AsyncAPI project, from npm.
package asyncapi

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"signalling/services/e2e/need"
)

const document = "../../../api/asyncapi/asyncapi.json"

// validate returns what the parser says.
func validate(t *testing.T, file string) string {
	t.Helper()
	node := need.Program(t, "node", "nodejs")
	need.Modules(t, ".", "@asyncapi/parser")
	out, err := exec.CommandContext(t.Context(), node, "validate.mjs", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestTheDocumentIsValid(t *testing.T) {
	if out := validate(t, document); strings.Contains(out, "error ") || !strings.HasSuffix(out, " channels\n") {
		t.Error(out)
	} else {
		t.Log(out)
	}
}

// TestMistakesAreSeen shows that the parser looks.
func TestMistakesAreSeen(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	d["operations"] = map[string]any{"x": map[string]any{"action": "shout", "channel": map[string]any{"$ref": "#/channels/native"}}}
	if text, err = json.Marshal(d); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "wrong.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := validate(t, file); !strings.Contains(out, "error ") || !strings.Contains(out, "action") {
		t.Error(out)
	}
}
