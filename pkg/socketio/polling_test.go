package socketio

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// GET waits and takes all that is queued, POST answers "ok" after its packets are handled in order.
func TestPolling(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		s := r.connected()
		waiting := p.waiting()
		synctest.Wait()
		none(t, "answer", waiting)
		if err := s.Send(NewEvent([]byte(`["hello","日"]`))); err != nil {
			t.Fatal(err)
		}
		a := next(t, "answer", waiting)
		if a.status != 200 || a.body != `42["hello","日"]` || a.header.Get("Content-Type") != "text/plain; charset=UTF-8" ||
			a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %q %v", a.status, a.body, a.header)
		}
		a = p.do("POST", p.query(), p.encode(`42["a","👩"]`+"\x1e"+`427["b"]`+"\x1e"+`42["c"]`))
		if a.status != 200 || a.body != "ok" || a.header.Get("Content-Type") != "text/html" {
			t.Errorf("POST: %d %q %v", a.status, a.body, a.header)
		}
		for _, want := range []string{`["a","👩"]`, `["b"]`, `["c"]`} {
			if e := next(t, "event", r.h.events); e.payload != want {
				t.Errorf("event %s, want %s", e.payload, want)
			}
		}
		if got := p.get(200); got != `42["a","👩"]`+"\x1e"+`437["b"]`+"\x1e"+`42["c"]` {
			t.Errorf("all in one answer: %q", got)
		}
		if s.Transport() != "polling" || s.EIO() != eio || s.Protocol() != eio+1 {
			t.Errorf("%s, EIO %d, protocol %d", s.Transport(), s.EIO(), s.Protocol())
		}
	})
}

// The answer to a GET counts as the end of it: a client may poll again before the server's handler has returned.
func TestPollsFollowEachOtherAtOnce(t *testing.T) {
	r := newTCPRig(t, Config{Polling: true})
	p := r.joined(eio4)
	s := r.connected()
	const n = 2000
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := s.Send(NewEvent(fmt.Appendf(nil, `["n",%d]`, i))); err != nil {
				sent <- err
				return
			}
			if i%3 == 0 {
				time.Sleep(50 * time.Microsecond) // so that some answers hold one packet and some hold several
			}
		}
		sent <- nil
	}()
	for i := 0; i < n; {
		for one := range strings.SplitSeq(p.get(200), "\x1e") {
			if want := fmt.Sprintf(`42["n",%d]`, i); one != want {
				t.Fatalf("got %q, want %q", one, want)
			}
			i++
		}
	}
	if err := next(t, "end of sending", sent); err != nil {
		t.Fatal(err)
	}
}

// engine.io-protocol v4, "Receiving data" and "Sending data": a second request of a kind ends the
// session. The first GET gets the close packet.
func TestSecondGETEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		waiting := p.waiting()
		synctest.Wait()
		wantRefusal(t, p.do("GET", p.query()+"&t=burst", ""), 400, 3)
		if a := next(t, "answer", waiting); a.status != 200 || a.body != "1" {
			t.Errorf("first GET: %d %q", a.status, a.body)
		}
		r.disconnected(ReasonTransportError)
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
	})
}

func TestSecondPOSTEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		body, feed := io.Pipe()
		first := make(chan int, 1)
		go func() {
			req, _ := http.NewRequest("POST", origin+"/socket.io/?"+p.query(), body)
			resp, err := r.client.Do(req)
			if err != nil {
				first <- 0
				return
			}
			_ = resp.Body.Close()
			first <- resp.StatusCode
		}()
		_, _ = io.WriteString(feed, p.encode(`42["first"]`))
		synctest.Wait()
		p.post(`42["second"]`, 400)
		r.disconnected(ReasonTransportError)
		_ = feed.Close()
		if status := next(t, "answer to the first POST", first); status != 400 {
			t.Errorf("first POST: %d", status)
		}
		none(t, "event", r.h.events)
	})
}

// A GET that loses its connection while it waits means that the client is gone.
func TestLostGETEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := p.try(ctx, "GET", p.query(), "")
			done <- err
		}()
		synctest.Wait()
		started := time.Now()
		cancel()
		if err := next(t, "end of the GET", done); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		r.disconnected(ReasonTransportError)
		if d := time.Since(started); d != 0 {
			t.Errorf("noticed after %v", d)
		}
	})
}

