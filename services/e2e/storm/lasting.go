package storm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signalling/pkg/client"
)

// resumable is a connection whose session can go on with another one.
type resumable interface {
	connection
	// session is what is left of it once it is Done, nil if it has ended for good.
	session() any
}

// opener connects, and takes up the session that is left of an earlier connection; nil for a new one. If the server does not
// give it, the error is a *refusal.
type opener func(ctx context.Context, url string, dial dialer, left any) (resumable, error)

// refusal is the server's word that a session is not resumed.
type refusal struct {
	reason string
	// sure says that the server knows that it cannot be resumed; else it may be that it could not find out.
	sure bool
}

// Error implements error.
func (r *refusal) Error() string { return "the session is not resumed: " + r.reason }

// doubt is how long a refusal that is not sure is tried again: for longer than the server may take to know.
const doubt = 9 * time.Second

// forgetful is the default of Config.Forgetful.
const forgetful = 10

// lasting is a client over all connections of its session: when one ends it makes the next, at any gateway.
type lasting struct {
	storm   *Storm
	open    opener
	id      string
	closing atomic.Bool
	quit    context.Context // ends with Close
	stop    context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex // guards what follows
	now    resumable
	socket net.Conn
	ready  chan struct{} // closed while there is a connection
	err    error         // why the session has ended
	places []place
	last   int           // the gateway of the newest connection
	away   time.Duration // since when there was no connection, at the end

	old     any            // what was presented to resume last; Follow's
	replays sync.WaitGroup // at most one; Follow's
}

// place is a gateway where a client was, from a time on, or where its session may have been: it asked for it there, and got no
// answer.
type place struct {
	gateway int
	from    time.Duration
}

// connectLasting makes the first connection.
func (s *Storm) connectLasting(ctx context.Context, open opener, gateway int) (*lasting, error) {
	l := &lasting{storm: s, open: open, done: make(chan struct{}), ready: make(chan struct{})}
	l.quit, l.stop = context.WithCancel(context.Background())
	if err := l.dial(ctx, gateway, nil); err != nil {
		return nil, err
	}
	l.id = l.now.ID()
	return l, nil
}

// dial makes a connection: to any gateway that takes it.
func (l *lasting) dial(ctx context.Context, gateway int, left any) error {
	var unsure time.Time
	for ; ; gateway++ {
		var socket net.Conn
		lose := left != nil && rand.IntN(100) < cmp.Or(l.storm.cfg.Forgetful, forgetful) //nolint:gosec // G404: chance
		url, err := l.storm.cfg.URL(gateway)
		var c resumable
		if err == nil {
			c, err = l.open(ctx, url, func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				if socket = conn; err == nil && lose {
					conn = &losing{Conn: conn}
				}
				return conn, err
			}, left)
		}
		if err == nil {
			l.arrived(c, socket, gateway)
			return nil
		}
		if no, ok := errors.AsType[*refusal](err); ok {
			if unsure.IsZero() {
				unsure = time.Now()
			}
			if no.sure || time.Since(unsure) > doubt {
				return err
			}
		}
		if left != nil && socket != nil {
			l.passed(gateway)
		}
		select {
		case <-time.After(50*time.Millisecond + rand.N(50*time.Millisecond)): //nolint:gosec // G404: jitter
		case <-ctx.Done():
			return err
		}
	}
}

// losing is a network connection that ends some time after its second write, which asks for the session.
type losing struct {
	net.Conn
	writes int
}

// Write implements net.Conn.
func (c *losing) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.writes++; c.writes == 2 {
		time.AfterFunc(rand.N(20*time.Millisecond), func() { _ = c.Close() }) //nolint:gosec // G404: chance
	}
	return n, err
}

func (l *lasting) arrived(c resumable, socket net.Conn, gateway int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now, l.socket = c, socket
	l.places = append(l.places, place{gateway, time.Since(l.storm.start)})
	l.last = gateway
	close(l.ready)
}

// passed notes a gateway that may have taken the session.
func (l *lasting) passed(gateway int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places = append(l.places, place{gateway, l.away})
}

// Follow implements connection: over all of them.
func (l *lasting) Follow(see func(e client.Event, answer bool)) {
	defer close(l.done)
	defer l.replays.Wait()
	for {
		l.now.Follow(see) // nobody else changes it
		<-l.now.Done()
		if !l.again() {
			return
		}
	}
}

