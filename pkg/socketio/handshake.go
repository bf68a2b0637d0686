package socketio

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"signalling/pkg/wsock"
)

// handshake opens a session (engine.io-protocol v4 "Handshake", v3 "Anatomy of an Engine.IO session").
func (s *Server) handshake(w http.ResponseWriter, r *http.Request, q *query) {
	if q.transport == transportWebSocket {
		s.handshakeWebSocket(w, r, q)
		return
	}
	if s.polling.Add(1) > int64(s.cfg.MaxPolling) {
		s.polling.Add(-1)
		errTooMany.write(w)
		return
	}
	session := s.newSession(q.version(), r)
	session.poll = new(polling)
	if !s.add(session) {
		s.polling.Add(-1)
		errUnavailable.write(w)
		return
	}
	if !s.enter(session) { // a shutdown has ended it already
		errUnavailable.write(w)
		return
	}
	defer s.running.Done()
	session.begin()
	session.servePoll(w, r, q.base64)
}

// handshakeWebSocket opens a session that never polls.
func (s *Server) handshakeWebSocket(w http.ResponseWriter, r *http.Request, q *query) {
	conn, err := s.direct.Upgrade(w, r)
	if err != nil {
		return // it has been answered
	}
	session := s.newSession(q.version(), r)
	session.conn = conn
	if !s.add(session) {
		conn.Abort(closeGoingAway, ReasonShutdown.String())
		conn.Finish()
		return
	}
	session.begin()
	conn.Serve((*receiver)(session))
}

// newSession makes a session without a transport.
func (s *Server) newSession(eio int, r *http.Request) *Session {
	session := &Session{srv: s, eio: uint8(eio), sid: s.cfg.NewID()} // #nosec G115 -- 3 or 4
	session.id = session.sid                                         // protocol 3: clients take the sid for their id
	if eio == eio4 {
		session.id = s.cfg.NewID()
	}
	session.opening = &opening{request: detach(r)}
	return session
}

// detach returns of a request what may be read after its handler has returned.
func detach(r *http.Request) *http.Request {
	if r.Context().Done() == nil && r.Body == http.NoBody {
		return r
	}
	d := r.WithContext(context.WithoutCancel(r.Context()))
	d.Body = http.NoBody
	return d
}

// begin sends the open packet and starts the clocks. Under protocol 3 the client then is connected to the namespace
// unasked (socket.io-protocol v4, "Connection to the default namespace"); under 4 it has to ask.
func (s *Session) begin() {
	s.mu.Lock()
	if !s.ended() { // by a shutdown that came first
		_ = s.queue(s.openPacket()) // the first packet of an empty queue
		s.startHeartbeat()
		s.limitAfter(s.srv.cfg.ConnectTimeout)
	}
	conn := s.conn
	s.mu.Unlock()
	flush(conn)
	if s.eio == eio3 {
		s.recv.Lock()
		s.join(nil)
		s.recv.Unlock()
	}
}

// openPacket is "0" and the handshake's JSON.
func (s *Session) openPacket() *Packet {
	c := &s.srv.cfg
	b := append(wsock.Begin(160), `0{"sid":`...)
	b = appendJSON(b, s.sid)
	b = append(b, `,"upgrades":[`...)
	if s.poll != nil {
		b = append(b, `"websocket"`...)
	}
	b = append(b, `],"pingInterval":`...)
	b = strconv.AppendInt(b, c.PingInterval.Milliseconds(), 10)
	b = append(b, `,"pingTimeout":`...)
	b = strconv.AppendInt(b, c.PingTimeout.Milliseconds(), 10)
	b = append(b, `,"maxPayload":`...)
	b = strconv.AppendInt(b, c.ReadLimit, 10)
	return &Packet{frame: wsock.Seal(wsock.OpText, append(b, '}'))}
}

// appendJSON appends a string as JSON.
func appendJSON(b []byte, text string) []byte {
	if isPlain(text) {
		return append(append(append(b, '"'), text...), '"')
	}
	quoted, _ := json.Marshal(text) // a string always can be
	return append(b, quoted...)
}

// isPlain says whether a string is the same in JSON, as ids are.
func isPlain(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
