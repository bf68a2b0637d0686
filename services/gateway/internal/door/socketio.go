package door

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signalling/api/client"
	"signalling/pkg/socketio"
	"signalling/services/gateway/internal/hub"
)

// SocketIO is the door for socket.io-client 2.x, 3.x and 4.x. Commands and events are Socket.IO events with positional
// arguments; a client's id is its socket.id.
type SocketIO struct {
	cfg    Config
	hub    *hub.Hub
	server *socketio.Server
}

// NewSocketIO returns the Socket.IO door of the hub. polling also lets clients in by HTTP long-polling, with which they
// begin by default; all requests of a client must then reach the same gateway.
func NewSocketIO(cfg Config, polling bool, h *hub.Hub) *SocketIO {
	cfg = cfg.withDefaults()
	d := &SocketIO{cfg: cfg, hub: h}
	d.server = socketio.NewServer(socketio.Config{
		ReadLimit:    cfg.MaxMessageBytes,
		PingInterval: cfg.PingInterval,
		PingTimeout:  cfg.PingTimeout,
		QueueFrames:  cfg.QueueFrames,
		QueueBytes:   cfg.QueueBytes,
		WriteTimeout: cfg.WriteTimeout,
		CloseTimeout: cfg.CloseTimeout,
		Polling:      polling,
		CheckOrigin:  cfg.Origins.Allowed,

		CheckHandshake: d.checkHandshake,
		Logger:         cfg.Logger,
		Clock:          cfg.clock,
	}, d)
	return d
}

// ServeHTTP serves /socket.io/.
func (d *SocketIO) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.server.ServeHTTP(w, r) }

// Shutdown lets no more clients in, closes the others' connections so that they connect again elsewhere, and returns when
// they have ended; those that have not when ctx ends are cut off.
func (d *SocketIO) Shutdown(ctx context.Context) error { return d.server.Shutdown(ctx) }

// Refuse lets no more clients in.
func (d *SocketIO) Refuse() { d.server.Refuse() }

// leftCheck is how often Left looks, and leftTime how long.
const (
	leftCheck = 10 * time.Millisecond
	leftTime  = 2 * time.Second
)

