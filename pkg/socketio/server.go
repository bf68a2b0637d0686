package socketio

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signalling/pkg/slots"
	"signalling/pkg/wsock"
)

// Versions of Engine.IO, as in the EIO parameter of requests.
const (
	eio3 = 3 // with Socket.IO protocol 4: clients 1.x and 2.x
	eio4 = 4 // with Socket.IO protocol 5: clients 3.x and 4.x
)

// Server is an http.Handler that serves Socket.IO clients, to be mounted at /socket.io/. Make one with NewServer.
type Server struct {
	cfg     Config
	handler Handler
	clock   *slots.Clock
	started time.Time // for times in less than a time.Time
	idler   Idler     // handler, if it is one; else nil
	pinger  Pinger    // likewise
	beats   Heartbeats

	// direct accepts WebSockets that begin a session, takeover those that take one over from polling.
	direct, takeover *wsock.Upgrader

	// running counts the sessions in the map, the goroutines that read WebSockets, the requests that may call the
	// handler, and the calls of Handler.Disconnect under way.
	running sync.WaitGroup

	polling atomic.Int64 // sessions that poll

	mu       sync.RWMutex // guards the fields below
	sessions map[string]*Session
	closing  bool
	refusing bool
}

// NewServer makes a server. It needs no start: it works when requests reach it.
func NewServer(c Config, h Handler) *Server {
	c = c.withDefaults()
	s := &Server{cfg: c, handler: h, clock: c.Clock, started: time.Now(), sessions: make(map[string]*Session)}
	s.idler, _ = h.(Idler)
	s.pinger, _ = h.(Pinger)
	s.beats, _ = h.(Heartbeats)
	o := wsock.Options{
		ReadLimit:    c.ReadLimit,
		QueueFrames:  c.QueueFrames,
		QueueBytes:   c.QueueBytes,
		WriteTimeout: c.WriteTimeout,
		CloseTimeout: c.CloseTimeout,
		// The origin has been checked before, for both transports in one place.
		CheckOrigin: func(*http.Request) bool { return true },
	}
	s.direct = wsock.NewUpgrader(o)
	// A polling session's queue may be full when it is moved to the WebSocket, where the answer to the probe may still
	// be waiting.
	o.QueueFrames += 16
	o.QueueBytes += 4 << 10
	s.takeover = wsock.NewUpgrader(o)
	return s
}

// Len returns how many sessions are open, on either transport, joined or not, those that are closing included.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.sessions)
}

// Refuse lets no new sessions in, as Shutdown does, and leaves the others alone.
func (s *Server) Refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = true
}

// Shutdown refuses new sessions with status 503 and ends all others gracefully: what is queued is delivered, then the
// transport is closed without a Socket.IO disconnect packet (41), since clients do not reconnect after one. It returns
// when every session and every goroutine of the server has ended. When ctx ends first, what is left is cut off, and ctx's
// error is returned; wrapped, should the handler still not have returned a second later. It must not be called by the
// handler.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, session := range s.close() {
		session.end(ReasonShutdown, farewell{code: closeGoingAway, text: ReasonShutdown.String()})
	}
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	for _, session := range s.close() {
		session.end(ReasonShutdown, farewell{how: abrupt, code: closeGoingAway, text: ReasonShutdown.String()})
	}
	const grace = time.Second
	select {
	case <-done:
		return ctx.Err()
	case <-time.After(grace):
		return fmt.Errorf("socketio: %d sessions have not ended: %w", s.Len(), ctx.Err())
	}
}

// close refuses sessions from now on and returns those that there are.
func (s *Server) close() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	all := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		all = append(all, session)
	}
	return all
}

// isClosing reports whether Shutdown has begun.
func (s *Server) isClosing() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closing
}

// add enters a new session, or reports false when the server is closing.
func (s *Server) add(session *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.refusing {
		return false
	}
	s.sessions[session.sid] = session
	s.running.Add(1)
	return true
}

// remove takes a session out; doing so again does nothing.
func (s *Server) remove(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[session.sid] == session {
		delete(s.sessions, session.sid)
		s.running.Done()
		if session.poll != nil { // does not change any more
			s.polling.Add(-1)
		}
	}
}

// find returns the session of a sid, nil when there is none.
func (s *Server) find(sid string) *Session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sessions[sid]
}

// enter counts the caller as running for a session that is still in the map, or reports false; s.running.Done ends it.
func (s *Server) enter(session *Session) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.sessions[session.sid] != session {
		return false
	}
	s.running.Add(1)
	return true
}
