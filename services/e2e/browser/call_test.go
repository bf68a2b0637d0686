package browser

import (
	"encoding/json"
	"testing"
	"time"

	"signalling/pkg/token"
	"signalling/services/e2e/need"
)

// The demo page in Chromium, with fake cameras and microphones.
func TestPage(t *testing.T) {
	t.Parallel()
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, separate(t), 4*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "page.test.mjs")
}

// The snippets of the quick start, as they stand there, in Chromium.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, separate(t), 2*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "quickstart.test.mjs")
}

// The demo page in Chromium, where sessions are kept.
func TestPageResume(t *testing.T) {
	t.Parallel()
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, keeping(t), 2*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "pageresume.test.mjs")
}

// The demo page in Chromium, where tokens say who people are.
func TestPageDisplay(t *testing.T) {
	t.Parallel()
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	const secret = "the secret that signs the tokens of these tests"
	tokens := map[string]string{}
	for _, name := range []string{"Alice", "Bob"} {
		text, err := token.Sign([]byte(secret), token.Order{Claims: map[string]any{"name": name}})
		if err != nil {
			t.Fatal(err)
		}
		tokens[name] = text
	}
	text, err := json.Marshal(tokens)
	if err != nil {
		t.Fatal(err)
	}
	runScript(t, separateWith(t, "GATEWAY_AUTH_SECRET="+secret, "GATEWAY_AUTH_DISPLAY=name"), 2*time.Minute,
		[]string{"CHROMIUM=" + chromium, "TOKENS=" + string(text)}, "--test", "--test-reporter=spec", "pagedisplay.test.mjs")
}
