package browser

import (
	"testing"
	"time"

	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
	"signalling/services/e2e/turn"
)

// A page of another origin in Chromium.
func TestAForeignPage(t *testing.T) {
	t.Parallel()
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, labtest.PrivateOneProcess(t), 2*time.Minute, []string{"CHROMIUM=" + chromium},
		"--test", "--test-reporter=spec", "hijack.test.mjs")
}

// Two tabs and coturn.
func TestARelayedCall(t *testing.T) {
	t.Parallel()
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	s := turn.Start(t)
	site := labtest.PrivateOneProcess(t,
		"GATEWAY_ICE_SERVERS="+s.URL, "GATEWAY_TURN_SECRET="+turn.Secret, "GATEWAY_TURN_TTL=16s", "GATEWAY_LIMITS=true")
	runScript(t, site, 2*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "relay.test.mjs")
}
