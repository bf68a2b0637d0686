package resume

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	api "signalling/api/client"
	sdk "signalling/pkg/client"
	"signalling/services/e2e/labtest"
)

// crowd is pairs of clients, each pair in a room of its own, at two gateways and through two doors.
type crowd struct {
	t       *testing.T
	f       *fleet
	members []*member
	every   time.Duration // between two signals of a client
	quiet   bool          // what is wrong is counted, and no failure

	wrong, resumed, commands atomic.Int64
	silence                  atomic.Int64 // the longest that a client has waited for a signal, in ns
	resting                  atomic.Bool  // no more signals are sent
	cancel                   context.CancelFunc
	running                  sync.WaitGroup
}

// member is one client of a pair, over all of its connections.
type member struct {
	all     *crowd
	gateway int
	room    string
	dial    func(ctx context.Context, url string, was link) (link, *api.Resumed, error)
	c       link
	heard   time.Time // when the last signal came
	id      string
	partner *member

	sent, received atomic.Int64
}

// perClient is the pause between two signals of a client, for each client that there is: 2,000 signals per second in all.
const perClient = 500 * time.Microsecond

func newCrowd(t *testing.T, f *fleet, n int, quiet bool) *crowd {
	t.Helper()
	all := &crowd{t: t, f: f, quiet: quiet, every: time.Duration(n) * perClient}
	for i := range n {
		m := &member{all: all, gateway: i, room: fmt.Sprintf("pair %d", i/2), dial: dialNative, heard: time.Now()}
		if i%4 == 1 || i%4 == 2 {
			m.dial = dialSocketIO
		}
		var err error
		if m.c, _, err = m.connect(labtest.Context(t), nil); err != nil {
			t.Fatal(err)
		}
		m.id = m.c.ID()
		if i%2 == 0 {
			must(t, m.c.Create(labtest.Context(t), m.room))
		} else {
			must(t, m.c.Join(labtest.Context(t), m.room))
			m.partner = all.members[i-1]
			m.partner.partner = m
		}
		all.members = append(all.members, m)
	}
	ctx, cancel := context.WithCancel(context.Background())
	all.cancel = cancel
	for _, m := range all.members {
		all.running.Go(func() { m.live(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		all.running.Wait()
	})
	return all
}

// flows waits until each client has got a signal that was sent from now on.
func (all *crowd) flows() {
	all.t.Helper()
	from := make([]int64, len(all.members))
	for i, m := range all.members {
		from[i] = m.partner.sent.Load() + 1
	}
	all.await("signals do not flow", func(i int, m *member) bool { return m.received.Load() >= from[i] })
}

// end waits until all that was sent has arrived.
func (all *crowd) end() {
	all.t.Helper()
	all.resting.Store(true)
	all.await("signals are lost", func(_ int, m *member) bool { return m.received.Load() == m.partner.sent.Load() })
	all.cancel()
	all.running.Wait()
}

// delivered is how many signals have arrived.
func (all *crowd) delivered() (n int64) {
	for _, m := range all.members {
		n += m.received.Load()
	}
	return n
}

func (all *crowd) await(what string, ok func(i int, m *member) bool) {
	all.t.Helper()
	deadline := time.Now().Add(2 * labtest.Patience)
	for i, m := range all.members {
		for !ok(i, m) {
			if time.Now().After(deadline) {
				all.t.Fatalf("%s: member %d has %d, its partner has sent %d", what, i, m.received.Load(), m.partner.sent.Load())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// fault notes what must not be.
func (m *member) fault(format string, args ...any) {
	m.all.wrong.Add(1)
	if !m.all.quiet {
		m.all.t.Errorf("%s, %s: %s", m.room, m.id, fmt.Sprintf(format, args...))
	}
}

// connect opens a connection at the member's gateway, and takes the session of a lost one there.
func (m *member) connect(ctx context.Context, was link) (link, *api.Resumed, error) {
	ctx, cancel := context.WithTimeout(ctx, labtest.Patience)
	defer cancel()
	url, err := m.all.f.URL(ctx, m.gateway)
	if err != nil {
		return nil, nil, err
	}
	return m.dial(ctx, url, was)
}

// live signals and takes signals until ctx ends.
func (m *member) live(ctx context.Context) {
	defer func() { _ = m.c.Close() }()
	every := time.NewTicker(m.all.every)
	defer every.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-m.c.Events():
			if ok {
				m.take(e)
			} else if !m.back(ctx) {
				return
			}
		case <-every.C:
			if n++; !m.all.resting.Load() {
				m.say(ctx, n)
			}
		}
	}
}

// say sends the next signal, and now and then a command.
func (m *member) say(ctx context.Context, n int) {
	var refused *sdk.Error
	if n%10 == 0 {
		err := m.c.Join(ctx, m.room)
		if errors.As(err, &refused) || errors.Is(err, sdk.ErrRoomNotExists) {
			m.fault("join: %v", err)
		} else if err == nil {
			m.all.commands.Add(1)
		}
		return
	}
	next := m.sent.Load() + 1
	if m.c.Signal(ctx, m.room, m.partner.id, next) == nil { // else nothing was sent
		m.sent.Store(next)
	}
}

func (m *member) take(message sdk.Message) {
	switch e := message.Event.(type) {
	case *sdk.SignalReceive:
		n, _ := strconv.ParseInt(string(e.Data), 10, 64)
		if want := m.received.Load() + 1; n != want {
			m.fault("signal %d, want %d", n, want)
		}
		m.received.Store(n)
		m.waited()
	case *sdk.RoomJoined:
		if !slices.Equal(e.Clients, []string{m.partner.id}) {
			m.fault("with %v, want %s", e.Clients, m.partner.id)
		}
	case *sdk.ClientLeft, *sdk.RoomLeft, *sdk.NotInRoom, *sdk.TargetNotFound, *sdk.Error:
		m.fault("%s", message.Raw)
	}
}

// waited notes for how long no signal has come.
func (m *member) waited() {
	now := time.Now()
	silence := now.Sub(m.heard)
	m.heard = now
	for was := m.all.silence.Load(); int64(silence) > was && !m.all.silence.CompareAndSwap(was, int64(silence)); {
		was = m.all.silence.Load()
	}
}

// back connects again, at the other gateway first.
func (m *member) back(ctx context.Context) bool {
	<-m.c.Done()
	_ = m.c.Close()
	for ctx.Err() == nil {
		m.gateway++
		c, r, err := m.connect(ctx, m.c)
		if err != nil {
			time.Sleep(20*time.Millisecond + rand.N(20*time.Millisecond))
			continue
		}
		m.c = c
		if r == nil || r.Missed || c.ID() != m.id {
			m.fault("it came back as %s, %+v", c.ID(), r)
		} else {
			m.all.resumed.Add(1)
		}
		return true
	}
	return false
}
