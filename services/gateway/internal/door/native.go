package door

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/slots"
	"signalling/pkg/wsock"
	"signalling/services/gateway/internal/hub"
)

// Config is what the doors share.
type Config struct {
	// MaxMessageBytes is the longest message that is taken from a client.
	MaxMessageBytes int64
	// PingInterval is the time between two pings to a client, PingTimeout how long it may take to be heard after one.
	PingInterval, PingTimeout time.Duration
	// QueueFrames and QueueBytes bound what waits to be sent to a client.
	QueueFrames, QueueBytes int
	// WriteTimeout is how long a client may take no byte while frames wait for it.
	WriteTimeout time.Duration
	// CloseTimeout is how long the close of a connection may take.
	CloseTimeout time.Duration
	// Origins are the web pages that may connect.
	Origins *Origins
	// Auth says who may come in; nil lets everybody in.
	Auth *Auth
	// Limits bound what clients may do; nil for none.
	Limits *Limits
	// ICE are the ICE servers that clients are told of; nil for none.
	ICE *ICE
	// Proxies are believed when they say for whom they speak.
	Proxies Proxies
	Logger  *slog.Logger
	// Metrics count what happens at the doors; nil if nobody is to see that.
	Metrics *Metrics

	// addresses are those of the clients of both doors; nil without Limits.
	addresses *addresses
	// clock has the timers of all clients.
	clock *slots.Clock
}

// withDefaults fills the fields that may be left out.
func (c Config) withDefaults() Config {
	if c.Metrics == nil {
		c.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	if c.clock == nil {
		c.clock = slots.NewClock(slots.Width(c.PingInterval, c.PingTimeout))
	}
	return c
}

// Share adds what the doors share. It is called once, when all else is set.
func (c Config) Share() Config {
	c = c.withDefaults()
	c.addresses = newAddresses(c.Limits)
	if c.Limits != nil {
		c.Limits.met = c.Metrics.limited
	}
	return c
}

// Native is the door for plain WebSockets, described in the api module's PROTOCOL.md.
type Native struct {
	cfg      Config
	hub      *hub.Hub
	upgrader *wsock.Upgrader

	mu     sync.Mutex // guards closed, and wg against Wait
	closed bool
	wg     sync.WaitGroup
}

// NewNative returns the native door of the hub.
func NewNative(cfg Config, h *hub.Hub) *Native {
	cfg = cfg.withDefaults()
	return &Native{cfg: cfg, hub: h, upgrader: wsock.NewUpgrader(wsock.Options{
		ReadLimit:    cfg.MaxMessageBytes,
		QueueFrames:  cfg.QueueFrames,
		QueueBytes:   cfg.QueueBytes,
		WriteTimeout: cfg.WriteTimeout,
		CloseTimeout: cfg.CloseTimeout,
		Subprotocols: []string{client.Subprotocol},
		CheckOrigin:  cfg.Origins.Allowed,
	})}
}

// ServeHTTP lets a client in. It returns then: the client's WebSocket wakes whom it needs.
func (d *Native) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !d.enter() {
		http.Error(w, "going away", http.StatusServiceUnavailable)
		return
	}
	addr := d.cfg.Proxies.client(r)
	if e := d.cfg.addresses.handshake(addr); e != nil {
		defer d.wg.Done()
		refuse(w, http.StatusTooManyRequests, e)
		return
	}
	claims, refused := d.cfg.Auth.check(tokenOf(r))
	if refused != nil {
		d.refuse(w, r, refused)
		return
	}
	place, full := d.cfg.addresses.enter(addr)
	if full != nil {
		defer d.wg.Done()
		refuse(w, http.StatusTooManyRequests, full)
		return
	}
	ws, err := d.upgrader.Upgrade(w, r)
	if err != nil {
		place.leave()
		d.wg.Done()
		return
	}
	c := &native{door: d, ws: ws, guard: newGuard(&d.cfg, claims, place)}
	c.connect()
	c.life = begin(d.cfg.Metrics.native, d.cfg.Logger, nativeDoor, c.session.Load(), addr.String())
	c.serve()
}

