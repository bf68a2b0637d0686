package browser

import (
	"testing"
	"time"

	"signalling/services/e2e/need"
)

// The demo page in Chromium, with fake cameras and microphones.
func TestPage(t *testing.T) {
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, separate(t), 4*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "page.test.mjs")
}

// The snippets of the quick start, as they stand there, in Chromium.
func TestQuickStart(t *testing.T) {
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, separate(t), 2*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "quickstart.test.mjs")
}

// The demo page in Chromium, where sessions are kept.
func TestPageResume(t *testing.T) {
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, keeping(t), 2*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "pageresume.test.mjs")
}