// Left waits, for a short time, until the clients that were told to go have gone by themselves: until then what they send is
// taken.
func (d *SocketIO) Left(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leftTime)
	defer cancel()
	every := time.NewTicker(leftCheck)
	defer every.Stop()
	for d.server.Len() > 0 {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// Connect implements socketio.Handler.
func (d *SocketIO) Connect(s *socketio.Session, auth json.RawMessage, r *http.Request) error {
	text := tokenIn(auth)
	if text == "" {
		text = tokenOf(r)
	}
	claims, refused := d.cfg.Auth.check(text)
	if refused != nil {
		return connectError(refused)
	}
	addr := d.cfg.Proxies.client(r)
	place, full := d.cfg.addresses.enter(addr)
	if full != nil {
		return connectError(full)
	}
	c := &sioConn{door: d, s: s, guard: newGuard(&d.cfg, claims, place)}
	s.SetData(c)
	c.connect(auth)
	c.guard.bind(c.session.Load())
	c.guard.begin()
	c.life = begin(d.cfg.Metrics.socketIO, d.cfg.Logger, socketIODoor, c.session.Load(), addr.String())
	return nil
}

// checkHandshake refuses handshakes that are too many.
func (d *SocketIO) checkHandshake(w http.ResponseWriter, r *http.Request) bool {
	e := d.cfg.addresses.handshake(d.cfg.Proxies.client(r))
	if e != nil {
		refuse(w, http.StatusTooManyRequests, e)
	}
	return e == nil
}

// Ping implements socketio.Pinger.
func (d *SocketIO) Ping(s *socketio.Session) bool { return s.Data().(*sioConn).guard.ping() }

// connectError is a refusal as a Socket.IO client sees it: err.message, and err.data.code for programs.
func connectError(e *client.Error) error {
	return &socketio.ConnectError{Message: e.Message, Data: client.AppendObject(nil, e, nil)}
}

// Disconnect implements socketio.Handler.
func (d *SocketIO) Disconnect(s *socketio.Session, reason socketio.Reason) {
	c := s.Data().(*sioConn)
	c.session.Load().Flush()
	c.ended(reason)
	c.guard.end()
	c.life.end(d.cfg.Metrics.socketIO, d.cfg.Logger, socketIODoor, c.session.Load(), socketIOEnd(reason, &c.code),
		slog.Int("protocol", s.Protocol()), slog.String("transport", s.Transport()), slog.String("cause", reason.String()))
}

var errMalformed = errors.New("the event is not a JSON array that begins with its name")

// commands are kept for reuse: they would be allocated for each event otherwise.
var commands = sync.Pool{New: func() any { return new(client.Command) }}

// Event implements socketio.Handler.
func (d *SocketIO) Event(s *socketio.Session, ack socketio.AckID, payload []byte, attachments [][]byte) error {
	c := s.Data().(*sioConn)
	cmd := commands.Get().(*client.Command)
	defer commands.Put(cmd)
	ok, err := client.DecodeCommandArray(payload, cmd)
	if !ok {
		return errMalformed
	}
	c.session.Load().Took(false) // what a client has kept for when it is connected can leave it before it has read the answer
	ref := refOf(ack)
	size := len(payload)
	for _, a := range attachments {
		size += len(a)
	}
	if err == nil && len(attachments) > 0 {
		err = withAttachments(cmd, payload, attachments)
	}
	if err != nil {
		c.guard.bad(ref, asError(err), size)
		return nil
	}
	if c.guard.admit(cmd, ref, size) {
		c.session.Load().Handle(cmd, ref)
	}
	return nil
}

// Idle implements socketio.Idler.
func (d *SocketIO) Idle(s *socketio.Session) {
	if c, ok := s.Data().(*sioConn); ok {
		c.session.Load().Flush()
	}
}

// refOf turns an acknowledgement's id into what the hub gives back with the answer.
func refOf(ack socketio.AckID) []byte {
	if !ack.Wanted() {
		return nil
	}
	return binary.BigEndian.AppendUint64(nil, uint64(ack))
}

// sioConn is one client of the Socket.IO door.
type sioConn struct {
	door    *SocketIO
	s       *socketio.Session
	session atomic.Pointer[hub.Session]
	link    *sioLink // if sessions are resumed
	guard   *guard
	life    life
	code    atomic.Uint32 // what the gateway closed it with
}

// connect makes the client's session, or finds its earlier one.
func (c *sioConn) connect(auth json.RawMessage) {
	if c.door.hub.Resumes() && c.s.EIO() == recoveringEIO {
		c.link = &sioLink{sioConn: c, over: make(chan struct{})}
		c.link.connect(auth)
		return
	}
	c.session.Store(c.door.hub.Connect(c.s.ID(), c.guard.display(), c))
}

// ended tells the session that the connection has ended.
func (c *sioConn) ended(reason socketio.Reason) {
	if c.link != nil {
		c.link.ended(reason)
		return
	}
	c.session.Load().End()
}

// Deliver implements hub.Conn.
func (c *sioConn) Deliver(b *hub.Broadcast) {
	p, ok := b.Other.(*socketio.Packet)
	if !ok {
		p = packet(b.Event)
		b.Other = p
	}
	c.queue(p)
}

// Answer implements hub.Conn. A client that asked for an acknowledgement gets the same, event name first, in it.
func (c *sioConn) Answer(ref []byte, e client.Event) {
	c.queue(packet(e))
	if ref != nil {
		c.queue(socketio.NewAck(ackOf(ref), client.AppendArray(nil, e)))
	}
}

// Delivered implements hub.Conn.
func (c *sioConn) Delivered(ref []byte) { c.queue(socketio.NewAck(ackOf(ref), []byte("[]"))) }

func ackOf(ref []byte) socketio.AckID { return socketio.AckID(binary.BigEndian.Uint64(ref)) }

// Signal implements hub.Conn.
func (c *sioConn) Signal(room, sender string, data []byte) {
	if text, attachments, ok := unbundle(data); ok {
		c.queue(socketio.NewEvent(client.AppendSignalArray(nil, room, sender, text), attachments...))
		return
	}
	buf := socketio.BeginEvent(len(room) + len(sender) + len(data) + 32)
	c.queue(socketio.SealEvent(client.AppendSignalArray(buf, room, sender, data)))
}

// Flush implements hub.Conn.
func (c *sioConn) Flush() { c.s.Flush() }

// Pending implements hub.Conn.
func (c *sioConn) Pending() (frames, bytes int) { return c.s.Pending() }

// Close implements hub.Conn.
func (c *sioConn) Close(code client.CloseCode) {
	c.code.CompareAndSwap(0, uint32(code)) // #nosec G115 -- of a closed list
	c.s.Close(int(code), code.Reason())
}

func packet(e client.Event) *socketio.Packet {
	return socketio.SealEvent(client.AppendArray(socketio.BeginEvent(96), e))
}

// queue is as the native door's.
func (c *sioConn) queue(p *socketio.Packet) {
	if err := c.s.Queue(p); errors.Is(err, socketio.ErrQueueFull) {
		c.code.CompareAndSwap(0, uint32(client.CloseSlowConsumer))
		c.s.Abort(int(client.CloseSlowConsumer), client.CloseSlowConsumer.Reason())
		if c.link != nil {
			go c.session.Load().Lost(c.link)
			return
		}
		go c.session.Load().End()
	}
}