func (d *Native) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.wg.Add(1)
	}
	return !d.closed
}

// refuse turns away who has no good token, before there is a client. A browser cannot read the HTTP status of a handshake
// that fails: it gets a WebSocket that says the same and is closed.
func (d *Native) refuse(w http.ResponseWriter, r *http.Request, e *client.Error) {
	if r.Header.Get("Origin") == "" || !wsock.IsUpgrade(r) {
		defer d.wg.Done()
		refuse(w, http.StatusUnauthorized, e)
		return
	}
	ws, err := d.upgrader.Upgrade(w, r)
	if err != nil {
		d.wg.Done()
		return
	}
	go func() {
		defer d.wg.Done()
		_ = ws.Queue(frame(e, nil)) // the queue is empty
		ws.Close(int(client.CloseUnauthorized), client.CloseUnauthorized.Reason())
		for err == nil {
			_, _, err = ws.ReadMessage() // nothing but the end comes of it
		}
		ws.Finish()
	}()
}

// Shut lets no more clients in.
func (d *Native) Shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// Wait returns when all clients have gone. Shut comes first.
func (d *Native) Wait() { d.wg.Wait() }

// native is one client of the native door.
type native struct {
	door    *Native
	ws      *wsock.Conn
	session atomic.Pointer[hub.Session] // another one once it was resumed
	link    *nativeLink                 // if sessions are resumed
	guard   *guard
	life    life
	began   bool // the first message has come

	mu       sync.Mutex // guards the heartbeat
	timer    slots.Timer
	awaiting bool // a ping is out
	over     bool
}

// serve greets the client and has its frames read.
func (c *native) serve() {
	c.guard.bind(c.session.Load())
	c.welcome()
	c.guard.begin()
	c.startHeartbeat()
	c.ws.Serve(c)
}

// End implements wsock.Sink.
func (c *native) End(err error) {
	defer c.door.wg.Done()
	c.session.Load().Flush()
	c.ended(err)
	c.guard.end()
	c.stopHeartbeat()
	c.ws.Finish()
	why, attrs := nativeEnd(err)
	c.life.end(c.door.cfg.Metrics.native, c.door.cfg.Logger, nativeDoor, c.session.Load(), why, attrs...)
}

// connect makes the client's session.
func (c *native) connect() {
	h, id := c.door.hub, bus.NewClientID()
	if h.Resumes() {
		c.link = &nativeLink{native: c, over: make(chan struct{})}
		c.session.Store(h.ConnectLink(id, c.guard.display(), c.link))
		return
	}
	c.session.Store(h.Connect(id, c.guard.display(), c))
}

// ended tells the session that the connection has ended.
func (c *native) ended(err error) {
	if c.link != nil {
		c.link.ended(err)
		return
	}
	c.session.Load().End()
}

func (c *native) welcome() {
	w := &client.Welcome{
		ClientID: c.session.Load().ID(), Protocol: client.Protocol,
		MaxMessageBytes: uint64(c.door.cfg.MaxMessageBytes), // #nosec G115 -- a limit
		Display:         c.session.Load().Display(),
	}
	if c.door.cfg.ICE != nil {
		w.ICEServers = c.guard.iceServers().ICEServers
	}
	if c.link != nil {
		c.link.offer(w)
	}
	c.answer(nil, w)
	c.Flush()
}

// Message implements wsock.Sink.
func (c *native) Message(op int, msg []byte) {
	cmd := commands.Get().(*client.Command)
	defer commands.Put(cmd)
	if !c.began {
		c.began = true
		if c.resume(op, msg, cmd) {
			return
		}
	}
	s := c.session.Load()
	s.Took(true)
	if op != wsock.OpText {
		c.guard.bad(nil, &client.Error{Code: client.BadRequest, Message: "commands are text frames"}, len(msg))
		return
	}
	if err := client.DecodeCommandObject(msg, cmd); err != nil {
		c.guard.bad(cmd.ID, asError(err), len(msg))
		return
	}
	if c.guard.admit(cmd, cmd.ID, len(msg)) {
		s.Handle(cmd, cmd.ID)
	}
}

