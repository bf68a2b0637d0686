package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// separate starts rooms and two gateways that serve the demo page, each on a port that stays the same over a restart.
func separate(t *testing.T) *labtest.Site { return separateWith(t) }

func separateWith(t *testing.T, env ...string) *labtest.Site {
	t.Helper()
	layout := lab.Layout{Gateways: 2, GatewayEnv: append([]string{"GATEWAY_DEMO=true"}, env...)}
	for range layout.Gateways {
		layout.EachGatewayEnv = append(layout.EachGatewayEnv, []string{listen(t)})
	}
	return labtest.Private(t, layout)
}

// keeping is separate with sessions that outlive their connections.
func keeping(t *testing.T) *labtest.Site {
	t.Helper()
	return separateWith(t, "GATEWAY_RESUME_WINDOW=60s", "GATEWAY_RESUME_SECRET=0123456789abcdef0123456789abcdef")
}

// listen is the setting of a free address.
func listen(t *testing.T) string {
	t.Helper()
	port, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return "GATEWAY_LISTEN=127.0.0.1:" + strconv.Itoa(port)
}

// modules returns the folder in which npm installed the scripts' needs, and Node's path.
func modules(t *testing.T) (folder, node string) {
	t.Helper()
	node = need.Program(t, "node", "nodejs")
	folder, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"playwright-core", "socket.io-client", "ws"} {
		if _, err := os.Stat(filepath.Join(folder, "node_modules", name, "package.json")); err != nil {
			const text = "what the scripts need is not installed: npm ci --prefix services/e2e/browser"
			if os.Getenv("CI") == "true" {
				t.Fatal(text)
			}
			t.Skip(text)
		}
	}
	return folder, node
}

// runScript runs a script with Node and prints what it says if it fails. GATEWAYS tells it where the gateways are, and
// CONTROL where it can stop and start the site.
func runScript(t *testing.T, s *labtest.Site, limit time.Duration, env []string, args ...string) {
	t.Helper()
	folder, node := modules(t)
	control := httptest.NewServer(&controller{t: t, site: s})
	defer control.Close()
	var gateways []string
	for i := range s.Gateways {
		gateways = append(gateways, "http"+strings.TrimSuffix(strings.TrimPrefix(s.URLOf(i), "ws"), "/ws"))
	}
	cmd := exec.Command(node, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GATEWAYS="+strings.Join(gateways, ","), "CONTROL="+control.URL)
	cmd.Env = append(cmd.Env, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its browser is in the same group
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(limit, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	if !late.Stop() {
		err = fmt.Errorf("it took longer than %v: %w", limit, err)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out.Bytes())
		return
	}
	t.Logf("%s", out.Bytes())
}

// controller lets a script stop, kill and start the site: POST /stop, /roll, /kill and /start; with a number behind it,
// as in /kill/0, only that gateway.
type controller struct {
	t    *testing.T
	site *labtest.Site
	mu   sync.Mutex // one request after the other
}

func (c *controller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	site := *c.site.Site
	what, which, some := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if i, err := strconv.Atoi(which); some && err == nil && i < len(site.Gateways) {
		site.Rooms, site.Gateways = nil, site.Gateways[i:i+1]
	}
	var err error
	switch what {
	case "stop":
		err = stop(r.Context(), &site)
	case "roll":
		err = roll(r.Context(), &site)
	case "kill":
		err = kill(&site)
	case "start":
		err = start(r.Context(), &site)
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, "done\n")
}

// all are the site's processes, in the order in which they are started.
func all(s *lab.Site) []*lab.Process {
	if s.Rooms == nil {
		return s.Gateways
	}
	return append([]*lab.Process{s.Rooms}, s.Gateways...)
}

// stop stops the gateways, all at once, and then rooms.
func stop(ctx context.Context, s *lab.Site) error {
	for _, p := range s.Gateways {
		if err := p.Terminate(); err != nil {
			return err
		}
	}
	for _, p := range s.Gateways {
		if _, err := p.Wait(ctx); err != nil {
			return err
		}
	}
	if s.Rooms == nil {
		return nil
	}
	_, err := s.Rooms.Stop(ctx)
	return err
}

// roll stops the gateways one after the other, and then rooms.
func roll(ctx context.Context, s *lab.Site) error {
	for _, p := range s.Gateways {
		if _, err := p.Stop(ctx); err != nil {
			return err
		}
	}
	_, err := s.Rooms.Stop(ctx)
	return err
}

// kill ends everything without a good-bye.
func kill(s *lab.Site) error {
	var errs []error
	for _, p := range all(s) {
		errs = append(errs, p.Kill())
	}
	return errors.Join(errs...)
}

func start(ctx context.Context, s *lab.Site) error {
	for _, p := range all(s) {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}
