package service

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHealthcheck(t *testing.T) {
	ready := true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" && !ready {
			http.Error(w, "no NATS", http.StatusServiceUnavailable)
			return
		}
	}))
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var cfg struct {
		Listen string `env:"ADMIN" envDefault:"127.0.0.1:1"`
	}
	p := Program{Name: "x", Config: &cfg, Admin: func() string { return cfg.Listen }}
	check := func(want int, says, listen string, args ...string) {
		t.Helper()
		var stderr bytes.Buffer
		got := p.main(t.Context(), append([]string{"healthcheck"}, args...), map[string]string{"ADMIN": listen}, nil, &stderr)
		if got != want || !strings.Contains(stderr.String(), says) || (says == "") != (stderr.Len() == 0) {
			t.Errorf("healthcheck %q of %s: %d, %q", args, listen, got, &stderr)
		}
	}
	check(ExitOK, "", "127.0.0.1:"+port)
	check(ExitOK, "", ":"+port, "ready")
	check(ExitOK, "", "0.0.0.0:"+port)
	ready = false
	check(ExitOK, "", "[::]:"+port)
	check(ExitFailure, "no NATS", ":"+port, "ready")
	check(ExitConfig, "usage", ":"+port, "now")
	srv.Close()
	check(ExitFailure, "refused", ":"+port)
}

func TestLogLevelChangesAtRunTime(t *testing.T) {
	var out bytes.Buffer
	log := LogConfig{Format: LogJSON}.New(&out).With("id", 1).WithGroup("g")
	log.Debug("one")
	log.Handler().(interface{ LogLevel() *slog.LevelVar }).LogLevel().Set(slog.LevelDebug)
	log.Debug("two")
	if s := out.String(); strings.Contains(s, "one") || !strings.Contains(s, "two") || !strings.Contains(s, `"id":1`) {
		t.Error(s)
	}
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("not enabled")
	}
}

func TestDurationsInJSONAreSeconds(t *testing.T) {
	var out bytes.Buffer
	log := LogConfig{Format: LogJSON}.New(&out)
	log.Info("x", "a", 1500*time.Millisecond, slog.Group("g", "b", time.Duration(0), "n", 7))
	if s := out.String(); !strings.Contains(s, `"a":1.5,"g":{"b":0,"n":7}}`) {
		t.Error(s)
	}
	out.Reset()
	LogConfig{Format: LogText}.New(&out).Info("x", "a", 1500*time.Millisecond)
	if s := out.String(); !strings.Contains(s, "a=1.5s") {
		t.Error(s)
	}
}
