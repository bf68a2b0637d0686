package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"signalling/pkg/admin"
	"signalling/pkg/natsbus/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) *admin.Server {
	t.Helper()
	s, err := admin.Start("127.0.0.1:0", natstest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	s.SetStarted()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), natstest.Timeout)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

// get returns the status code and the body of an answer.
func get(t *testing.T, s *admin.Server, path string) (code int, body map[string]any) {
	t.Helper()
	c := http.Client{Timeout: natstest.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + s.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Type") == "application/json" {
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, body
}

func expect(t *testing.T, s *admin.Server, path string, wantCode int, want map[string]any) {
	t.Helper()
	code, body := get(t, s, path)
	if code != wantCode {
		t.Errorf("GET %s: %d, want %d", path, code, wantCode)
	}
	if d := cmp.Diff(want, body); d != "" {
		t.Errorf("GET %s: %s", path, d)
	}
}

func ok() map[string]any { return map[string]any{"status": "ok"} }

func unavailable(reasons map[string]any) map[string]any {
	return map[string]any{"status": "unavailable", "reasons": reasons}
}

func TestHealthAndReadiness(t *testing.T) {
	s := start(t)
	expect(t, s, "/healthz", http.StatusOK, ok())
	expect(t, s, "/readyz", http.StatusOK, ok())

	var failure error
	s.AddCheck("bus", func(context.Context) error { return failure })
	s.AddCheck("fine", func(context.Context) error { return nil })
	expect(t, s, "/readyz", http.StatusOK, ok())

	failure = errors.New("no connection")
	expect(t, s, "/readyz", http.StatusServiceUnavailable, unavailable(map[string]any{"bus": "no connection"}))
	expect(t, s, "/healthz", http.StatusOK, ok())

	s.AddCheck("bus", func(context.Context) error { return nil })
	expect(t, s, "/readyz", http.StatusOK, ok())

	s.SetDraining()
	expect(t, s, "/readyz", http.StatusServiceUnavailable,
		unavailable(map[string]any{"draining": "the process is about to stop"}))
	expect(t, s, "/healthz", http.StatusOK, ok())
}

// Checks are added after the server answers already: nobody may be told meanwhile that all is well.
func TestNotReadyBeforeAllIsThere(t *testing.T) {
	s, err := admin.Start("127.0.0.1:0", natstest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	starting := unavailable(map[string]any{"starting": "the process has only begun"})
	expect(t, s, "/readyz", http.StatusServiceUnavailable, starting)
	expect(t, s, "/healthz", http.StatusOK, ok())
	s.AddCheck("bus", func(context.Context) error { return nil })
	expect(t, s, "/readyz", http.StatusServiceUnavailable, starting)
	s.SetStarted()
	expect(t, s, "/readyz", http.StatusOK, ok())
}

func TestChecksHaveADeadline(t *testing.T) {
	s := start(t)
	s.AddCheck("slow", func(ctx context.Context) error {
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > admin.CheckTimeout {
			return errors.New("no deadline")
		}
		return nil
	})
	expect(t, s, "/readyz", http.StatusOK, ok())
}

func TestHandle(t *testing.T) {
	s := start(t)
	expect(t, s, "/more", http.StatusNotFound, nil)
	s.Handle("GET /more", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	expect(t, s, "/more", http.StatusTeapot, nil)
}

func TestStartOnATakenPort(t *testing.T) {
	s := start(t)
	if _, err := admin.Start(s.Addr().String(), natstest.Logger(t)); err == nil {
		t.Error("a second server listens on the same address")
	}
}

func TestShutdownCutsOffWhatDoesNotEnd(t *testing.T) {
	s, err := admin.Start("127.0.0.1:0", natstest.Logger(t))
	if err != nil {
		t.Fatal(err)
	}
	inside := make(chan struct{})
	s.Handle("GET /stuck", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done() // ends when the connection is cut
	}))
	answered := make(chan error, 1)
	go func() {
		c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := c.Get("http://" + s.Addr().String() + "/stuck")
		if err == nil {
			_ = resp.Body.Close()
		}
		answered <- err
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v, want context.Canceled", err)
	}
	if err := <-answered; err == nil {
		t.Error("the stuck request was answered")
	}
}

func TestAForeignName(t *testing.T) {
	s := start(t)
	s.Handle("GET /page", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{"": http.StatusOK, "localhost": http.StatusOK, "evil.example": http.StatusMisdirectedRequest} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr().String()+"/page", nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		c := http.Client{Timeout: natstest.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", host, resp.StatusCode, want)
		}
	}
}
