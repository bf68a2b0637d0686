package door

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"signalling/api/client"
	"signalling/pkg/socketio"
	"signalling/services/gateway/internal/hub"
)

// Socket.IO clients from 4.6 have a connection state recovery of their own. The server gives them a private id (pid) when
// they connect, which stays the same for as long as the session lasts, and an offset as the last argument of each event.
// They come back with both. Here the offset has the number of the event in the session, and signs who resumes what: it
// changes with each resumption, so that a pid with an offset from before is worth nothing.

const (
	pidPurpose = "socket.io-pid"
	// recoveringEIO is the Engine.IO of clients that may have the recovery. Those that do not ignore the pid.
	recoveringEIO = 4
)

// errRecovery is what a client brought that did not come from here.
var errRecovery = fmt.Errorf("%w: the pid and the offset do not fit", hub.ErrToken)

// sioEncoder makes frames of the Socket.IO door: the event's array, without an offset. So that the offset, which comes last, has
// the same place in each event of a name, optional arguments that are not there are null.
type sioEncoder struct{}

// Door implements hub.Encoder.
func (sioEncoder) Door() string { return socketIODoor }

// Broadcast implements hub.Encoder.
func (sioEncoder) Broadcast(b *hub.Broadcast) hub.Frame {
	if b.Array == nil {
		b.Array = client.AppendFullArray(nil, b.Event)
	}
	return hub.Frame{Text: b.Array}
}

// Answer implements hub.Encoder.
func (sioEncoder) Answer(_ []byte, e client.Event) hub.Frame {
	return hub.Frame{Text: client.AppendFullArray(nil, e)}
}

// Signal implements hub.Encoder.
func (sioEncoder) Signal(room, sender string, data []byte) hub.Frame {
	text, attachments, ok := unbundle(data)
	if !ok {
		text = data
	}
	return hub.Frame{Text: client.AppendSignalArray(nil, room, sender, text), Attachments: attachments}
}

// sioLink is a client of the Socket.IO door whose session may outlive its connection.
type sioLink struct {
	*sioConn
	over   chan struct{}
	offset string // of each event, after its number

	mu    sync.Mutex // guards asked
	asked []hub.Mark // by pings that are not answered yet; one of the heartbeat's and one of Ask at most
}

// connect finds the client's earlier session, or else makes a new one.
func (l *sioLink) connect(auth json.RawMessage) {
	h := l.door.hub
	if pid, t, received, err := l.recovery(auth); pid != "" {
		var s *hub.Session
		if err == nil {
			s, err = h.Resume(context.Background(), l, l.guard.display(), t, received, func(s *hub.Session) {
				l.s.SetID(s.ID())
				l.session.Store(s)
			})
		}
		if err == nil {
			l.s.SetPID(pid)
			l.door.cfg.Logger.Info("session resumed", "client", s.ID(), "door", socketIODoor)
			return
		}
		l.door.cfg.Logger.Info("session not resumed", "door", socketIODoor, "reason", h.ResumeError(err).Message)
	}
	s := h.ConnectLink(l.s.ID(), l.guard.display(), l)
	l.session.Store(s)
	l.s.SetPID(h.Tokens().Seal(pidPurpose, hub.Token{Client: s.ID()}))
	l.sign(*s.Token())
	l.send(0, client.AppendFullArray(nil, &client.Welcome{
		ClientID: s.ID(), Protocol: client.Protocol, ResumeWindow: s.Window(), Display: s.Display(),
		MaxMessageBytes: uint64(l.door.cfg.MaxMessageBytes), // #nosec G115 -- a limit
	}), nil)
}

// recovery reads what a client brings of an earlier connection: an empty pid if it brings nothing.
func (l *sioLink) recovery(auth json.RawMessage) (pid string, t hub.Token, received uint64, err error) {
	var o struct{ PID, Offset json.RawMessage }
	var offset string
	_ = json.Unmarshal(auth, &o) // what is no such object has no pid
	if _ = json.Unmarshal(o.PID, &pid); pid == "" {
		return "", t, 0, nil
	}
	_ = json.Unmarshal(o.Offset, &offset) // nor has an empty offset a number
	tokens := l.door.hub.Tokens()
	who, err := tokens.Open(pidPurpose, pid)
	if err != nil {
		return pid, t, 0, err
	}
	number, rest, _ := strings.Cut(offset, ".")
	if received, err = strconv.ParseUint(number, 36, 64); err != nil {
		return pid, t, 0, errRecovery
	}
	t, err = tokens.Open(socketIODoor, who.Client+"."+rest)
	return pid, t, received, err
}

