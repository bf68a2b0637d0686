package browser

import (
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

// The pages on the admin addresses in Chromium, with clients that come and go. What a client chose for a name is not run.
func TestLivePage(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *labtest.Site{
		"separate":    separate,
		"one-process": func(t *testing.T) *labtest.Site { t.Helper(); return labtest.PrivateOneProcess(t, listen(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			modules(t)
			chromium := need.Program(t, "chromium", "chromium")
			s := start(t)
			processes := append([]*lab.Process{}, s.Gateways...)
			if s.Rooms != nil {
				processes = append(processes, s.Rooms)
			}
			var admins []string
			for _, p := range processes {
				addr, err := lab.AdminAddr(labtest.Context(t), p)
				if err != nil {
					t.Fatal(err)
				}
				admins = append(admins, "http://"+addr)
			}
			runScript(t, s, 2*time.Minute, []string{"CHROMIUM=" + chromium, "ADMINS=" + strings.Join(admins, ","), "SITE=" + name},
				"--test", "--test-reporter=spec", "live.test.mjs")
		})
	}
}
