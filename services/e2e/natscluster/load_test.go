package natscluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/check"
	"signalling/services/e2e/labtest"
)

const (
	couples     = 12 // rooms, each with an owner at one gateway and a member at another, who signal each other
	walkers     = 12 // clients who visit these rooms, and make and close some of their own
	signalPause = 5 * time.Millisecond
	walkPause   = 25 * time.Millisecond
)

// load is clients who do what clients do, without a pause, and notice everything that is not as it should be.
type load struct {
	ctx   context.Context
	urls  []string
	start time.Time

	watchers  []*watcher
	couples   []*couple
	walkers   []*watcher
	recorders sync.WaitGroup
	actors    sync.WaitGroup
	stop      chan struct{}
	fault     atomic.Pointer[fault]
	// How many commands have worked, and how many answers were that the service is unavailable.
	commands, unavailable atomic.Int64

	mu       sync.Mutex // guards what follows
	problems []string
	remarks  []string // what took long
}

// couple are two who stay in a room.
type couple struct {
	room          string
	owner, member *watcher
}

// newLoad connects everybody and lets them act. It ends with the test.
func newLoad(t testing.TB, ctx context.Context, urls []string) *load { //nolint:revive // context-as-argument: t comes first in tests
	t.Helper()
	l := &load{ctx: ctx, urls: urls, start: time.Now(), stop: make(chan struct{})}
	t.Cleanup(l.recorders.Wait)
	t.Cleanup(l.close)
	for i := range couples {
		c, err := l.meet(fmt.Sprintf("%s %d", labtest.Room(t), i), i)
		if err != nil {
			t.Fatal(err)
		}
		l.couples = append(l.couples, c)
	}
	for i := range walkers {
		w, err := l.connect(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		l.walkers = append(l.walkers, w)
	}
	t.Cleanup(l.finish)
	for _, c := range l.couples {
		l.actors.Go(func() { l.chat(c.owner, c.member, c.room) })
		l.actors.Go(func() { l.chat(c.member, c.owner, c.room) })
	}
	for i, w := range l.walkers {
		l.actors.Go(func() { l.walk(w, i) })
	}
	return l
}

func (l *load) meet(room string, i int) (*couple, error) {
	owner, err := l.connect(l.ctx, i)
	if err != nil {
		return nil, err
	}
	member, err := l.connect(l.ctx, i+1)
	if err != nil {
		return nil, err
	}
	if err := owner.Create(l.ctx, room); err != nil {
		return nil, err
	}
	_, err = member.Join(l.ctx, room)
	return &couple{room, owner, member}, err
}

func chatFlow(room string, from *watcher) string { return from.ID() + " in " + room }

// chat signals without end.
func (l *load) chat(from, to *watcher, room string) {
	for l.goOn(signalPause) {
		from.signal(room, to.ID(), note{Flow: chatFlow(room, from)})
	}
}

// goOn waits a moment, and says whether the load is to go on.
func (l *load) goOn(pause time.Duration) bool {
	select {
	case <-l.stop:
		return false
	case <-l.ctx.Done():
		return false
	case <-time.After(pause/2 + rand.N(pause)):
		return true
	}
}

// walk visits rooms, one after the other.
func (l *load) walk(w *watcher, n int) {
	for i := 0; l.goOn(walkPause); i++ {
		if i%4 == 3 {
			own := fmt.Sprintf("own room of %d, number %d", n, i)
			l.command(w, "create "+own, func() error { return w.Create(l.ctx, own) }, client.ErrRoomExists, true)
			l.command(w, "leave "+own, func() error { return w.Leave(l.ctx, own) }, client.ErrNotInRoom, false)
			continue
		}
		c := l.couples[rand.N(len(l.couples))]
		l.command(w, "join "+c.room, func() error { _, err := w.Join(l.ctx, c.room); return err }, nil, false)
		sent := time.Now()
		w.signal(c.room, c.owner.ID(), note{Echo: true})
		select {
		case <-w.echoes:
			l.slow(w, "the echo in "+c.room, sent)
		case <-l.ctx.Done():
			l.problem("%s: the echo of %s in %q does not come", w.ID(), c.owner.ID(), c.room)
			return
		}
		l.command(w, "leave "+c.room, func() error { return w.Leave(l.ctx, c.room) }, client.ErrNotInRoom, false)
	}
}

// command carries out a command until it has worked. That the service is unavailable is an answer too, which is counted;
// the first attempt may then have had an effect for a while, which the next one meets as the error later: it means that
// the command has worked, or, with again, that it must be tried again.
func (l *load) command(w *watcher, what string, do func() error, later error, again bool) {
	for tried := false; ; tried = true {
		sent := time.Now()
		err := do()
		l.slow(w, what, sent)
		refused, isRefused := errors.AsType[*client.Error](err)
		switch {
		case err == nil, tried && !again && later != nil && errors.Is(err, later):
			l.commands.Add(1)
			l.passed(flow{false, w.ID()}, sent)
			return
		case isRefused && refused.Code == client.Unavailable:
			l.unavailable.Add(1)
		case !tried || later == nil || !errors.Is(err, later):
			l.problem("%s: %s after %v: %v", w.ID(), what, time.Since(sent), err)
			return
		}
		if l.goOn(walkPause); l.ctx.Err() != nil {
			return
		}
	}
}

// slowStep is longer than any step should take: a command has its answer after 5 s.
const slowStep = 6 * time.Second

// slow notes a step that took long. Only the log gets it: how long things take is measured, not judged.
func (l *load) slow(w *watcher, what string, since time.Time) {
	if took := time.Since(since); took > slowStep {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.remarks = append(l.remarks, fmt.Sprintf("%v: %s: %s took %v", time.Since(l.start).Round(time.Millisecond), w.ID(), what, took))
	}
}

// passed tells the present fault.
func (l *load) passed(f flow, sent time.Time) { l.fault.Load().passed(f, sent) }

// flows are all that must go on after a fault.
func (l *load) flows() (all []flow) {
	for _, w := range l.walkers {
		all = append(all, flow{false, w.ID()})
	}
	for _, c := range l.couples {
		all = append(all, flow{true, chatFlow(c.room, c.owner)}, flow{true, chatFlow(c.room, c.member)})
	}
	return all
}

// during lets something happen and returns what becomes of the flows.
func (l *load) during(happen func() error) (*fault, error) {
	begun := time.Now()
	if err := happen(); err != nil {
		return nil, err
	}
	f := newFault(begun, l.flows())
	l.fault.Store(f)
	return f, nil
}

// finish ends what the clients do. They stay connected.
func (l *load) finish() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.actors.Wait()
}

