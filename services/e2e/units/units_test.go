// Package units tests the systemd units of deploy/systemd with systemd-analyze. It starts none: that takes a machine that systemd
// runs.
package units

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/need"
)

const folder = "../../../deploy/systemd"

// exposure is the worst that systemd-analyze security may say, in tenths: 0 is best, 100 worst.
const exposure = "13"

func TestUnits(t *testing.T) {
	analyze := need.Program(t, "systemd-analyze", "systemd")
	units, err := filepath.Glob(folder + "/*.service")
	if err != nil || len(units) != 3 {
		t.Fatalf("units %q, %v", units, err)
	}
	for _, path := range units {
		t.Run(filepath.Base(path), func(t *testing.T) {
			unit := installed(t, path)
			for _, args := range [][]string{
				{"verify", "--man=no", unit},
				{"security", "--offline=true", "--no-pager", "--threshold=" + exposure, unit},
			} {
				out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput()
				if err != nil || args[0] == "verify" && strings.Contains(string(out), filepath.Base(unit)) {
					t.Errorf("systemd-analyze %q: %v\n%s", args, err, out)
				}
			}
		})
	}
}

// TestMistakesAreSeen shows that verify finds what is wrong.
func TestMistakesAreSeen(t *testing.T) {
	analyze := need.Program(t, "systemd-analyze", "systemd")
	unit := installed(t, folder+"/signalling-rooms.service")
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(text), "ProtectHome=yes", "ProtectHone=yes", 1)
	if err := os.WriteFile(unit, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput()
	if !strings.Contains(string(out), "ProtectHone") {
		t.Errorf("%v\n%s", err, out)
	}
}

// installed copies a unit, with a program that is there in place of ours.
func installed(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(path)
	program := "/usr/local/bin/" + strings.TrimSuffix(name, ".service")
	if !strings.Contains(string(text), "ExecStart="+program+"\n") {
		t.Errorf("%s does not start %s", name, program)
	}
	here, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(unit, []byte(strings.Replace(string(text), program, here, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return unit
}

// TestStopsWaitForTheDrain holds TimeoutStopSec against the default of the setting that it must exceed.
func TestStopsWaitForTheDrain(t *testing.T) {
	for name, setting := range map[string]string{
		"gateway": "GATEWAY_DRAIN_TIMEOUT", "standalone": "GATEWAY_DRAIN_TIMEOUT", "rooms": "ROOMS_DRAIN_TIMEOUT",
	} {
		stop, drain := value(t, folder+"/signalling-"+name+".service", "TimeoutStopSec=", ""), value(t, "../../../README.md", "| `"+setting+"` | `", "`")
		if stop < drain+5*time.Second {
			t.Errorf("%s: systemd waits %v, and draining takes %v", name, stop, drain)
		}
	}
}

// value is the duration that follows begin in a line of a file, up to end.
func value(t *testing.T, path, begin, end string) time.Duration {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), begin); ok {
			if end != "" {
				rest, _, _ = strings.Cut(rest, end)
			}
			d, err := time.ParseDuration(rest)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	t.Fatalf("%s has no line that begins with %q", path, begin)
	return 0
}
