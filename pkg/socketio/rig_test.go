package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
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

// answer is an HTTP answer with its body read.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request with headers in pairs.
func (r *rig) do(method, query, body string, headers ...string) answer {
	r.t.Helper()
	a, err := r.try(context.Background(), method, query, body, headers...)
	if err != nil {
		r.t.Fatalf("%s ?%s: %v", method, query, err)
	}
	return a
}

func (r *rig) try(ctx context.Context, method, query, body string, headers ...string) (answer, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, origin+"/socket.io/?"+query, reader)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

// poller is a polling client's side of a session.
type poller struct {
	*rig
	eio int
	sid string
}

// open makes a polling session and returns it with the rest of the first answer, in the wire form of EIO 4.
func (r *rig) open(eio int) (*poller, string) {
	r.t.Helper()
	p := &poller{rig: r, eio: eio}
	a := r.do("GET", fmt.Sprintf("EIO=%d&transport=polling&b64=1", eio), "")
	if a.status != 200 {
		r.t.Fatalf("handshake: %d %s", a.status, a.body)
	}
	first, rest, _ := strings.Cut(p.normal(a.body), "\x1e")
	p.sid = openOf(r.t, first).SID
	return p, rest
}

// joined makes a polling session in the namespace.
func (r *rig) joined(eio int) *poller {
	r.t.Helper()
	p, rest := r.open(eio)
	if eio == eio4 {
		p.post("40", 200)
		rest = p.get(200)
	}
	if !strings.HasPrefix(rest, "40") {
		r.t.Fatalf("not connected: %q", rest)
	}
	return p
}

// normal turns a payload of EIO 3 into the form of EIO 4, which the tests write everything in.
func (p *poller) normal(body string) string {
	if p.eio == eio4 {
		return body
	}
	got, err := collect(decodeTextV3, body)
	if err != nil {
		p.t.Fatalf("payload %q: %v", body, err)
	}
	return strings.Join(got, "\x1e")
}

func (p *poller) query() string {
	return fmt.Sprintf("EIO=%d&transport=polling&b64=1&sid=%s", p.eio, url.QueryEscape(p.sid))
}

// get polls once and returns the payload in the form of EIO 4.
func (p *poller) get(status int) string {
	p.t.Helper()
	a := p.do("GET", p.query(), "")
	if a.status != status {
		p.t.Fatalf("GET: %d %s, want %d", a.status, a.body, status)
	}
	if status != 200 {
		return a.body
	}
	return p.normal(a.body)
}

// waiting polls in the background.
func (p *poller) waiting() <-chan answer {
	done := make(chan answer, 1)
	go func() {
		a, err := p.try(context.Background(), "GET", p.query(), "")
		if err != nil {
			a.body = err.Error()
		} else if a.status == 200 {
			a.body = p.normal(a.body)
		}
		done <- a
	}()
	return done
}

// post sends a payload in the form of EIO 4.
func (p *poller) post(payload string, status int) {
	p.t.Helper()
	if a := p.do("POST", p.query(), p.encode(payload), "Content-Type", "text/plain;charset=UTF-8"); a.status != status {
		p.t.Fatalf("POST %.80q: %d %s, want %d", payload, a.status, a.body, status)
	}
}

func (p *poller) encode(payload string) string {
	if p.eio == eio4 {
		return payload
	}
	var b strings.Builder
	for _, one := range strings.Split(payload, "\x1e") {
		fmt.Fprintf(&b, "%d:%s", utf16Len([]byte(one)), one)
	}
	return b.String()
}

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

func (p *poller) echo(text string) {
	p.t.Helper()
	p.post(`42["echo","`+text+`"]`, 200)
	if got := p.get(200); got != `42["echo","`+text+`"]` {
		p.t.Fatalf("echo is %q", got)
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