// Ping implements wsock.Sink.
func (c *native) Ping() bool { return c.guard.ping() }

// Pong implements wsock.Sink.
func (c *native) Pong(payload []byte) {
	if c.link != nil {
		c.link.ponged(payload)
	}
}

// Idle implements wsock.Sink.
func (c *native) Idle() { c.session.Load().Flush() }

func asError(err error) *client.Error {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e
	}
	return &client.Error{Code: client.Internal, Message: "internal error"}
}

// Deliver implements hub.Conn.
func (c *native) Deliver(b *hub.Broadcast) {
	if b.Native == nil {
		b.Native = frame(b.Event, nil)
	}
	c.queue(b.Native)
}

// Answer implements hub.Conn.
func (c *native) Answer(ref []byte, e client.Event) { c.answer(ref, e) }

func (c *native) answer(id []byte, e client.Event) { c.queue(frame(e, id)) }

// Delivered implements hub.Conn. The native door has no answer to a signal that was delivered.
func (c *native) Delivered([]byte) {}

// Signal implements hub.Conn.
func (c *native) Signal(room, sender string, data []byte) {
	data = inline(data)
	buf := wsock.Begin(len(room) + len(sender) + len(data) + 64)
	c.queue(wsock.Seal(wsock.OpText, client.AppendSignalObject(buf, room, sender, data)))
}

// Flush implements hub.Conn.
func (c *native) Flush() { c.ws.Flush() }

// Pending implements hub.Conn.
func (c *native) Pending() (frames, bytes int) { return c.ws.Pending() }

// Close implements hub.Conn.
func (c *native) Close(code client.CloseCode) {
	if code == client.CloseGoingAway {
		c.queue(frame(&client.GoingAway{RetryAfter: goingAwayPause}, nil))
	}
	c.ws.Close(int(code), code.Reason())
}

func frame(e client.Event, id []byte) wsock.Frame {
	return wsock.Seal(wsock.OpText, client.AppendObject(wsock.Begin(128), e, id))
}

// queue puts a frame into the client's queue. A client whose queue is full has fallen behind for good: it is closed, and
// out of its rooms at once. Its session ends on another goroutine, because this one holds a partition's mutex.
func (c *native) queue(f wsock.Frame) {
	if err := c.ws.Queue(f); errors.Is(err, wsock.ErrQueueFull) {
		c.giveUp(client.CloseSlowConsumer)
	}
}

func (c *native) giveUp(code client.CloseCode) {
	c.ws.Abort(int(code), code.Reason())
	if c.link != nil {
		go c.session.Load().Lost(c.link)
		return
	}
	go c.session.Load().End()
}

// startHeartbeat sends the first ping after a random part of the interval, so that clients that came together are not
// pinged together for ever.
func (c *native) startHeartbeat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beatAfter(1 + rand.N(c.door.cfg.PingInterval)) // #nosec G404 -- jitter
}

// beatAfter sets the timer of the heartbeat. mu is held.
func (c *native) beatAfter(d time.Duration) { c.door.cfg.clock.Set(&c.timer, d, (*heartbeat)(c)) }

func (c *native) stopHeartbeat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.door.cfg.clock.Stop(&c.timer)
}

// heartbeat is a client that is to be pinged.
type heartbeat native

// Due implements slots.Task. It pings the client, or looks whether it was heard since the last ping.
func (h *heartbeat) Due() {
	c := (*native)(h)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case !c.awaiting:
		c.awaiting = true
		c.ws.Heard()
		if c.link != nil {
			c.link.Ask(c.session.Load().Mark())
		} else {
			_ = c.ws.Ping() // if the queue is full, other traffic shows whether the client lives
		}
		c.beatAfter(c.door.cfg.PingTimeout)
	case c.ws.Heard():
		c.awaiting = false
		c.beatAfter(max(c.door.cfg.PingInterval-c.door.cfg.PingTimeout, time.Millisecond))
	default:
		c.giveUp(client.CloseHeartbeat)
	}
}
