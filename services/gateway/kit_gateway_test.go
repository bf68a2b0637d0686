package gateway_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"testing"
	"time"

	sdk "signalling/pkg/client"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
	conf "signalling/pkg/settings"
	"signalling/services/gateway"
)

// The tests of the whole service start it as main does, on a NATS server that can be stopped, and in real time.

// running is a gateway that runs.
type running struct {
	t testing.TB
	*gateway.Gateway
	cancel context.CancelFunc
	ended  chan error
}

// run starts a gateway with these settings beside those that tests need.
func run(t testing.TB, url string, environ map[string]string) *running {
	t.Helper()
	g, err := fromSettings(t, url, environ)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, g)
}

func start(t testing.TB, g *gateway.Gateway) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, Gateway: g, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- g.Run(ctx) }()
	t.Cleanup(r.stop)
	return r
}

// fromSettings makes a gateway from settings.
func fromSettings(t testing.TB, url string, environ map[string]string) (*gateway.Gateway, error) {
	t.Helper()
	return fromSettingsWith(t, url, environ, gateway.Options{Logger: natstest.Logger(t)})
}

func fromSettingsWith(t testing.TB, url string, environ map[string]string, opts gateway.Options) (*gateway.Gateway, error) {
	t.Helper()
	all := map[string]string{"NATS_URL": url, "GATEWAY_LISTEN": "127.0.0.1:0", "GATEWAY_ADMIN_LISTEN": "127.0.0.1:0", "GATEWAY_LIMITS": "false"}
	maps.Copy(all, environ)
	var cfg gateway.Config
	if err := conf.Parse(&cfg, conf.Options{Environ: all}); err != nil {
		return nil, err
	}
	return gateway.New(t.Context(), cfg, opts)
}

// stop tells the gateway to stop, as SIGTERM does, and waits for its end; again it does nothing.
func (g *running) stop() {
	if g.cancel == nil {
		return
	}
	g.cancel()
	g.cancel = nil
	select {
	case err := <-g.ended:
		if err != nil {
			g.t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		g.t.Error("the gateway does not end")
	}
}

func (g *running) url() string { return "ws://" + g.Addr().String() + "/ws" }

// connect lets a client in.
func (g *running) connect() *client {
	g.t.Helper()
	return dial(g.t, g.url(), (&net.Dialer{}).DialContext)
}

// sdk connects with the Go client.
func (g *running) sdk() *sdk.Client {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	c, err := sdk.Dial(ctx, g.url(), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	return c
}

// expectStatus waits until an admin page has the HTTP status.
func (g *running) expectStatus(path string, want int) {
	g.t.Helper()
	g.eventually(path, func() bool { return g.status(path) == want })
}

func (g *running) status(path string) int {
	g.t.Helper()
	resp, err := pages.Get("http://" + g.AdminAddr().String() + path)
	if err != nil {
		g.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// pages keeps no connections, which would be goroutines left over.
var pages = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// eventually asks until yes is the answer, where nobody tells.
func (g *running) eventually(what string, yes func() bool) {
	g.t.Helper()
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for end := time.Now().Add(patience); !yes(); <-every.C {
		if time.Now().After(end) {
			g.t.Fatalf("%s: not in time", what)
		}
	}
}

// ownerOn plays the owner for a gateway on a NATS server.
func ownerOn(t testing.TB, nats *natstest.TCPServer, g *running) *owner {
	t.Helper()
	o := newOwner(t, natstest.ConnectWith(t, natsbus.Config{URL: nats.URL()}, natsbus.Options{}))
	o.gateway = g.Hub().ID()
	return o
}
