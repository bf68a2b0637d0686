package socketio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// openData is the handshake's JSON.
type openData struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int64    `json:"pingInterval"`
	PingTimeout  int64    `json:"pingTimeout"`
	MaxPayload   int64    `json:"maxPayload"`
}

func openOf(t testing.TB, packet string) openData {
	t.Helper()
	data, ok := strings.CutPrefix(packet, "0")
	var o openData
	decoder := json.NewDecoder(strings.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); !ok || err != nil {
		t.Fatalf("open packet %q: %v", packet, err)
	}
	return o
}

// socket is a WebSocket client, read by a goroutine.
type socket struct {
	t      testing.TB
	ws     *websocket.Conn
	open   openData
	frames chan string // texts; binary frames behind "bin:"; closed at the end
	err    error       // why it ended, once frames is closed
}

// dial opens a WebSocket, and is prepared to be refused with the status it returns.
func (r *rig) dial(query string) (*socket, int) {
	r.t.Helper()
	header := http.Header{"Origin": {origin}}
	ws, resp, err := r.dialer.Dial("ws"+strings.TrimPrefix(origin, "http")+"/socket.io/?"+query, header)
	if err != nil {
		if resp == nil {
			r.t.Fatalf("dial %s: %v", query, err)
		}
		_ = resp.Body.Close()
		return nil, resp.StatusCode
	}
	s := &socket{t: r.t, ws: ws, frames: make(chan string, 10000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.read()
	}()
	r.t.Cleanup(func() {
		_ = ws.Close()
		<-ended
	})
	return s, 101
}

func (s *socket) read() {
	defer close(s.frames)
	for {
		op, b, err := s.ws.ReadMessage()
		if err != nil {
			s.err = err
			return
		}
		if op == websocket.BinaryMessage {
			b = append([]byte("bin:"), b...)
		}
		s.frames <- string(b)
	}
}

// websocket opens a session on a WebSocket.
func (r *rig) websocket(eio int) *socket {
	r.t.Helper()
	s, status := r.dial(fmt.Sprintf("EIO=%d&transport=websocket", eio))
	if s == nil {
		r.t.Fatalf("websocket refused: %d", status)
	}
	s.open = openOf(r.t, s.next())
	return s
}

// joinedWebSocket opens a session on a WebSocket and joins the namespace.
func (r *rig) joinedWebSocket(eio int) *socket {
	r.t.Helper()
	s := r.websocket(eio)
	if eio == eio4 {
		s.send("40")
	}
	if got := s.next(); !strings.HasPrefix(got, "40") {
		r.t.Fatalf("not connected: %q", got)
	}
	return s
}

// upgrade opens a WebSocket on a polling session.
func (p *poller) upgrade() *socket {
	p.t.Helper()
	s, status := p.dial(fmt.Sprintf("EIO=%d&transport=websocket&sid=%s", p.eio, url.QueryEscape(p.sid)))
	if s == nil {
		p.t.Fatalf("upgrade refused: %d", status)
	}
	return s
}

func (s *socket) send(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if err := s.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			s.t.Fatalf("send %.80q: %v", text, err)
		}
	}
}

func (s *socket) sendBinary(b []byte) {
	s.t.Helper()
	if err := s.ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
		s.t.Fatalf("send binary: %v", err)
	}
}

func (s *socket) next() string {
	s.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case f, ok := <-s.frames:
		if !ok {
			s.t.Fatalf("the connection has ended: %v", s.err)
		}
		return f
	case <-timer.C:
		s.t.Fatal("no frame")
		return ""
	}
}

func (s *socket) want(frames ...string) {
	s.t.Helper()
	for _, want := range frames {
		if got := s.next(); got != want {
			s.t.Fatalf("got %.200q, want %.200q", got, want)
		}
	}
}

// ended waits for the end and checks the close code.
func (s *socket) ended(code int) {
	s.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case f, ok := <-s.frames:
			if ok {
				s.t.Errorf("frame %.80q before the end", f)
				continue
			}
			if !websocket.IsCloseError(s.err, code) {
				s.t.Errorf("ended by %v, want code %d", s.err, code)
			}
			return
		case <-timer.C:
			s.t.Fatalf("still open, want code %d", code)
		}
	}
}

// echo checks that events go both ways.
func (s *socket) echo(text string) {
	s.t.Helper()
	s.send(`42["echo","` + text + `"]`)
	s.want(`42["echo","` + text + `"]`)
}
