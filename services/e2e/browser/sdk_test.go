package browser

import (
	"testing"
	"time"

	"signalling/services/e2e/labtest"
)

// The SDK under Node, over the one-process build and over two gateways.
func TestSDK(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *labtest.Site{
		"separate": separate,
		"one-process": func(t *testing.T) *labtest.Site {
			t.Helper()
			return labtest.PrivateOneProcess(t, listen(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			modules(t) // before anything is built
			runScript(t, start(t), 2*time.Minute, nil, "--expose-gc", "--test", "--test-concurrency=1", "--test-reporter=spec", "sdk.test.mjs", "memory.test.mjs")
		})
	}
}

// How the SDK comes back to its session, under Node: over two gateways that stop and die, and by scripts.
func TestSDKResume(t *testing.T) {
	t.Parallel()
	modules(t)
	runScript(t, keeping(t), 2*time.Minute, nil, "--test", "--test-concurrency=1", "--test-reporter=spec", "resume.test.mjs", "session.test.mjs")
}