// again makes the next connection. It returns false if the session has ended.
func (l *lasting) again() bool {
	left := l.now.session()
	l.mu.Lock()
	l.ready = make(chan struct{})
	l.away = time.Since(l.storm.start)
	last := l.last
	l.mu.Unlock()
	err := l.now.Err()
	_ = l.now.Close()
	l.replays.Wait()
	if left != nil && !l.closing.Load() {
		within, cancel := context.WithTimeout(l.quit, l.storm.cfg.Window+doubt)
		err = l.dial(within, last+rand.IntN(2), left) //nolint:gosec // G404: chance
		cancel()
	}
	if err == nil && l.now.ID() != l.id {
		err = fmt.Errorf("it came back as %s", l.now.ID())
	}
	if err == nil {
		if l.closing.Load() {
			late := l.now
			go func() { _ = late.Close() }() // Close may have closed the one before only; Follow reads this one to its end
			return true
		}
		if l.old != nil && rand.IntN(100) < replayed { //nolint:gosec // G404: chance
			old := l.old
			l.replays.Go(func() { l.replay(last, old) }) // what comes meanwhile is recorded when it comes
		}
		l.old = left
		return true
	}
	if l.closing.Load() {
		err = client.ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	return false
}

// replayed is how many of a hundred resumptions are followed by an attempt with what the one before was made with. By coming
// with something newer the client has shown that it had that: what is older is void.
const replayed = 20

func (l *lasting) replay(gateway int, old any) {
	url, err := l.storm.cfg.URL(gateway)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(l.quit, doubt)
	defer cancel()
	c, err := l.open(ctx, url, new(net.Dialer).DialContext, old)
	if err != nil {
		return // it was refused, or a fault came between
	}
	l.storm.mu.Lock()
	l.storm.errs = append(l.storm.errs, fmt.Sprintf("%s: a token that it had shown to be old was taken, as %s", l.id, c.ID()))
	l.storm.mu.Unlock()
	_ = c.Close()
}

// get waits for the connection.
func (l *lasting) get(ctx context.Context) (resumable, error) {
	l.mu.Lock()
	ready := l.ready
	l.mu.Unlock()
	select {
	case <-ready:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.now, nil
	case <-l.done:
		return nil, l.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *lasting) with(ctx context.Context, do func(c resumable) error) error {
	c, err := l.get(ctx)
	if err != nil {
		return err
	}
	return do(c)
}

// ID implements connection.
func (l *lasting) ID() string { return l.id }

// Create implements connection.
func (l *lasting) Create(ctx context.Context, room string) error {
	return l.with(ctx, func(c resumable) error { return c.Create(ctx, room) })
}

// Join implements connection.
func (l *lasting) Join(ctx context.Context, room string) error {
	return l.with(ctx, func(c resumable) error { return c.Join(ctx, room) })
}

// Leave implements connection.
func (l *lasting) Leave(ctx context.Context, room string) error {
	return l.with(ctx, func(c resumable) error { return c.Leave(ctx, room) })
}

// Signal implements connection.
func (l *lasting) Signal(ctx context.Context, room, target string, n uint64, delivered func()) error {
	return l.with(ctx, func(c resumable) error { return c.Signal(ctx, room, target, n, delivered) })
}

// Done implements connection.
func (l *lasting) Done() <-chan struct{} { return l.done }

// Err implements connection.
func (l *lasting) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close implements connection: by the book, which ends the session.
func (l *lasting) Close() error {
	l.closing.Store(true)
	l.stop()
	l.mu.Lock()
	c := l.now
	l.mu.Unlock()
	_ = c.Close()
	<-l.done
	return nil
}

// sever ends the connection without a word.
func (l *lasting) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tcp, ok := l.socket.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = l.socket.Close()
}

// where are the gateways where the client was, or its session may have been.
func (l *lasting) where() []place {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.places)
}

// lostAt is since when it had no connection when its session ended.
func (l *lasting) lostAt() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.away
}

// openNative is an opener.
func openNative(ctx context.Context, url string, dial dialer, left any) (resumable, error) {
	s, _ := left.(*client.Session)
	c, err := client.Dial(ctx, url, &client.Options{EventQueue: eventQueue, NetDial: dial, Resume: s})
	if err != nil {
		return nil, err
	}
	if s == nil || c.Resumed() != nil {
		return native{c}, nil
	}
	_ = c.Close()
	for m := range c.Events() {
		if e, ok := m.Event.(*client.Error); ok {
			return nil, &refusal{e.Message, true}
		}
	}
	return nil, &refusal{"no reason was given", true}
}

// session implements resumable.
func (c native) session() any {
	if s := c.Client.Session(); s != nil {
		return s
	}
	return nil
}
