package natsbus_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natsembed"
	"signalling/pkg/natsbus/natstest"
)

func TestEmbeddedRequestReply(t *testing.T) {
	srv := natstest.Run(t)
	echo(t, natstest.Connect(t, srv), "echo")
	request(t, natstest.Connect(t, srv), "echo", "hello")
}

func TestEmbeddedRefusesLargeMessages(t *testing.T) {
	srv, err := natsembed.Start(natsembed.Options{MaxPayload: 1024, Logger: natstest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Shutdown)
	nc := natstest.Connect(t, srv)
	if err := nc.Publish("s", make([]byte, 1024)); err != nil {
		t.Errorf("publishing 1024 bytes: %v", err)
	}
	if err := nc.Publish("s", make([]byte, 1025)); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("publishing 1025 bytes: %v, want ErrMaxPayload", err)
	}
}

func TestEmbeddedRefusesNegativePayload(t *testing.T) {
	if _, err := natsembed.Start(natsembed.Options{MaxPayload: -1}); !errors.Is(err, natsbus.ErrConfig) {
		t.Errorf("got %v, want ErrConfig", err)
	}
}

func TestEmbeddedShutdownMakesClientsUnready(t *testing.T) {
	lost := make(chan struct{}, 1)
	srv := natstest.Run(t)
	nc := natstest.ConnectWith(t, natsbus.Config{}, natsbus.Options{
		InProcess:    srv.Provider(),
		OnDisconnect: func() { lost <- struct{}{} },
	})
	srv.Shutdown()
	await(t, lost, "OnDisconnect")
	if err := natsbus.Ready(nc); !errors.Is(err, natsbus.ErrNotConnected) {
		t.Errorf("Ready: %v, want ErrNotConnected", err)
	}
	srv.Shutdown() // a second time does nothing
}

// TestEmbeddedInBubble runs several bubbles one after the other, because the
// danger lies in state of the libraries that one bubble leaves to the next.
func TestEmbeddedInBubble(t *testing.T) {
	for range 3 {
		natstest.Bubble(t, func(t *testing.T) {
			started := time.Now()
			srv := natstest.Run(t)
			server, client := natstest.Connect(t, srv), natstest.Connect(t, srv)
			echo(t, server, "echo")
			// Enough of nats.go's pooled timers to meet one of an earlier bubble.
			for range 20 {
				if _, err := client.Request("echo", nil, time.Second); err != nil {
					t.Fatal(err)
				}
			}
			if d := time.Since(started); d != 0 {
				t.Errorf("%v passed in the bubble, want none", d)
			}

			// Long enough for both sides' pings, which must not end it.
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			request(t, client, "echo", "still there")

			// A request nobody answers ends with its time, to the nanosecond.
			silent, err := server.SubscribeSync("silent")
			if err != nil {
				t.Fatal(err)
			}
			flush(t, server)
			before := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if _, err := client.RequestWithContext(ctx, "silent", nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("request to a silent responder: %v, want DeadlineExceeded", err)
			}
			if d := time.Since(before); d != 3*time.Second {
				t.Errorf("the request took %v, want 3s", d)
			}
			if n, _, err := silent.Pending(); err != nil || n != 1 {
				t.Errorf("the silent responder has %d messages (%v), want 1", n, err)
			}
		})
	}
}

// TestReconnectInBubble loses the server inside a bubble.
func TestReconnectInBubble(t *testing.T) {
	for range 3 {
		natstest.Bubble(t, func(t *testing.T) {
			p := &provider{srv: natstest.Run(t)}
			var reconnected int
			nc := natstest.ConnectWith(t, natsbus.Config{}, natsbus.Options{
				InProcess:   p,
				OnReconnect: func() { reconnected++ },
			})
			echo(t, nc, "echo")

			p.srv.Shutdown()
			synctest.Wait()
			if err := natsbus.Ready(nc); !errors.Is(err, natsbus.ErrNotConnected) {
				t.Fatalf("Ready after the server ended: %v", err)
			}
			time.Sleep(time.Hour) // an outage of any length is survived
			p.set(natstest.Run(t))
			time.Sleep(natsbus.MaxReconnectWait)
			synctest.Wait()
			if err := natsbus.Ready(nc); err != nil {
				t.Fatalf("Ready %v after the server came back: %v", natsbus.MaxReconnectWait, err)
			}
			if reconnected != 1 {
				t.Errorf("OnReconnect was called %d times, want once", reconnected)
			}
			request(t, nc, "echo", "the subscription is in force again")
		})
	}
}
