package client_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"signalling/pkg/client"
)

func TestTheServersCloseSaysWhetherToComeBack(t *testing.T) {
	for _, tt := range []struct {
		code      client.CloseCode
		reconnect bool
	}{
		{client.CloseGoingAway, true},
		{client.CloseTooBig, false},
		{client.CloseInternal, true},
		{client.CloseSlowConsumer, true},
		{client.CloseHeartbeat, true},
		{4999, true},
	} {
		bubble(func(t *testing.T) {
			c := dial(t, func(p *peer) {
				p.expect(`{"event":"room-join","id":1,"room":"r"}`)
				p.close(int(tt.code), "because")
			})
			_, err := c.Join(soon(t), "r") // waits for an answer that does not come
			closedWith(client.CloseError{Code: tt.code, Reason: "because"})(t, err)
			<-c.Done()
			want(t, c.Err(), err)
			var end *client.CloseError
			if !errors.As(err, &end) || end.Reconnect() != tt.reconnect {
				t.Errorf("%d: reconnect %v", tt.code, !tt.reconnect)
			}
			want(t, c.Signal(soon(t), "r", "x", nil), err)
			_ = c.Close()
			want(t, c.Err(), err) // the first reason stays
		})(t)
	}
}

func TestALostConnectionIsAnAbnormalClose(t *testing.T) {
	bubble(func(t *testing.T) {
		c := dial(t, func(p *peer) { _ = p.ws.NetConn().Close() })
		<-c.Done()
		closedWith(client.CloseError{Code: client.CloseAbnormal})(t, c.Err())
		var end *client.CloseError
		if !errors.As(c.Err(), &end) || !end.Reconnect() || end.Err == nil {
			t.Errorf("error %+v", c.Err())
		}
	})(t)
}

func TestWhatIsNoProtocolEndsTheClient(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind int
		data string
	}{
		{"not JSON", websocket.TextMessage, `{"event":`},
		{"a field missing", websocket.TextMessage, `{"event":"client-joined","room":"r"}`},
		{"a binary message", websocket.BinaryMessage, `{"event":"not-in-room","room":"r"}`},
		{"an answer to nothing", websocket.TextMessage, `{"event":"room-created","id":"x","room":"r"}`},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			c := dial(t, func(p *peer) {
				_ = p.ws.WriteMessage(tt.kind, []byte(tt.data))
				p.untilClosed(1002)
			})
			<-c.Done()
			want(t, c.Err(), client.ErrProtocol)
		}))
	}
}

func TestCloseSendsWhatIsQueuedAndSaysGoodBye(t *testing.T) {
	bubble(func(t *testing.T) {
		read := make(chan struct{})
		c := dial(t, func(p *peer) {
			<-read
			for range 3 {
				p.expect(`{"event":"signal-send","room":"r","targetId":"you","data":null}`)
			}
			p.untilClosed(1000)
		})
		for range 3 {
			if err := c.Signal(soon(t), "r", "you", nil); err != nil {
				t.Error(err)
			}
		}
		time.AfterFunc(time.Second, func() { close(read) })
		_ = c.Close()
		_ = c.Close()
		<-c.Done()
		want(t, c.Err(), client.ErrClosed)
		want(t, c.Create(soon(t), "r"), client.ErrClosed)
	})(t)
}

func TestCloseDoesNotWaitForeverForTheServer(t *testing.T) {
	for name, script := range map[string]func(p *peer, end <-chan struct{}){
		"that does not read":         func(_ *peer, end <-chan struct{}) { <-end },
		"that does not answer close": func(p *peer, end <-chan struct{}) { _, _, _ = p.ws.NextReader(); <-end },
	} {
		t.Run(name, bubble(func(t *testing.T) {
			end := make(chan struct{})
			defer close(end)
			c := dial(t, func(p *peer) {
				p.ws.SetCloseHandler(func(int, string) error { return nil })
				script(p, end)
			})
			waiting := make(chan error)
			go func() { waiting <- c.Create(soon(t), "r") }()
			synctest.Wait()
			start := time.Now()
			go c.Close()
			want(t, <-waiting, client.ErrClosed) // at once
			_ = c.Close()
			if took := time.Since(start); took != 3*time.Second {
				t.Errorf("Close took %v", took)
			}
		}))
	}
}

func TestASilentServerIsLeft(t *testing.T) {
	bubble(func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		c := dial(t, func(p *peer) {
			p.ws.SetPingHandler(func(string) error { return nil })
			p.drain()
			<-end
		})
		start := time.Now()
		<-c.Done()
		if took := time.Since(start); took != 40*time.Second {
			t.Errorf("it took %v", took)
		}
		closedWith(client.CloseError{Code: client.CloseAbnormal})(t, c.Err())
	})(t)
}

func TestPongsKeepAQuietConnection(t *testing.T) {
	bubble(func(t *testing.T) {
		c := dial(t, func(p *peer) { p.drain() }) // gorilla answers pings
		time.Sleep(time.Hour)
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	})(t)
}

func TestPingsOfTheServerAreAnswered(t *testing.T) {
	bubble(func(t *testing.T) {
		pong := make(chan string, 1)
		dial(t, func(p *peer) {
			p.ws.SetPongHandler(func(data string) error {
				pong <- data
				return nil
			})
			_ = p.ws.WriteControl(websocket.PingMessage, []byte("now"), time.Now().Add(time.Second))
			p.drain()
		})
		if got := <-pong; got != "now" {
			t.Errorf("pong %q", got)
		}
	})(t)
}

func TestAServerThatTakesNothing(t *testing.T) {
	bubble(func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		c := dial(t, func(*peer) { <-end })
		// The pipe has no buffer: one command is with the network, sendQueue more may wait.
		for range 17 {
			if err := c.Signal(soon(t), "r", "you", nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(soon(t), time.Second)
		defer cancel()
		want(t, c.Signal(ctx, "r", "you", nil), context.DeadlineExceeded)
		start := time.Now()
		err := c.Signal(soon(t), "r", "you", nil)
		closedWith(client.CloseError{Code: client.CloseAbnormal})(t, err)
		if took := time.Since(start); took != 12*time.Second {
			t.Errorf("it ended after %v, want the rest of WriteTimeout and CloseTimeout", took)
		}
	})(t)
}
