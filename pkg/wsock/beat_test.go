package wsock

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
)

// beating is a Sink whose heartbeat is a message.
type beating struct {
	*echoing
	beats chan string
}

func (b *beating) Beat(msg []byte) bool {
	defer b.alone()()
	if string(msg) != "beat" {
		return false
	}
	b.beats <- string(msg)
	return true
}

// Heartbeats are dealt with wherever they come: alone, together, in pieces, with messages.
func TestHeartbeatsThatAreMessages(t *testing.T) {
	u := NewUpgrader(Options{})
	sinks := make(chan *beating, 1)
	var wg sync.WaitGroup
	wg.Add(1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		b := &beating{&echoing{c: c, t: t, wg: &wg, pongs: make(chan string, 1), ended: make(chan error, 1)}, make(chan string, 1)}
		c.Serve(b)
		sinks <- b
	}))
	t.Cleanup(srv.Close)
	ws := dialURL(t, srv.URL)
	b := <-sinks
	beat, message := masked(0x81, []byte("beat")), masked(0x81, []byte("message"))
	for range 5 {
		for _, pieces := range [][][]byte{{message}, {message[:3], message[3:]}, {message, message}} {
			for _, piece := range pieces {
				if _, err := ws.NetConn().Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			wantEcho(t, ws, []byte("message"))
			if bytes.Equal(pieces[0], pieces[len(pieces)-1]) && len(pieces) > 1 {
				wantEcho(t, ws, []byte("message"))
			}
		}
		if parks { // else it is a message like others
			if lively.check(); !parkedSoon(b.c) {
				t.Fatal("not parked")
			}
			if _, err := ws.NetConn().Write(beat); err != nil {
				t.Fatal(err)
			}
			<-b.beats
			if !b.c.Heard() {
				t.Error("not heard")
			}
			if !parkedSoon(b.c) || b.c.message != nil {
				t.Error("not parked, or with a buffer")
			}
		}
	}
	_ = ws.Close()
	if err := <-b.ended; err == nil {
		t.Error("ended without an error")
	}
	wg.Wait()
}

// The watcher's loop takes answers to heartbeats alone: what else a client says may keep a Sink busy.
func TestWhatTheLoopTakes(t *testing.T) {
	for name, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"a pong":                {masked(0x8a, nil), true},
		"a pong with a payload": {masked(0x8a, []byte("x")), false},
		"a ping":                {masked(0x89, nil), false},
		"a close":               {masked(0x88, nil), false},
		"a short text":          {masked(0x81, []byte("3")), true},
		"a long text":           {masked(0x81, make([]byte, 126)), false},
		"bytes":                 {masked(0x82, []byte("3")), false},
		"a part of a text":      {masked(0x01, []byte("3")), false},
		"two frames":            {append(masked(0x81, []byte("3")), masked(0x8a, nil)...), false},
		"half a frame":          {masked(0x81, []byte("3"))[:5], false},
		"not masked":            {[]byte{0x81, 4, 0, 0, 0, 0}, false},
	} {
		if got := mayBeat(c.frame); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What comes while a heartbeat is read, or right behind it, is found, and so is the end.
func TestWhatComesBehindAHeartbeat(t *testing.T) {
	s := newServing(t, Options{}, nil)
	beat, message := masked(0x8a, nil), masked(0x81, []byte("message"))
	var clients sync.WaitGroup
	for range 8 {
		ws, e := s.dial(t)
		clients.Go(func() {
			for i := range 300 {
				if i%10 == 0 {
					parkedSoon(e.c)
				}
				for _, frame := range [][]byte{beat, beat, message} {
					if _, err := ws.NetConn().Write(frame); err != nil {
						t.Error(err)
						return
					}
					for range i % 7 {
						runtime.Gosched()
					}
				}
				if _, got, err := ws.ReadMessage(); err != nil || string(got) != "message" {
					t.Errorf("round %d: %q, %v", i, got, err)
					return
				}
				<-e.pongs
				<-e.pongs
			}
			parkedSoon(e.c)
			_, _ = ws.NetConn().Write(beat)
			_ = ws.NetConn().(*net.TCPConn).CloseWrite()
			if err := <-e.ended; err == nil {
				t.Error("ended without an error")
			}
		})
	}
	clients.Wait()
}
