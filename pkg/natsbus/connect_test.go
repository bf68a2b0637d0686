package natsbus_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
)

func TestConnectBeforeTheServerIsThere(t *testing.T) {
	srv := natstest.RunTCP(t)
	srv.Stop()
	connected := make(chan struct{}, 1)
	nc := connect(t, natsbus.Config{URL: srv.URL()}, natsbus.Options{
		OnConnect: func() { connected <- struct{}{} },
	})
	if err := natsbus.Ready(nc); !errors.Is(err, natsbus.ErrNotConnected) {
		t.Fatalf("Ready without a server: %v, want ErrNotConnected", err)
	}
	srv.Start()
	await(t, connected, "OnConnect")
	if err := natsbus.Ready(nc); err != nil {
		t.Errorf("Ready with a server: %v", err)
	}
}

func TestConnectTakesTheReachableServer(t *testing.T) {
	gone := natstest.RunTCP(t)
	gone.Stop()
	srv := natstest.RunTCP(t)
	nc := connect(t, natsbus.Config{URL: gone.URL() + " , " + srv.URL()}, natsbus.Options{})
	if err := natsbus.Ready(nc); err != nil {
		t.Error(err)
	}
}

func TestReconnect(t *testing.T) {
	srv := natstest.RunTCP(t)
	lost, back := make(chan struct{}, 1), make(chan struct{}, 1)
	nc := connect(t, natsbus.Config{URL: srv.URL()}, natsbus.Options{
		OnDisconnect: func() { lost <- struct{}{} },
		OnReconnect:  func() { back <- struct{}{} },
	})
	echo(t, nc, "echo")

	t.Run("after a restart", func(t *testing.T) {
		srv.Stop()
		await(t, lost, "OnDisconnect")
		if err := nc.Publish("s", []byte("x")); err == nil {
			t.Error("Publish during the outage succeeded: it was buffered")
		}
		srv.Start()
		await(t, back, "OnReconnect")
		request(t, nc, "echo", "restarted")
	})
	t.Run("after a broken connection", func(t *testing.T) {
		srv.DropClients()
		await(t, lost, "OnDisconnect")
		await(t, back, "OnReconnect")
		srv.WaitForClients(1)
		request(t, nc, "echo", "dropped")
	})
}

func TestSlowConsumerIsReported(t *testing.T) {
	srv := natstest.Run(t)
	slow := make(chan struct{}, 1)
	nc := natstest.ConnectWith(t, natsbus.Config{}, natsbus.Options{
		InProcess:      srv.Provider(),
		OnSlowConsumer: func() { slow <- struct{}{} },
	})
	// One message fits the channel that nobody reads, the second does not.
	if _, err := nc.ChanSubscribe("s", make(chan *nats.Msg, 1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := nc.Publish("s", nil); err != nil {
			t.Fatal(err)
		}
	}
	await(t, slow, "OnSlowConsumer")
}

func TestInboxPrefix(t *testing.T) {
	srv := natstest.Run(t)
	nc := natstest.ConnectWith(t, natsbus.Config{}, natsbus.Options{
		InProcess: srv.Provider(), InboxPrefix: "_INBOX_test",
	})
	if got, want := nc.NewInbox()[:len("_INBOX_test.")], "_INBOX_test."; got != want {
		t.Errorf("inboxes start with %q, want %q", got, want)
	}
}

// silentListener accepts connections and says nothing, like a server that is
// stopped or overloaded.
func silentListener(t *testing.T) (url string, accepted <-chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := make(chan net.Conn, 16)
	go func() {
		defer close(c)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			c <- conn
		}
	}()
	return "nats://" + l.Addr().String(), c
}

func TestConnectEndsWithItsContext(t *testing.T) {
	url, accepted := silentListener(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-accepted
		cancel()
	}()
	started := time.Now()
	_, err := natsbus.Connect(ctx, natsbus.Config{URL: url}, natsbus.Options{Logger: natstest.Logger(t)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Connect: %v, want context.Canceled", err)
	}
	if d := time.Since(started); d >= natsbus.DialTimeout {
		t.Errorf("Connect took %v: it did not notice the context", d)
	}
}

func TestConnectToASilentServerReturnsInTime(t *testing.T) {
	url, _ := silentListener(t)
	started := time.Now()
	nc := connect(t, natsbus.Config{URL: url}, natsbus.Options{})
	if d := time.Since(started); d > 5*natsbus.DialTimeout {
		t.Errorf("Connect took %v, want about %v", d, natsbus.DialTimeout)
	}
	if err := natsbus.Ready(nc); err == nil {
		t.Error("Ready with a silent server")
	}
}

func TestConnectionSurvivesItsContext(t *testing.T) {
	srv := natstest.RunTCP(t)
	ctx, cancel := context.WithCancel(t.Context())
	back := make(chan struct{}, 1)
	nc, err := natsbus.Connect(ctx, natsbus.Config{URL: srv.URL()}, natsbus.Options{
		Logger:      natstest.Logger(t),
		OnReconnect: func() { back <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	cancel()
	srv.DropClients()
	await(t, back, "OnReconnect")
	flush(t, nc)
}

func TestConnectRefusesBadSettings(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for name, cfg := range map[string]natsbus.Config{
		"URL":      {URL: "http://127.0.0.1:1"},
		"creds":    {Creds: missing},
		"nkey":     {NKey: missing},
		"TLS CA":   {TLSCA: missing},
		"TLS cert": {TLSCert: missing, TLSKey: missing},
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := natsbus.Connect(t.Context(), cfg, natsbus.Options{Logger: natstest.Logger(t)})
			if !errors.Is(err, natsbus.ErrConfig) {
				t.Errorf("Connect: %v, want ErrConfig", err)
			}
			if nc != nil {
				nc.Close()
			}
		})
	}
}

// connect is natstest.ConnectWith without the demand that it is connected.
func connect(t *testing.T, cfg natsbus.Config, opts natsbus.Options) *nats.Conn {
	t.Helper()
	opts.Name, opts.Logger = t.Name(), natstest.Logger(t)
	nc, err := natsbus.Connect(t.Context(), cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
