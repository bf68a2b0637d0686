package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// rig is a server with a recording echo handler, in memory (for synctest bubbles) or on TCP, and clients for it.
type rig struct {
	t      testing.TB
	srv    *Server
	h      *recorder
	client *http.Client
	dialer websocket.Dialer
}

// pipeListener is a net.Listener in memory.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// origin is the URL of every rig; connections go to the rig's listener whatever it says.
const origin = "http://signalling.test"

func newRig(t testing.TB, c Config) *rig {
	l := newPipeListener()
	return startRig(t, c, l, l.dial)
}

func newTCPRig(t testing.TB, c Config) *rig {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startRig(t, c, l, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	})
}

func startRig(t testing.TB, c Config, l net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *rig {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &rig{t: t, h: newRecorder()}
	r.srv = NewServer(c, r.h)
	transport := &http.Transport{DialContext: dial}
	r.client = &http.Client{Transport: transport}
	r.dialer = websocket.Dialer{NetDialContext: dial}
	var serving sync.WaitGroup // net/http lingers after it has refused a body
	server := &http.Server{
		Handler:  r.srv,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				serving.Add(1)
			case http.StateClosed, http.StateHijacked:
				serving.Done()
			}
		},
	}
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := r.srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := r.srv.Len(); n != 0 {
			t.Errorf("%d sessions are left after the shutdown", n)
		}
		if n := r.srv.polling.Load(); n != 0 {
			t.Errorf("%d polling sessions are left after the shutdown", n)
		}
		transport.CloseIdleConnections()
		_ = server.Close()
		serving.Wait()
		r.h.check(t)
	})
	return r
}

// recorder is a handler that notes its calls. It echoes: an event comes back as it is, or as the acknowledgement when one
// is wanted.
type recorder struct {
	connects    chan *Session
	events      chan event
	disconnects chan gone1
	idles       atomic.Int64

	// admit decides in Connect; onEvent replaces the echo. Both are set before clients connect.
	admit   func(s *Session, auth json.RawMessage, r *http.Request) error
	onEvent func(s *Session, ack AckID, payload []byte, attachments [][]byte) error

	mu     sync.Mutex // guards state
	state  map[*Session]int
	inside map[*Session]bool
	faults []string
}

type event struct {
	session     *Session
	ack         AckID
	payload     string
	attachments [][]byte
}

type gone1 struct {
	session *Session
	reason  Reason
}

func newRecorder() *recorder {
	return &recorder{
		connects:    make(chan *Session, 10000),
		events:      make(chan event, 100000),
		disconnects: make(chan gone1, 10000),
		state:       make(map[*Session]int),
		inside:      make(map[*Session]bool),
	}
}

// enter checks that the handler is called by one goroutine at a time for each session, and in the order of a life.
func (h *recorder) enter(s *Session, call string, from, to int) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inside[s] {
		h.faults = append(h.faults, call+" while another call runs")
	}
	if h.state[s] != from {
		h.faults = append(h.faults, fmt.Sprintf("%s in state %d", call, h.state[s]))
	}
	h.inside[s] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.inside[s] = false
		h.state[s] = to
	}
}

// check reports faults, and sessions that were connected but never disconnected.
func (h *recorder) check(t testing.TB) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, fault := range h.faults {
		t.Error(fault)
	}
	for _, state := range h.state {
		if state == 1 {
			t.Error("a session was connected and never disconnected")
		}
	}
}

func (h *recorder) Connect(s *Session, auth json.RawMessage, r *http.Request) error {
	to := 1
	leave := h.enter(s, "Connect", 0, 1)
	defer func() {
		leave()
		if to == 0 {
			h.mu.Lock()
			delete(h.state, s)
			h.mu.Unlock()
		}
	}()
	if h.admit != nil {
		if err := h.admit(s, auth, r); err != nil {
			to = 0
			return err
		}
	}
	h.connects <- s
	return nil
}

func (h *recorder) Event(s *Session, ack AckID, payload []byte, attachments [][]byte) error {
	defer h.enter(s, "Event", 1, 1)()
	h.events <- event{s, ack, string(payload), attachments}
	if h.onEvent != nil {
		return h.onEvent(s, ack, payload, attachments)
	}
	if !json.Valid(payload) {
		return errors.New("not JSON")
	}
	if ack.Wanted() {
		_ = s.Ack(ack, payload, attachments...)
	} else {
		_ = s.Send(NewEvent(payload, attachments...))
	}
	return nil
}

// Idle counts. Being there, it makes every test check that it is called like the others.
func (h *recorder) Idle(s *Session) {
	defer h.enter(s, "Idle", 1, 1)()
	h.idles.Add(1)
}

func (h *recorder) Disconnect(s *Session, reason Reason) {
	defer h.enter(s, "Disconnect", 1, 2)()
	h.disconnects <- gone1{s, reason}
}

// patience is how long anything that must happen may take. In a bubble it costs nothing.
const patience = 20 * time.Second

// next takes the next value of a channel of the recorder.
func next[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// none checks that a channel of the recorder is empty.
func none[T any](t testing.TB, what string, c <-chan T) {
	t.Helper()
	select {
	case v := <-c:
		t.Errorf("unexpected %s: %v", what, v)
	default:
	}
}

func (r *rig) connected() *Session {
	r.t.Helper()
	return next(r.t, "Connect", r.h.connects)
}

func (r *rig) disconnected(want Reason) {
	r.t.Helper()
	if got := next(r.t, "Disconnect", r.h.disconnects); got.reason != want {
		r.t.Errorf("disconnected with %q, want %q", got.reason, want)
	}
}

var bothVersions = []int{eio4, eio3}

// each runs a test in a bubble for both versions.
func each(t *testing.T, run func(t *testing.T, eio int)) {
	t.Helper()
	for _, eio := range bothVersions {
		t.Run(fmt.Sprintf("EIO=%d", eio), func(t *testing.T) {
			bubble(t, func(t *testing.T) { run(t, eio) })
		})
	}
}

// logged is a logger and what it has written.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})), &b
}
