package admin_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"signalling/pkg/admin"
	"signalling/pkg/natsbus/natstest"
	"signalling/pkg/service"
)

func TestLogLevel(t *testing.T) {
	var out bytes.Buffer
	log := service.LogConfig{}.New(&out).With("instance", "x")
	s, err := admin.Start("127.0.0.1:0", log)
	if err != nil {
		t.Fatal(err)
	}
	c := http.Client{Timeout: natstest.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, body string, wantCode int, want string) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+s.Addr().String()+"/log/level", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != wantCode || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s %q: %d %q", method, body, resp.StatusCode, got)
		}
	}
	ask("GET", "", http.StatusOK, "INFO")
	ask("PUT", "debug\n", http.StatusOK, "DEBUG")
	ask("GET", "", http.StatusOK, "DEBUG")
	ask("PUT", "loud", http.StatusBadRequest, "want debug, info, warn or error")
	ask("PUT", strings.Repeat("x", 1000), http.StatusBadRequest, "want debug, info, warn or error")
	ask("GET", "", http.StatusOK, "DEBUG")
	ctx, cancel := context.WithTimeout(t.Context(), natstest.Timeout)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if !log.Enabled(t.Context(), slog.LevelDebug) || !strings.Contains(out.String(), `msg="log level changed"`) {
		t.Errorf("the log: %s", &out)
	}
}
