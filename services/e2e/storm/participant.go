package storm

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/check"
)

// participant is one connection, and the record of what it sees.
type participant struct {
	connection
	storm   *Storm
	gateway int
	lasting *lasting // the connection, if its session outlives connections
	conn    net.Conn
	left    atomic.Int64 // when it ended the connection by its own will, since the storm's start; 0 if it did not

	sending sync.Mutex // guards sent, and that signals are sent in its order
	sent    uint64

	mu       sync.Mutex // guards what follows
	history  check.History
	ended    time.Duration       // when the connection had ended
	members  map[string][]string // by room: as it knows them, for choosing whom to send a signal
	promised []promise
}

// promise is a signal of which the server has said that it has reached its target's gateway.
type promise struct {
	room, target string
	number       uint64
	sent, at     time.Duration
}

// connect opens a connection and begins its record.
func (s *Storm) connect(ctx context.Context, gateway int, socketIO bool) (*participant, error) {
	p := &participant{storm: s, members: map[string][]string{}}
	if err := s.dial(ctx, p, gateway, socketIO); err != nil {
		return nil, err
	}
	p.history.Client = p.ID()
	s.mu.Lock()
	s.participants = append(s.participants, p)
	s.mu.Unlock()
	s.recorders.Go(p.record)
	return p, nil
}

// dial connects, to the next gateway if one is gone and that is expected.
func (s *Storm) dial(ctx context.Context, p *participant, gateway int, socketIO bool) error {
	if s.cfg.Resume {
		open := openNative
		if socketIO {
			open = openSocketIO
		}
		var err error
		p.lasting, err = s.connectLasting(ctx, open, gateway)
		p.connection = p.lasting
		return err
	}
	open := dialNative
	if socketIO {
		open = dialSocketIO
	}
	catch := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		p.conn = conn
		return conn, err
	}
	for ; ; gateway++ {
		url, err := s.cfg.URL(gateway)
		if err == nil {
			p.gateway = gateway
			p.connection, err = open(ctx, url, catch)
		}
		if err == nil || !s.cfg.TolerateEnds || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(50*time.Millisecond + rand.N(50*time.Millisecond)): //nolint:gosec // G404: jitter
		case <-ctx.Done():
			return err
		}
	}
}

// record follows the connection to its end.
func (p *participant) record() {
	p.Follow(p.see)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.history.Ended = true
	p.ended = time.Since(p.storm.start)
}

func (p *participant) see(e client.Event, answer bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.history.Seen = append(p.history.Seen, check.Seen{Event: e, Answer: answer, At: time.Since(p.storm.start)})
	switch e := e.(type) {
	case *client.RoomCreated:
		p.members[e.Room] = []string{p.ID()}
	case *client.RoomJoined:
		p.members[e.Room] = append(slices.Clone(e.Clients), p.ID())
	case *client.RoomLeft:
		delete(p.members, e.Room)
	case *client.ClientJoined:
		p.members[e.Room] = append(p.members[e.Room], e.ClientID)
	}
	select {
	case p.storm.changes <- struct{}{}:
	default:
	}
}

// snapshot is the record so far.
func (p *participant) snapshot() check.History {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.history
	h.Seen = slices.Clip(h.Seen)
	return h
}

// signal sends the next number: each sender's ascend, in the order in which they are sent.
func (p *participant) signal(ctx context.Context, room, target string) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.sent++
	n, sent := p.sent, time.Since(p.storm.start)
	return p.Signal(ctx, room, target, n, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.promised = append(p.promised, promise{room, target, n, sent, time.Since(p.storm.start)})
	})
}

// insist does something again for as long as that fails because a connection has ended and the session goes on with the next.
func (p *participant) insist(ctx context.Context, do func() error) error {
	for {
		err := do()
		_, closed := errors.AsType[*client.CloseError](err)
		_, broken := errors.AsType[net.Error](err)
		if p.lasting == nil || p.over() || ctx.Err() != nil || (!closed && !broken) {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// neighbour picks one who is in the room or has been.
func (p *participant) neighbour(room string, n uint64) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if all := p.members[room]; len(all) > 0 {
		return all[n%uint64(len(all))]
	}
	return ""
}

// over says whether the connection has ended.
func (p *participant) over() bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// leave ends the connection by the book.
func (p *participant) leave() {
	p.left.Store(int64(time.Since(p.storm.start)))
	_ = p.Close()
}

// endedAt is when the connection ended: for its own will, before anybody else could know.
func (p *participant) endedAt() time.Duration {
	if left := p.left.Load(); left != 0 {
		return time.Duration(left)
	}
	if p.lasting != nil && p.over() {
		return p.lasting.lostAt()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// excused asks for an excuse for what happened to the client in a room between two times, at any gateway where it was then.
func (p *participant) excused(excuse Excuse, room string, from, to time.Duration) (since time.Duration, ok bool) {
	if p.lasting == nil {
		return excuse(p.gateway, room, from, to)
	}
	for _, at := range p.lasting.where() {
		if at.from > to {
			break
		}
		if since, ok = excuse(at.gateway, room, max(from, at.from), to); ok {
			return since, true
		}
	}
	return 0, false
}

// reset ends the connection without a word: the server's system gets a TCP reset. A session goes on.
func (p *participant) reset() {
	if p.lasting != nil {
		p.lasting.sever()
		return
	}
	p.left.Store(int64(time.Since(p.storm.start)))
	if tcp, ok := p.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = p.conn.Close()
	_ = p.Close()
}