func (l *load) close() {
	var all sync.WaitGroup
	for _, w := range l.watchers {
		all.Go(func() { _ = w.Close() })
	}
	all.Wait()
}

// judge ends the load and returns everything that is not as it should be.
func (l *load) judge() []string {
	l.finish()
	l.settle()
	for _, w := range l.watchers {
		if err := w.Err(); err != nil {
			l.problem("%s: the connection ended: %v", w.ID(), err)
		}
	}
	histories := make([]check.History, len(l.watchers))
	for i, w := range l.watchers {
		histories[i] = w.snapshot()
	}
	l.mu.Lock()
	problems := slices.Clone(l.problems)
	l.mu.Unlock()
	for _, h := range histories {
		_, violations := check.Fold(h, check.Repaired)
		problems = append(problems, violations...)
	}
	return append(problems, check.Quiescent(histories, check.Repaired)...)
}

// settle waits for the last signals, and asks the server once more who is where: a member that joins again is told, and
// the check compares it with what it was told before.
func (l *load) settle() {
	for _, c := range l.couples {
		for _, s := range [][2]*watcher{{c.owner, c.member}, {c.member, c.owner}} {
			from, to := s[0], s[1]
			if err := l.until(func() bool { return to.arrived(stream{c.room, from.ID()}) >= from.left(stream{c.room, to.ID()}) }); err != nil {
				l.problem("%s sent %d signals to %s in %q, %d arrived", from.ID(), from.left(stream{c.room, to.ID()}), to.ID(),
					c.room, to.arrived(stream{c.room, from.ID()}))
			}
		}
		for _, w := range []*watcher{c.owner, c.member} {
			joined, err := w.Join(l.ctx, c.room)
			if err != nil || len(joined.Clients) != 1 {
				l.problem("%s asks who is in %q: %+v, %v", w.ID(), c.room, joined, err)
			}
		}
	}
}

// until polls: the things that it waits for are in many places.
func (l *load) until(done func() bool) error {
	for !done() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
	return nil
}

// summary says how much was seen, so that nobody takes silence for success.
func (l *load) summary() string {
	signals, seen := 0, 0
	for _, w := range l.watchers {
		h := w.snapshot()
		seen += len(h.Seen)
		w.mu.Lock()
		for _, n := range w.received {
			signals += n
		}
		w.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d commands answered, %d signals arrived, %d events seen by %d clients; slow steps: %q",
		l.commands.Load(), signals, seen, len(l.watchers), l.remarks)
}

func listed(problems []string) string {
	const most = 30
	if len(problems) > most {
		problems = append(problems[:most:most], fmt.Sprintf("and %d more", len(problems)-most))
	}
	return strings.Join(problems, "\n")
}
