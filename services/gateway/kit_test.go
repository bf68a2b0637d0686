package gateway_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"

	api "signalling/api/client"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natsembed"
	"signalling/pkg/natsbus/natstest"
	conf "signalling/pkg/settings"
	"signalling/services/gateway"
	"signalling/services/gateway/internal/door"
	"signalling/services/gateway/internal/hub"
)

// The tests of the bus hop put a real gateway (hub and native door) on a real NATS server, with real WebSocket clients in
// front of it, and play everybody else: the owner of the rooms (kit_owner_test.go) and other gateways (kit_peer_test.go).
// They run in synctest bubbles, so that "nothing else happens" can be known, and time costs nothing.

// patience bounds every wait for something that must come. In a bubble it passes at once.
const patience = 20 * time.Second

// world is a gateway between scripted ends, in a bubble.
type world struct {
	t      testing.TB
	srv    *natsembed.Server
	nc     *nats.Conn // the gateway's
	hub    *hub.Hub
	door   *door.Native
	sio    *door.SocketIO
	pipes  *pipeListener
	http   *http.Server
	served chan error
	owner  *owner

	mu      sync.Mutex // guards clients
	clients []*client
}

// settings are what tests change of a gateway's limits.
type settings struct {
	hub  hub.Config
	door door.Config
}

// scene plays f in a bubble with a gateway whose settings change has adapted.
func scene(t *testing.T, f func(t *testing.T, w *world), change ...func(*settings)) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T) {
		w := newWorld(t, natstest.Run(t), change...)
		settle()
		w.owner.heard()
		f(t, w)
	})
}

