package door

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/gorilla/websocket"

	"signalling/api/client"
	"signalling/pkg/wsock"
	"signalling/services/gateway/internal/hub"
)

// nativeEncoder makes frames of the native door.
type nativeEncoder struct{}

// Door implements hub.Encoder.
func (nativeEncoder) Door() string { return nativeDoor }

// Broadcast implements hub.Encoder.
func (nativeEncoder) Broadcast(b *hub.Broadcast) hub.Frame {
	if b.Native == nil {
		b.Native = frame(b.Event, nil)
	}
	return wired(b.Native)
}

// Answer implements hub.Encoder.
func (nativeEncoder) Answer(ref []byte, e client.Event) hub.Frame { return wired(frame(e, ref)) }

// Signal implements hub.Encoder.
func (nativeEncoder) Signal(room, sender string, data []byte) hub.Frame {
	data = inline(data)
	buf := wsock.Begin(len(room) + len(sender) + len(data) + 64)
	return wired(wsock.Seal(wsock.OpText, client.AppendSignalObject(buf, room, sender, data)))
}

func wired(f wsock.Frame) hub.Frame { return hub.Frame{Text: f.Payload(), Wire: f} }

// nativeLink is a client of the native door whose session may outlive its connection.
type nativeLink struct {
	*native
	over      chan struct{}
	resumeRef []byte // of the command that is being answered by Resumed
}

// Send implements hub.Link.
func (l *nativeLink) Send(_ uint64, f hub.Frame) {
	if f.Wire == nil {
		f.Wire = wsock.TextFrame(f.Text)
	}
	l.queue(f.Wire)
}

// Acknowledge implements hub.Link.
func (l *nativeLink) Acknowledge([]byte, client.Event) {}

// Resumed implements hub.Link.
func (l *nativeLink) Resumed(s *hub.Session, e *client.Resumed) {
	e.Resume = l.door.hub.Tokens().Seal(nativeDoor, s.TokenNow())
	l.queue(frame(e, l.resumeRef))
}

// Ask implements hub.Link: by a ping, which its pong repeats.
func (l *nativeLink) Ask(m hub.Mark) { _ = l.ws.PingWith(pingOf(m)) } // if the queue is full, the connection ends

// Flush implements hub.Link.
func (l *nativeLink) Flush() { l.ws.Flush() }

// Close implements hub.Link. A client that is sent elsewhere is told so before, and what it has sent already is taken.
func (l *nativeLink) Close(code client.CloseCode) {
	if code == client.CloseGoingAway {
		l.queue(frame(&client.GoingAway{RetryAfter: goingAwayPause}, nil))
		l.ws.Leave(int(code), code.Reason())
		return
	}
	l.ws.Close(int(code), code.Reason())
}

// Cut implements hub.Link. Nothing more is read; the close frame is still sent.
func (l *nativeLink) Cut() {
	l.ws.Cut(int(client.CloseResumed), client.CloseResumed.Reason())
}

// Over implements hub.Link.
func (l *nativeLink) Over() <-chan struct{} { return l.over }

// Encoder implements hub.Link.
func (l *nativeLink) Encoder() hub.Encoder { return nativeEncoder{} }

// ended tells the session that the connection has ended, for good if the client said so or has broken the protocol.
func (l *nativeLink) ended(err error) {
	s := l.session.Load()
	if final(err) {
		s.Gone(l)
	} else {
		s.Lost(l)
	}
	close(l.over)
}

// final tells whether a connection that ended so ends its session.
func final(err error) bool {
	closed, ok := errors.AsType[*wsock.CloseError](err)
	if !ok {
		return false // the network
	}
	switch closed.Code {
	case websocket.CloseNormalClosure, websocket.CloseNoStatusReceived, websocket.CloseProtocolError,
		websocket.CloseInvalidFramePayloadData, websocket.CloseMessageTooBig:
		return true
	case websocket.CloseGoingAway:
		return closed.ByPeer // a page that is left
	}
	return !closed.ByPeer && closed.Code >= int(client.CloseUnauthorized) && closed.Code != int(client.CloseResumed)
}

// offer puts the token into the welcome.
func (l *nativeLink) offer(w *client.Welcome) {
	s := l.session.Load()
	w.Resume, w.ResumeWindow = l.door.hub.Tokens().Seal(nativeDoor, *s.Token()), s.Window()
}

// pingBytes is the length of a ping with a mark.
const pingBytes = 16

func pingOf(m hub.Mark) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, m.Inc), m.Sent)
}

// ponged takes the answer to a ping: the client has all that was sent before it.
func (l *nativeLink) ponged(payload []byte) {
	if len(payload) == pingBytes {
		l.session.Load().Acked(hub.Mark{Inc: binary.BigEndian.Uint64(payload), Sent: binary.BigEndian.Uint64(payload[8:])})
	}
}

// resume takes the first message, if it is a resume: from then on the client's session is the earlier one, or still its own
// if that cannot be. It reports whether the message was dealt with.
func (c *native) resume(op int, msg []byte, cmd *client.Command) bool {
	if op != wsock.OpText || client.DecodeCommandObject(msg, cmd) != nil || cmd.Op != client.Resume {
		return false
	}
	fresh := c.session.Load()
	if c.link == nil {
		fresh.Answer(cmd.ID, &client.Error{Code: client.Unauthorized, Message: "sessions are not resumed here"})
		return true
	}
	s, err := c.link.take(cmd)
	if err != nil {
		e := c.door.hub.ResumeError(err)
		c.door.cfg.Logger.Info("session not resumed", "client", fresh.ID(), "door", nativeDoor, "reason", e.Message)
		fresh.Answer(cmd.ID, e)
		return true
	}
	c.door.cfg.Logger.Info("session resumed", "client", s.ID(), "door", nativeDoor, "as", fresh.ID())
	fresh.End()
	return true
}

// take finds the session of the token and makes it this connection's.
func (l *nativeLink) take(cmd *client.Command) (*hub.Session, error) {
	h := l.door.hub
	t, err := h.Tokens().Open(nativeDoor, string(cmd.Token))
	if err != nil {
		return nil, err
	}
	l.resumeRef = append([]byte(nil), cmd.ID...)
	return h.Resume(context.Background(), l, l.guard.display(), t, cmd.Received, func(s *hub.Session) {
		l.session.Store(s)
		l.guard.session.Store(s)
	})
}

// goingAwayPause is the hint to clients of a gateway that stops, in ms: it closes them one after the other, so there is no
// need to wait.
const goingAwayPause = 0
