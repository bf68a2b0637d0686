package socketio

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"signalling/pkg/slots"
)

// Config is a server's settings. Fields left zero take the default that their comment names.
type Config struct {
	// ReadLimit is the largest message in bytes, 256 KiB by default: a WebSocket message, the body of one polling POST,
	// and a binary event with all its attachments. It is announced to clients as maxPayload. A larger message ends its
	// session with WebSocket close code 1009 or HTTP status 413.
	ReadLimit int64

	// PingInterval is the time between two heartbeats and PingTimeout the time to wait for one that is due; 25 s and
	// 20 s by default. Both are announced to clients in whole milliseconds. Under EIO=4 the server pings and waits for
	// the answer, under EIO=3 the client pings and the server waits for the sum of both.
	PingInterval time.Duration
	PingTimeout  time.Duration

	// ConnectTimeout is how long a client may take to join the namespace after the handshake, 45 s by default. A client
	// that has left the namespace must close its transport within the same time.
	ConnectTimeout time.Duration

	// UpgradeTimeout is the time from the opening of an upgrade's WebSocket to the packet that completes the upgrade,
	// 10 s by default. Past it that WebSocket is closed, and the session stays on polling.
	UpgradeTimeout time.Duration

	// QueueFrames and QueueBytes bound what one session has queued to be sent, on either transport; 1024 packets and
	// 4 MiB by default. A packet that would exceed them is refused with ErrQueueFull.
	QueueFrames int
	QueueBytes  int

	// ReadTimeout is how long the body of a POST may take to arrive, 20 s by default.
	ReadTimeout time.Duration

	// WriteTimeout is how long a write may take (a batch of frames, or the answer to a GET), 10 s by default. Past it
	// the session ends.
	WriteTimeout time.Duration

	// CloseTimeout bounds a graceful close: what a WebSocket takes to deliver its queue and the closing handshake, and
	// how long a closed polling session waits for the GET that fetches its last packets; 5 s by default.
	CloseTimeout time.Duration

	// Polling allows HTTP long-polling, with which all clients begin by default. It needs all requests of a session to
	// reach one server. Without it only clients that are set to transports: ["websocket"] can connect; the others get
	// status 400, code 0.
	Polling bool

	// MaxPolling bounds the sessions on polling at one time, those on their way to a WebSocket included; 10000 by
	// default. Unlike WebSockets they cost a client nothing, not even a connection. Beyond it handshakes by polling get
	// status 503, and clients try again.
	MaxPolling int

	// CheckOrigin decides whether a page of the request's Origin may use the server, on both transports; the answers
	// to those that may carry the CORS headers, the others get status 403 without them. It is asked for requests without
	// an Origin header too. By default such requests pass, and others must name the host that they are sent to.
	CheckOrigin func(r *http.Request) bool

	// CheckHandshake, if set, is asked before a session is made. It returns false when it has answered the request instead.
	CheckHandshake func(w http.ResponseWriter, r *http.Request) bool

	// MaxAttachments is how many attachments a binary event may have, 10 by default (as in the JavaScript server);
	// negative allows none.
	MaxAttachments int

	// Clock has the timers of sessions, which may be late by the width of its slots. Default: a clock of the server's own,
	// with the Width of its heartbeats.
	Clock *slots.Clock

	// Logger gets a line at debug level for each session that ends by the client's fault, and one at error level for
	// each error of Handler.Connect that is no *ConnectError. Session ids are never logged. Default: slog.Default().
	Logger *slog.Logger

	// NewID makes session ids and public ids. They must be unguessable, URL-safe, never repeat, and be of ASCII letters,
	// digits, '-' and '_'. Default: 15 random bytes in base64url, 20 characters.
	NewID func() string
}

// withDefaults fills the fields that are zero.
func (c Config) withDefaults() Config {
	def(&c.ReadLimit, 256<<10)
	def(&c.PingInterval, 25*time.Second)
	def(&c.PingTimeout, 20*time.Second)
	def(&c.ConnectTimeout, 45*time.Second)
	def(&c.UpgradeTimeout, 10*time.Second)
	def(&c.QueueFrames, 1024)
	def(&c.QueueBytes, 4<<20)
	def(&c.ReadTimeout, 20*time.Second)
	def(&c.WriteTimeout, 10*time.Second)
	def(&c.CloseTimeout, 5*time.Second)
	def(&c.MaxPolling, 10000)
	def(&c.MaxAttachments, 10)
	def(&c.Logger, slog.Default())
	if c.Clock == nil {
		c.Clock = slots.NewClock(slots.Width(c.PingInterval, c.PingTimeout))
	}
	if c.CheckOrigin == nil {
		c.CheckOrigin = sameOrigin
	}
	if c.NewID == nil {
		c.NewID = newID
	}
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Handler is the application above a Server. Its methods are called by many goroutines, but for one session never at the
// same time and in the order of what happened, also across an upgrade from polling to WebSocket. While a method runs, its
// session reads nothing more: that is the back-pressure.
type Handler interface {
	// Connect decides whether a client may join. It gets the client's auth object (clients 3 and 4; nil when there is
	// none) and the request of the handshake, of which the context is detached from the connection and the body must not
	// be read; both are valid only during the call. An error refuses the client: see ConnectError. Packets sent during
	// the call leave after the client was told that it is connected.
	Connect(s *Session, auth json.RawMessage, r *http.Request) error

	// Event delivers one event. payload is the JSON array in raw form, its first element the event's name; it is valid
	// only during the call. Only its framing has been checked (see the package comment): Event must check that it is
	// JSON, and returns an error when it is not, which ends the session with ReasonParseError. All that is wrong above
	// the level of JSON should be answered with an event instead.
	//
	// A binary event has attachments, which may be kept; payload has {"_placeholder":true,"num":i} in the place of
	// attachments[i], is valid JSON, and names each attachment.
	Event(s *Session, ack AckID, payload []byte, attachments [][]byte) error

	// Disconnect is called once for each session that Connect has accepted, after everything else. When it is called
	// nothing can be sent any more.
	Disconnect(s *Session, reason Reason)
}

// Pinger may be implemented by a Handler that bounds how often clients ping.
type Pinger interface {
	// Ping is called for each ping, noop and pong of a client that is connected, those of WebSocket included, but for answers
	// to heartbeats: false leaves it without an answer. It is called as the methods of Handler are.
	Ping(s *Session) bool
}

// Heartbeats may be implemented by a Handler that wants to know what a client of EIO 4 has received: it has all that was
// queued before Pinged when Ponged follows.
type Heartbeats interface {
	// Pinged is called before a ping is queued.
	Pinged(s *Session)
	// Wants says whether Pinged and Ponged are to be called for the session. It is asked once, after Connect, and must not
	// wait.
	Wants(s *Session) bool
	// Ponged is called when it was answered.
	Ponged(s *Session)
}

// Idler may be implemented by a Handler that collects what events cause.
type Idler interface {
	// Idle is called when all that has arrived from the session is delivered, before more is waited for: the moment to
	// Flush what the events so far have caused, so that what belongs together leaves together. It is called as the
	// methods of Handler are, between Connect and Disconnect and never at the same time as one of them.
	Idle(s *Session)
}