func newWorld(t testing.TB, srv *natsembed.Server, change ...func(*settings)) *world {
	t.Helper()
	origins, err := door.NewOrigins(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := settings{
		hub: hub.Config{CommandTimeout: 5 * time.Second, AttemptTimeout: time.Second, AnnounceInterval: time.Hour, MaxPending: 64},
		door: door.Config{
			MaxMessageBytes: 256 << 10, PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, QueueFrames: 1024,
			QueueBytes: 4 << 20, WriteTimeout: 10 * time.Second, CloseTimeout: 5 * time.Second, Origins: origins, Logger: natstest.Logger(t),
		},
	}
	for _, f := range change {
		f(&s)
	}
	w := &world{t: t, srv: srv, pipes: newPipeListener(), served: make(chan error, 1)}
	w.owner = newOwner(t, natstest.Connect(t, srv))
	w.nc = natstest.ConnectWith(t, natsbus.Config{}, natsbus.Options{InProcess: srv.Provider(), OnReconnect: func() { w.hub.AnnounceAll() }})
	if w.hub, err = hub.New(s.hub, w.nc, natstest.Logger(t)); err != nil {
		t.Fatal(err)
	}
	w.owner.gateway = w.hub.ID()
	s.door = s.door.Share()
	w.door, w.sio = door.NewNative(s.door, w.hub), door.NewSocketIO(s.door, true, w.hub)
	w.hub.Start()
	mux := http.NewServeMux()
	mux.Handle("GET /ws", w.door)
	mux.Handle("/socket.io/", w.sio)
	w.http = &http.Server{Handler: mux}
	go func() { w.served <- w.http.Serve(w.pipes) }()
	t.Cleanup(w.end)
	return w
}

// end takes the gateway down as its drain does. Nothing of it may be left: the bubble sees to that.
func (w *world) end() {
	w.mu.Lock()
	clients := w.clients
	w.mu.Unlock()
	for _, c := range clients {
		c.vanish()
	}
	w.door.Shut()
	if err := w.sio.Shutdown(context.Background()); err != nil { // in a bubble it cannot wait for ever
		w.t.Error(err)
	}
	w.door.Wait()
	_ = w.http.Close()
	if err := <-w.served; !errors.Is(err, http.ErrServerClosed) {
		w.t.Error(err)
	}
	w.hub.Stop()
	w.nc.Close()
}

// connect lets a client in and reads its welcome.
func (w *world) connect(prepare ...func(*websocket.Conn)) *client {
	w.t.Helper()
	c := dial(w.t, "ws://gateway/ws", w.pipes.dial, prepare...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients = append(w.clients, c)
	return c
}

// tryDial connects by hand.
func (w *world) tryDial(path string, header http.Header) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{NetDialContext: w.pipes.dial}
	ws, resp, err := d.DialContext(w.t.Context(), "ws://gateway"+path, header)
	if err == nil {
		w.t.Cleanup(func() { _ = ws.Close() })
	}
	return ws, resp, err
}

// tuned sets a scene's limits, tokens and ICE servers as settings do.
func tuned(t *testing.T, environ ...string) func(*settings) {
	t.Helper()
	all := make(map[string]string)
	for i := 0; i < len(environ); i += 2 {
		all[environ[i]] = environ[i+1]
	}
	var cfg gateway.Config
	if err := conf.Parse(&cfg, conf.Options{Environ: all}); err != nil {
		t.Fatal(err)
	}
	return func(s *settings) {
		if err := cfg.Tune(&s.door, &s.hub); err != nil {
			t.Error(err)
		}
	}
}

// pass lets time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// settle waits until everything that can happen without time passing has happened.
func settle() { synctest.Wait() }

// quiet asserts that nobody has been told anything that the test has not expected.
func (w *world) quiet() {
	w.t.Helper()
	settle()
	w.owner.expectNoCommand()
	w.owner.expectNoAnnounce()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clients {
		c.expectNothing()
	}
}

// holdsNothing asserts that no room, request or signal is left in the gateway.
func (w *world) holdsNothing() {
	w.t.Helper()
	settle()
	got := w.hub.Stats()
	got.Sessions = 0
	if diff := cmp.Diff(hub.Stats{}, got); diff != "" {
		w.t.Errorf("the gateway still holds (-want +got):\n%s", diff)
	}
}

// within asserts that a duration is in a range.
func within(t testing.TB, what string, got, from, to time.Duration) {
	t.Helper()
	if got < from || got > to {
		t.Errorf("%s took %v, want %v to %v", what, got, from, to)
	}
}

// pipeListener is a network in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- local{there}:
		return here, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// local is a connection that comes from this machine.
type local struct{ net.Conn }

// RemoteAddr implements net.Conn.
func (local) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// Short names for events, so that scenes read well.

func created(room string) api.Event   { return &api.RoomCreated{Room: room} }
func exists(room string) api.Event    { return &api.RoomExists{Room: room} }
func notExists(room string) api.Event { return &api.RoomNotExists{Room: room} }
func notIn(room string) api.Event     { return &api.NotInRoom{Room: room} }
func left(room string) api.Event      { return &api.RoomLeft{Room: room} }
func kicked(room string) api.Event    { return &api.RoomLeft{Room: room, Kicked: true} }

func joined(room string, owner named, others ...named) api.Event {
	e := &api.RoomJoined{Room: room, OwnerID: owner.name(), Clients: []string{}}
	for _, o := range others {
		e.Clients = append(e.Clients, o.name())
	}
	return e
}

func clientJoined(room string, c named) api.Event {
	return &api.ClientJoined{Room: room, ClientID: c.name()}
}

func clientLeft(room string, c named) api.Event {
	return &api.ClientLeft{Room: room, ClientID: c.name()}
}

func received(room string, from named, data string) api.Event {
	return &api.SignalReceive{Room: room, SenderID: from.name(), Data: []byte(data)}
}

func targetNotFound(room string, target named) api.Event {
	return &api.TargetNotFound{Room: room, TargetID: target.name()}
}

func unavailable() api.Event {
	return &api.Error{Message: "the rooms service did not answer in time; try again", Code: api.Unavailable}
}

func unreachable() api.Event {
	return &api.Error{Message: "the target's gateway does not answer; try again", Code: api.Unavailable}
}

// named is whoever has a client id.
type named interface{ name() string }

// stranger is a client of another gateway.
type stranger string

func (s stranger) name() string { return string(s) }