// A POST whose connection is lost half way ends the session too: nobody knows what was in it.
func TestLostPOSTEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		ctx, cancel := context.WithCancel(t.Context())
		body, feed := io.Pipe()
		done := make(chan error, 1)
		go func() {
			req, _ := http.NewRequestWithContext(ctx, "POST", origin+"/socket.io/?"+p.query(), body)
			resp, err := r.client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			done <- err
		}()
		_, _ = io.WriteString(feed, "42")
		synctest.Wait()
		cancel()
		_ = feed.CloseWithError(context.Canceled)
		_ = next(t, "end of the POST", done)
		r.disconnected(ReasonTransportError)
	})
}

// A body that does not come is not waited for beyond ReadTimeout.
func TestSlowPOSTEndsTheSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true, ReadTimeout: 3 * time.Second})
		p := r.joined(eio4)
		body, feed := io.Pipe()
		status := make(chan int, 1)
		started := time.Now()
		go func() {
			req, _ := http.NewRequest("POST", origin+"/socket.io/?"+p.query(), body)
			resp, err := r.client.Do(req)
			if err != nil {
				status <- 0
				return
			}
			_ = resp.Body.Close()
			status <- resp.StatusCode
		}()
		_, _ = io.WriteString(feed, "42")
		r.disconnected(ReasonTransportError)
		if d := time.Since(started); d != 3*time.Second {
			t.Errorf("after %v", d)
		}
		if got := next(t, "answer", status); got != 408 {
			t.Errorf("status %d", got)
		}
		_ = feed.Close()
	})
}

// Packet 1 by POST; the waiting GET gets packet 6.
func TestClosePacketByPOST(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		waiting := p.waiting()
		synctest.Wait()
		p.post("1", 200)
		if a := next(t, "answer", waiting); a.status != 200 || a.body != "6" {
			t.Errorf("waiting GET: %d %q", a.status, a.body)
		}
		r.disconnected(ReasonTransportClose)
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
		wantRefusal(t, p.do("POST", p.query(), "2"), 400, 1)
	})
}

// The closing POST may overtake the GET, which goes another way.
func TestClosePacketOvertakesTheGET(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p, forgotten := r.joined(eio), r.joined(eio)
		p.post("1", 200)
		r.disconnected(ReasonTransportClose)
		if got := p.get(200); got != "6" {
			t.Errorf("GET: %q", got)
		}
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
		forgotten.post("1", 200)
		time.Sleep(overtakenGET)
		synctest.Wait()
		wantRefusal(t, forgotten.do("GET", forgotten.query(), ""), 400, 1)
		if n := r.srv.Len(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// What comes behind the close packet does not count.
func TestNothingFollowsTheClosePacket(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio4)
		p.post(`42["a"]`+"\x1e1\x1e"+`42["b"]`, 200)
		r.disconnected(ReasonTransportClose)
		if e := next(t, "event", r.h.events); e.payload != `["a"]` {
			t.Errorf("event %s", e.payload)
		}
		none(t, "event", r.h.events)
	})
}

// Too large is 413 and the end of that session, and of no other.
func TestTooLargePOST(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true, ReadLimit: 1000})
		p, other := r.joined(eio), r.joined(eio)
		event := `42["` + strings.Repeat("x", 1000-8) + `"]`
		if eio == eio3 {
			event = `42["` + strings.Repeat("x", 1000-8-len("1000:")) + `"]`
			event = event[:len(event)-2] + `"]`
		}
		p.post(event, 200)
		next(t, "event", r.h.events)
		p.post(event+strings.Repeat("x", 10), 413)
		r.disconnected(ReasonTooLarge)
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
		other.echo("still here")
		// The same when the length is not announced.
		req, _ := http.NewRequest("POST", origin+"/socket.io/?"+other.query(), io.MultiReader(strings.NewReader(event+event)))
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("chunked: %d", resp.StatusCode)
		}
		r.disconnected(ReasonTooLarge)
	})
}