// sign makes the offsets of this connection.
func (l *sioLink) sign(t hub.Token) {
	_, l.offset, _ = strings.Cut(l.door.hub.Tokens().Seal(socketIODoor, t), ".")
}

// send queues an event with its offset.
func (l *sioLink) send(seq uint64, array []byte, attachments [][]byte) {
	n := len(array) - 1
	b := socketio.BeginEvent(n + len(l.offset) + 24)
	b = append(append(b, array[:n]...), `,"`...)
	b = strconv.AppendUint(b, seq, 36)
	b = append(append(append(b, '.'), l.offset...), `"]`...)
	if len(attachments) > 0 {
		l.queue(socketio.NewEvent(b[socketio.EventHeadroom:], attachments...))
		return
	}
	l.queue(socketio.SealEvent(b))
}

// Encoder implements hub.Link.
func (l *sioLink) Encoder() hub.Encoder { return sioEncoder{} }

// Send implements hub.Link.
func (l *sioLink) Send(seq uint64, f hub.Frame) { l.send(seq, f.Text, f.Attachments) }

// Acknowledge implements hub.Link.
func (l *sioLink) Acknowledge(ref []byte, e client.Event) {
	if e == nil {
		l.Delivered(ref)
		return
	}
	l.queue(socketio.NewAck(ackOf(ref), client.AppendArray(nil, e)))
}

// Resumed implements hub.Link. The event brings an offset that is good from now on.
func (l *sioLink) Resumed(s *hub.Session, e *client.Resumed) {
	l.sign(s.TokenNow())
	l.send(e.Seq, client.AppendFullArray(nil, e), nil)
}

// Ask implements hub.Link: by a ping out of turn.
func (l *sioLink) Ask(m hub.Mark) {
	l.asks(m)
	_ = l.s.Ping() // if the queue is full, the connection ends
}

// asks notes that a ping is sent.
func (l *sioLink) asks(m hub.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, m)
}

// answered takes the answer to the oldest ping.
func (l *sioLink) answered() {
	l.mu.Lock()
	if len(l.asked) == 0 {
		l.mu.Unlock()
		return
	}
	m := l.asked[0]
	l.asked = l.asked[1:]
	l.mu.Unlock()
	l.session.Load().Acked(m)
}

// Close implements hub.Link. What a client that is sent elsewhere has sent already is taken.
func (l *sioLink) Close(code client.CloseCode) {
	if code == client.CloseGoingAway {
		l.code.CompareAndSwap(0, uint32(code)) // #nosec G115 -- of a closed list
		l.s.Leave(int(code), code.Reason())
		return
	}
	l.sioConn.Close(code)
}

// Cut implements hub.Link.
func (l *sioLink) Cut() {
	l.s.Abort(int(client.CloseResumed), client.CloseResumed.Reason())
}

// Over implements hub.Link.
func (l *sioLink) Over() <-chan struct{} { return l.over }

// ended tells the session that the connection has ended: for good for those reasons for which Socket.IO servers do not
// recover either.
func (l *sioLink) ended(reason socketio.Reason) {
	s := l.session.Load()
	switch reason {
	case socketio.ReasonClientDisconnect, socketio.ReasonParseError, socketio.ReasonTooLarge:
		s.Gone(l)
	default:
		s.Lost(l)
	}
	close(l.over)
}

// Wants implements socketio.Heartbeats: for sessions that can be resumed.
func (d *SocketIO) Wants(s *socketio.Session) bool {
	c, ok := s.Data().(*sioConn)
	return ok && c.link != nil
}

// Pinged implements socketio.Heartbeats.
func (d *SocketIO) Pinged(s *socketio.Session) {
	c := s.Data().(*sioConn)
	c.link.asks(c.session.Load().Mark())
}

// Ponged implements socketio.Heartbeats.
func (d *SocketIO) Ponged(s *socketio.Session) {
	s.Data().(*sioConn).link.answered()
}
