package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalling/pkg/client"
)

func TestDialWaitsForTheWelcome(t *testing.T) {
	bubble(func(t *testing.T) {
		start := time.Now()
		opts := play(t, func(p *peer) {
			if got := p.request.Header.Get("Authorization"); got != "Bearer x" {
				t.Errorf("Authorization %q", got)
			}
			if got := p.ws.Subprotocol(); got != "signalling.v1" {
				t.Errorf("subprotocol %q", got)
			}
			time.Sleep(time.Second)
			p.send(welcome)
			p.drain()
		})
		opts.Token = "x"
		c, err := client.Dial(soon(t), url, opts)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("Dial took %v", took)
		}
		if c.ID() != "me" || c.MaxMessageBytes() != 1000 || c.Err() != nil {
			t.Errorf("id %q, limit %d, error %v", c.ID(), c.MaxMessageBytes(), c.Err())
		}
		_ = c.Close()
		if diff := cmp.Diff([]string{welcome}, rest(c)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})(t)
}

func TestTheOwnDisplayIdentity(t *testing.T) {
	bubble(func(t *testing.T) {
		opts := play(t, func(p *peer) {
			p.send(`{"event":"welcome","clientId":"me","protocol":1,"maxMessageBytes":1000,"display":"Me"}`)
			p.drain()
		})
		c, err := client.Dial(soon(t), url, opts)
		if err != nil {
			t.Fatal(err)
		}
		if c.Display() != "Me" {
			t.Errorf("display identity %q", c.Display())
		}
		_ = c.Close()
	})(t)
}

func TestDialFails(t *testing.T) {
	silent := func(p *peer) { p.drain() }
	for _, tt := range []struct {
		name   string
		script func(*peer)
		ctx    time.Duration
		after  time.Duration
		check  func(*testing.T, error)
	}{
		{"when there is no welcome in time", silent, time.Hour, 10 * time.Second, is(context.DeadlineExceeded)},
		{"when its context ends", silent, 2 * time.Second, 2 * time.Second, is(context.DeadlineExceeded)},
		{
			"when another event comes first", func(p *peer) { p.send(frames(1)...); p.drain() }, time.Hour, 0,
			is(client.ErrProtocol),
		},
		{
			"when the server closes instead", func(p *peer) { p.close(1001, "going away") }, time.Hour, 0,
			closedWith(client.CloseError{Code: client.CloseGoingAway, Reason: "going away"}),
		},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			start := time.Now()
			ctx, cancel := context.WithTimeout(soon(t), tt.ctx)
			defer cancel()
			c, err := client.Dial(ctx, url, play(t, tt.script))
			if c != nil {
				t.Error("a client was returned")
			}
			tt.check(t, err)
			if took := time.Since(start); took != tt.after {
				t.Errorf("it took %v, want %v", took, tt.after)
			}
		}))
	}
}

func is(target error) func(*testing.T, error) {
	return func(t *testing.T, err error) { want(t, err, target) }
}

func closedWith(want client.CloseError) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		var got *client.CloseError
		if !errors.As(err, &got) || got.Code != want.Code || got.Reason != want.Reason {
			t.Errorf("error %v, want %v", err, &want)
		}
	}
}

func TestDialTellsHowTheServerRefused(t *testing.T) {
	bubble(func(t *testing.T) {
		opts := listen(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "full", http.StatusServiceUnavailable)
		})
		_, err := client.Dial(soon(t), url, opts)
		var got *client.HandshakeError
		if !errors.As(err, &got) || got.Status != 503 || got.RetryAfter != "7" {
			t.Errorf("error %v", err)
		}
	})(t)
}

func TestDialTellsWhenNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = client.Dial(soon(t), "ws://"+l.Addr().String()+"/ws", nil)
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("error %v, want that of the network", err)
	}
}
