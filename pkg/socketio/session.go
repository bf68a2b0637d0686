package socketio

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signalling/pkg/slots"
	"signalling/pkg/wsock"
)

// The life of a session. It never goes back.
const (
	stateOpening uint32 = iota // handshake done, not (yet) in the namespace
	stateConnected
	stateLeft    // the client left the namespace, its transport is still open
	stateClosing // polling only: ended, the last packets wait for the client's next GET
	stateClosed
)

// Session is one client's connection, over all of its transports. Its methods may be called from any goroutine and do not
// block.
type Session struct {
	srv  *Server
	sid  string
	id   string
	pid  string // of the connection state recovery, "" without
	data any

	// recv is held while a packet of the client is handled: it keeps the handler's calls apart, whichever transport or
	// timer they come from. It is taken before mu. It guards assembly.
	recv     sync.Mutex
	assembly *assembly

	// out is the WebSocket of a session that is connected and on that transport: the whole of what sending needs then.
	out atomic.Pointer[wsock.Conn]

	state atomic.Uint32 // changes under mu

	mu      sync.Mutex    // guards the fields below
	conn    *wsock.Conn   // the transport, nil while the session polls
	poll    *polling      // the transport, nil on a WebSocket
	opening *opening      // nil once the client has joined the namespace
	beat    slots.Timer   // the heartbeat
	due     time.Duration // when the next ping is due, since the server's start (protocol 4)
	limit   slots.Timer   // runs while opening, left or closing
	reason  Reason        // why it ended
	eio     uint8         // does not change
	// pinged: a ping is out (protocol 4).
	pinged bool
	// told: the handler is told of pings and pongs. It does not change once the session is connected.
	told bool
}

// opening is what a session needs until the client has joined the namespace.
type opening struct {
	request *http.Request
	joining bool      // Handler.Connect is running
	early   []*Packet // sent meanwhile
	bytes   int
}

// ID is the public id: what the client sees as socket.id.
func (s *Session) ID() string { return s.id }

// SetID changes the public id: the client is one that was here before. It may be called during Handler.Connect only, for a
// session of EIO 4.
func (s *Session) SetID(id string) { s.id = id }

// SetPID gives the client a private id, with which it asks for its state when it connects again ("connection state
// recovery", clients from 4.6): it sends {"pid":…,"offset":…} in its auth object, where offset is the last argument of the
// last event that it got, if that is a string. A client that gets the pid that it has sent takes its state for recovered.
// It may be called during Handler.Connect only, for a session of EIO 4.
func (s *Session) SetPID(pid string) { s.pid = pid }

// EIO is the version of the Engine.IO protocol: 4 for clients 3.x and 4.x, 3 for clients 1.x and 2.x.
func (s *Session) EIO() int { return int(s.eio) }

// Protocol is the version of the Socket.IO protocol: 5 above EIO 4, 4 above EIO 3.
func (s *Session) Protocol() int { return int(s.eio) + 1 }

// Transport is "polling" or "websocket", as of now.
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return transportWebSocket
	}
	return transportPolling
}

// SetData keeps a value of the handler's with the session. It is meant for Handler.Connect: it is not synchronised with
// Data.
func (s *Session) SetData(v any) { s.data = v }

// Data returns what SetData was given.
func (s *Session) Data() any { return s.data }

// Send queues a packet. It never blocks: it fails with ErrQueueFull when there is no room, which does not end the session,
// and with ErrClosed when the session is not connected. Packets leave in the order of the calls; success does not mean
// that the client has got it.
func (s *Session) Send(p *Packet) error {
	err := s.Queue(p)
	if err == nil {
		s.Flush()
	}
	return err
}

// Queue is Send without the system call: on a WebSocket the packet leaves with the next Send or Flush. It is for callers
// that have more at hand for the same session.
func (s *Session) Queue(p *Packet) error {
	if conn := s.out.Load(); conn != nil {
		return conn.Queue(p.wire(int(s.eio)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state.Load() == stateConnected:
		return s.queue(p)
	case !s.ended() && s.opening != nil && s.opening.joining:
		return s.opening.hold(p, &s.srv.cfg)
	}
	return ErrClosed
}

// Flush sends what Queue has taken.
func (s *Session) Flush() {
	if conn := s.out.Load(); conn != nil {
		conn.Flush()
	}
}

// Pending is how many packets and bytes wait to be sent.
func (s *Session) Pending() (packets, bytes int) {
	if conn := s.out.Load(); conn != nil {
		return conn.Pending()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn != nil:
		return s.conn.Pending()
	case s.poll != nil:
		return len(s.poll.queue), s.poll.bytes
	}
	return 0, 0
}

// Ack answers the event that came with id: jsonArray holds the arguments for the client's callback. It is Send of NewAck,
// and does nothing when no acknowledgement was wanted.
func (s *Session) Ack(id AckID, jsonArray []byte, attachments ...[]byte) error {
	if !id.Wanted() {
		return nil
	}
	return s.Send(NewAck(id, jsonArray, attachments...))
}

// Close ends the session gracefully: what is queued is delivered first, within Config.CloseTimeout, then the transport is
// closed. A WebSocket gets the close code (RFC 6455 section 7.4) and the reason of at most 123 bytes; polling can carry
// neither. Clients reconnect. Handler.Disconnect follows from another goroutine, with ReasonServerClose, without waiting
// for the delivery.
func (s *Session) Close(code int, reason string) {
	s.end(ReasonServerClose, farewell{code: code, text: reason})
}

// Leave is Close for a client that should go elsewhere: what it has sent before it learns of the close is still delivered to
// the handler, on a WebSocket. Handler.Disconnect follows when the transport has ended.
func (s *Session) Leave(code int, reason string) {
	s.mu.Lock()
	conn := s.out.Load()
	s.mu.Unlock()
	if conn == nil {
		s.Close(code, reason)
		return
	}
	conn.Leave(code, reason)
}

// Abort is Close that drops what is queued: for clients that do not take what they are sent. After Close it cuts the
// delivery short.
func (s *Session) Abort(code int, reason string) {
	s.end(ReasonServerClose, farewell{how: abrupt, code: code, text: reason})
}

// ended reports whether the session is over for the handler.
func (s *Session) ended() bool { return s.state.Load() >= stateClosing }

// queue queues a packet for the present transport. The caller holds mu, has made sure that the session has not ended, and
// calls flush afterwards.
func (s *Session) queue(p *Packet) error {
	if s.conn != nil {
		return s.conn.Queue(p.wire(int(s.eio)))
	}
	return s.poll.push(p, &s.srv.cfg)
}

// flush sends what queue has taken; a GET that waits needs nothing more. conn is the session's, read under mu.
func flush(conn *wsock.Conn) {
	if conn != nil {
		conn.Flush()
	}
}

// control sends a packet of the protocol's own. A session that has no room even for that is ended.
func (s *Session) control(p *Packet) {
	s.mu.Lock()
	var err error
	if !s.ended() {
		err = s.queue(p)
	}
	conn := s.conn
	s.mu.Unlock()
	flush(conn)
	if errors.Is(err, ErrQueueFull) {
		s.end(ReasonQueueFull, farewell{how: abrupt})
	}
}

// hold keeps a packet until the client has been told that it is connected.
func (o *opening) hold(p *Packet, c *Config) error {
	if len(o.early) >= c.QueueFrames || o.bytes+p.size() > c.QueueBytes {
		return ErrQueueFull
	}
	o.early = append(o.early, p)
	o.bytes += p.size()
	return nil
}
