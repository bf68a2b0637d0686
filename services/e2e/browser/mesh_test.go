package browser

import (
	"testing"
	"time"

	"signalling/services/e2e/need"
)

// PeerMesh in Chromium, where the demo page does not use it.
func TestMesh(t *testing.T) {
	t.Parallel()
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, separate(t), 4*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "mesh.test.mjs")
}

// PeerMesh in Chromium, over gateways that stop and die, and keep sessions.
func TestMeshResume(t *testing.T) {
	t.Parallel()
	modules(t)
	chromium := need.Program(t, "chromium", "chromium")
	runScript(t, keeping(t), 3*time.Minute, []string{"CHROMIUM=" + chromium}, "--test", "--test-reporter=spec", "meshresume.test.mjs")
}
