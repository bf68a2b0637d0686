package resume

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "signalling/pkg/client"
	"signalling/services/e2e/chaos"
	"signalling/services/e2e/labtest"
)

var rollingClients = flag.Int("rolling.clients", 40, "clients that signal while everything is restarted")

// Everything is restarted, one after another, under clients that signal all the while: nobody is told that anybody has left,
// no command fails, and each signal arrives once and in order.
func TestRollingRestart(t *testing.T) {
	w := newWorld(t, "60s")
	all := newCrowd(t, w, *rollingClients, false)
	all.flows()
	for _, g := range w.Gateways {
		restart(t, w, g.Stop)
		all.flows()
	}
	for _, r := range w.Rooms {
		restart(t, w, r.Stop)
		all.flows()
	}
	all.end()
	if n := all.resumed.Load(); n < int64(*rollingClients) {
		t.Errorf("only %d sessions were resumed", n)
	}
}

// Without sessions the same clients see each other leave: the test above can fail.
func TestRollingRestartWithoutSessions(t *testing.T) {
	w := newWorld(t, "0s")
	all := newCrowd(t, w, 4, true)
	all.flows()
	restart(t, w, w.Gateways[0].Stop)
	for deadline := time.Now().Add(labtest.Patience); all.wrong.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody has noticed the restart of a gateway that keeps no sessions")
		}
	}
}

func newWorld(t *testing.T, window string) *chaos.World {
	t.Helper()
	w, err := chaos.NewWorld(labtest.BuildContext(t), labtest.NewLab(t), chaos.Size{Rooms: 2, Gateways: 2},
		"GATEWAY_RESUME_WINDOW="+window, secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// restart ends a process as an operator does, and starts it again.
func restart(t *testing.T, w *chaos.World, stop func(context.Context) (int, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*labtest.Patience)
	defer cancel()
	if code, err := stop(ctx); err != nil || code != 0 {
		t.Fatalf("it ended with %d, %v", code, err)
	}
	must(t, w.Restore(ctx))
}

// crowd is pairs of clients, each pair in a room of its own and at two gateways.
type crowd struct {
	t       *testing.T
	w       *chaos.World
	members []*member
	quiet   bool // what is wrong is counted, and no failure

	wrong, resumed atomic.Int64
	resting        atomic.Bool // no more signals are sent
	cancel         context.CancelFunc
	running        sync.WaitGroup
}

// member is one client of a pair, over all of its connections.
type member struct {
	all     *crowd
	gateway int
	room    string
	c       *sdk.Client
	id      string
	partner *member

	sent, received atomic.Int64
}

func newCrowd(t *testing.T, w *chaos.World, n int, quiet bool) *crowd {
	t.Helper()
	all := &crowd{t: t, w: w, quiet: quiet}
	for i := range n {
		m := &member{all: all, gateway: i, room: fmt.Sprintf("pair %d", i/2)}
		var err error
		if m.c, err = m.dial(labtest.Context(t), nil); err != nil {
			t.Fatal(err)
		}
		m.id = m.c.ID()
		if i%2 == 0 {
			must(t, m.c.Create(labtest.Context(t), m.room))
		} else {
			_, err := m.c.Join(labtest.Context(t), m.room)
			must(t, err)
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

func (m *member) dial(ctx context.Context, s *sdk.Session) (*sdk.Client, error) {
	url, err := m.all.w.URL(m.gateway)
	if err != nil {
		return nil, err
	}
	return sdk.Dial(ctx, url, &sdk.Options{Resume: s})
}

// live signals and takes signals until ctx ends.
func (m *member) live(ctx context.Context) {
	defer func() { _ = m.c.Close() }()
	every := time.NewTicker(20 * time.Millisecond)
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
		if _, err := m.c.Join(ctx, m.room); errors.As(err, &refused) || errors.Is(err, sdk.ErrRoomNotExists) {
			m.fault("join: %v", err)
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
	case *sdk.RoomJoined:
		if !slices.Equal(e.Clients, []string{m.partner.id}) {
			m.fault("with %v, want %s", e.Clients, m.partner.id)
		}
	case *sdk.ClientLeft, *sdk.RoomLeft, *sdk.NotInRoom, *sdk.TargetNotFound, *sdk.Error:
		m.fault("%s", message.Raw)
	}
}

// back connects again, at the other gateway first.
func (m *member) back(ctx context.Context) bool {
	<-m.c.Done()
	s := m.c.Session()
	if s == nil {
		m.fault("no session after %v", m.c.Err())
	}
	_ = m.c.Close()
	for ctx.Err() == nil {
		m.gateway++
		c, err := m.dial(ctx, s)
		if err != nil {
			time.Sleep(20*time.Millisecond + rand.N(20*time.Millisecond))
			continue
		}
		m.c = c
		if r := c.Resumed(); r == nil || r.Missed || c.ID() != m.id {
			m.fault("it came back as %+v", r)
		} else {
			m.all.resumed.Add(1)
		}
		return true
	}
	return false
}