// Attachments in polling, in every form that each version has.
func TestAttachmentsByPolling(t *testing.T) {
	const header = `451-["file",{"_placeholder":true,"num":0}]`
	data := []byte{0, 1, 0xff, 0x1e}
	coded := base64.StdEncoding.EncodeToString(data)
	t.Run("EIO=4", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, Config{Polling: true})
			p := r.joined(eio4)
			p.post(header+"\x1eb"+coded, 200)
			wantAttachment(t, r, data)
			if got := p.get(200); got != header+"\x1eb"+coded {
				t.Errorf("answer %q", got)
			}
			wantRefusal(t, p.do("POST", p.query(), "42", "Content-Type", "application/octet-stream"), 400, 3)
			r.disconnected(ReasonParseError)
		})
	})
	t.Run("EIO=3 in base64", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, Config{Polling: true})
			p := r.joined(eio3)
			p.post(header+"\x1eb4"+coded, 200)
			wantAttachment(t, r, data)
			a := p.do("GET", p.query(), "")
			if want := p.encode(header + "\x1eb4" + coded); a.body != want || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
				t.Errorf("answer %q %v, want %q", a.body, a.header, want)
			}
		})
	})
	t.Run("EIO=3 as binary", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, Config{Polling: true})
			p := r.joined(eio3)
			payload := encodeBinaryV3([]*Packet{NewEvent([]byte(header[4:]), data)})
			query := strings.Replace(p.query(), "&b64=1", "", 1)
			a := p.do("POST", query, string(payload), "Content-Type", "application/octet-stream")
			if a.status != 200 || a.body != "ok" {
				t.Fatalf("POST: %d %q", a.status, a.body)
			}
			wantAttachment(t, r, data)
			a = p.do("GET", query, "")
			if !bytes.Equal([]byte(a.body), payload) || a.header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("answer %q %v, want %q", a.body, a.header, payload)
			}
			// Without anything binary the text form is used.
			p.post(`42["a"]`, 200)
			if a = p.do("GET", query, ""); a.body != `7:42["a"]` || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
				t.Errorf("answer %q %v", a.body, a.header)
			}
		})
	})
}

func wantAttachment(t testing.TB, r *rig, data []byte) {
	t.Helper()
	e := next(t, "event", r.h.events)
	if e.payload != `["file",{"_placeholder":true,"num":0}]` || len(e.attachments) != 1 || !bytes.Equal(e.attachments[0], data) {
		t.Errorf("event %s, attachments %x", e.payload, e.attachments)
	}
}

// A queue is bounded in packets and in bytes; at the bound the packet is refused and the session goes on.
func TestPollingQueueIsBounded(t *testing.T) {
	long := `["` + strings.Repeat("a", 200) + `"]`
	for name, c := range map[string]Config{
		"packets": {Polling: true, QueueFrames: 3},
		"bytes":   {Polling: true, QueueBytes: 3 * NewEvent([]byte(long)).size()},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, c)
				p := r.joined(eio4)
				s := r.connected()
				event := NewEvent([]byte(long))
				for range 3 {
					if err := s.Send(event); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Send(event); !errors.Is(err, ErrQueueFull) {
					t.Errorf("beyond the bound: %v", err)
				}
				if got, want := p.get(200), strings.Repeat("\x1e42"+long, 3)[1:]; got != want {
					t.Errorf("%q, want %q", got, want)
				}
				if err := s.Send(event); err != nil {
					t.Errorf("with room again: %v", err)
				}
				p.get(200)
			})
		})
	}
}

// A client that makes the server answer, but does not fetch the answers, cannot fill its memory.
func TestAnswersAreBoundedToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true, QueueFrames: 10})
		p := r.joined(eio3)
		p.post(strings.TrimSuffix(strings.Repeat("2\x1e", 11), "\x1e"), 200)
		r.disconnected(ReasonQueueFull)
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
	})
}

// A GET that cannot be written to ends the session when the write's time is over.
func TestStuckGETEndsTheSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true, WriteTimeout: 3 * time.Second})
		p := r.joined(eio4)
		s := r.connected()
		conn, err := r.dialer.NetDialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "GET /socket.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n", p.query())
		synctest.Wait()
		started := time.Now()
		if err := s.Send(NewEvent([]byte(`["a"]`))); err != nil {
			t.Fatal(err)
		}
		r.disconnected(ReasonTransportError)
		if d := time.Since(started); d != 3*time.Second {
			t.Errorf("after %v", d)
		}
	})
}
