package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"signalling/pkg/client"
)

const (
	keepingWelcome = `{"event":"welcome","clientId":"me","protocol":1,"maxMessageBytes":1000,"resume":"t0","resumeWindow":9}`
	laterWelcome   = `{"event":"welcome","clientId":"new","protocol":1,"maxMessageBytes":1000,"resume":"t1","resumeWindow":9}`
)

// lose connects to a server that keeps sessions, lets script play, and returns the client when its connection has ended.
func lose(t *testing.T, script func(*peer), use func(*client.Client)) *client.Client {
	t.Helper()
	c, err := client.Dial(soon(t), url, play(t, func(p *peer) {
		p.send(keepingWelcome)
		script(p)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	use(c)
	<-c.Done()
	return c
}

func signalText(n int) string {
	return fmt.Sprintf(`{"event":"signal-send","room":"r","targetId":"x","data":%d}`, n)
}

func resumedFrame(received, seq int, missed bool) string {
	return fmt.Sprintf(`{"event":"resumed","id":0,"clientId":"me","received":%d,"seq":%d,"missed":%v,"rooms":[],"resume":"t2","resumeWindow":9}`,
		received, seq, missed)
}

// A client that comes back says how much it has got; what the server has not got of its signals is sent again.
func TestResume(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string
		again  []int // signals
	}{
		{"all came", resumedFrame(3, 2, false), nil},
		{"some came", resumedFrame(1, 2, false), []int{2, 3}},
		{"some came, and events were lost", resumedFrame(2, 7, true), []int{3}},
		{"the gateway has died", resumedFrame(0, 2, true), nil},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			was := lose(t, func(p *peer) {
				p.send(frames(2)...)
				for n := range 3 {
					p.expect(signalText(1 + n))
				}
				p.send(`{"event":"going-away","retryAfter":0}`)
				p.close(1001, "going away")
			}, func(c *client.Client) {
				if c.Session() != nil {
					t.Error("a session of a client that lives")
				}
				for n := range 3 {
					want(t, c.Signal(soon(t), "r", "x", 1+n), nil)
				}
			})
			opts := play(t, func(p *peer) {
				p.send(laterWelcome)
				p.expect(`{"event":"resume","id":0,"token":"t0","received":2}`)
				p.send(tt.answer)
				for _, n := range tt.again {
					p.expect(signalText(n))
				}
				p.expect(signalText(9))
				p.send(frames(1)...)
				p.close(1001, "going away")
			})
			opts.Resume = was.Session()
			c, err := client.Dial(soon(t), url, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.ID() != "me" || c.Resumed() == nil || c.Resumed().Resume != "t2" {
				t.Errorf("%q, %+v", c.ID(), c.Resumed())
			}
			want(t, c.Signal(soon(t), "r", "x", 9), nil)
			if diff := cmp.Diff([]string{laterWelcome, tt.answer, frames(1)[0]}, rest(c)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if <-c.Done(); c.Session() == nil {
				t.Errorf("no session after %v", c.Err())
			}
		}))
	}
}

func TestResumeRefused(t *testing.T) {
	bubble(func(t *testing.T) {
		was := lose(t, func(p *peer) { p.close(1001, "going away") }, func(*client.Client) {})
		const refusal = `{"event":"error","id":0,"message":"the session has ended","code":"unauthorized"}`
		opts := play(t, func(p *peer) {
			p.send(laterWelcome)
			p.expect(`{"event":"resume","id":0,"token":"t0","received":0}`)
			p.send(refusal)
			p.expect(signalText(1))
			p.close(1001, "going away")
		})
		opts.Resume = was.Session()
		c, err := client.Dial(soon(t), url, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if c.ID() != "new" || c.Resumed() != nil {
			t.Errorf("%q, %+v", c.ID(), c.Resumed())
		}
		want(t, c.Signal(soon(t), "r", "x", 1), nil)
		if diff := cmp.Diff([]string{laterWelcome, refusal}, rest(c)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})(t)
}

// The answer to a resume is lost, or the server cannot say now: the session is tried again, and is as good as before. The ids
// of commands go on, because answers to earlier ones can still come.
func TestResumeAgain(t *testing.T) {
	for name, first := range map[string]struct {
		script func(*peer)
		err    error
	}{
		"lost": {func(p *peer) { p.cut() }, nil},
		"unavailable": {func(p *peer) {
			p.send(`{"event":"error","id":0,"message":"not now","code":"unavailable"}`)
			p.drain()
		}, &client.Error{Code: client.Unavailable, Message: "not now"}},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			was := lose(t, func(p *peer) {
				p.expect(`{"event":"room-create","id":1,"room":"r"}`)
				p.expect(signalText(1))
				p.close(1001, "going away")
			}, func(c *client.Client) {
				go func() { _ = c.Create(context.Background(), "r") }()
				synctest.Wait()
				want(t, c.Signal(soon(t), "r", "x", 1), nil)
			}).Session()
			const asks = `{"event":"resume","id":0,"token":"t0","received":0}`
			opts := play(t, func(p *peer) {
				p.send(laterWelcome)
				p.expect(asks)
				first.script(p)
			})
			opts.Resume = was
			_, err := client.Dial(soon(t), url, opts)
			refused, isRefusal := errors.AsType[*client.Error](err)
			if err == nil || isRefusal != (first.err != nil) || isRefusal && refused.Code != client.Unavailable {
				t.Fatalf("%v", err)
			}
			opts = play(t, func(p *peer) {
				p.send(laterWelcome)
				p.expect(asks)
				p.send(resumedFrame(0, 0, false), `{"event":"room-created","id":1,"room":"r"}`)
				p.expect(signalText(1))
				p.expect(`{"event":"room-leave","id":2,"room":"r"}`)
				p.send(`{"event":"room-left","id":2,"room":"r","kicked":false}`)
				p.close(1001, "going away")
			})
			opts.Resume = was
			c, err := client.Dial(soon(t), url, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			want(t, c.Leave(soon(t), "r"), nil)
			<-c.Done()
		}))
	}
}

// There is no session where the server keeps none, or after an end for good.
func TestNoSession(t *testing.T) {
	for name, end := range map[string]func(*peer){
		"of a client that was idle": func(p *peer) { p.close(4005, "idle") },
		"that moved":                func(p *peer) { p.close(4010, "session resumed elsewhere") },
		"of a server that lies":     func(p *peer) { p.send("{}"); p.untilClosed(1002) },
	} {
		t.Run(name, bubble(func(t *testing.T) {
			if c := lose(t, end, func(*client.Client) {}); c.Session() != nil {
				t.Errorf("a session after %v", c.Err())
			}
		}))
	}
	t.Run("of a client that closed", bubble(func(t *testing.T) {
		c := lose(t, func(p *peer) { p.untilClosed(1000) }, func(c *client.Client) { _ = c.Close() })
		if c.Session() != nil {
			t.Error("a session")
		}
	}))
	t.Run("that nobody keeps", bubble(func(t *testing.T) {
		c := dial(t, func(p *peer) { p.close(1001, "going away") })
		<-c.Done()
		if c.Session() != nil {
			t.Error("a session")
		}
	}))
}
