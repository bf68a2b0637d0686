package rooms_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/pkg/natsbus/natsembed"
	"signalling/pkg/natsbus/natstest"
)

// fakeGateway speaks raw bus messages, as a gateway would. Its heartbeat and its answers to pings can be stopped.
type fakeGateway struct {
	t   *testing.T
	id  string
	nc  *nats.Conn
	in  chan *nats.Msg
	seq uint64

	stop context.CancelFunc
	done chan struct{}
	// window is for how long its members are to be kept when it is gone.
	window time.Duration

	mu sync.Mutex // guards what follows
	// mute: pings are not answered.
	mute    bool
	answers map[uint64][]byte
	parts   map[uint64][]bus.Correction
	resyncs []bus.Resync
	digests []bus.Digest
	events  map[string][]bus.Event
	change  chan struct{}
	// Of a gateway that answers questions, see announcing.
	held    map[string]*holding
	epochs  [bus.Partitions]uint64
	autoSeq uint64
	asOf    uint64
	asked40 map[uint64]int
	retries []int
}

func newGateway(t *testing.T, srv *natsembed.Server) *fakeGateway {
	t.Helper()
	return gatewayOn(t, natstest.Connect(t, srv))
}

func gatewayOn(t *testing.T, nc *nats.Conn) *fakeGateway { t.Helper(); return keepingGateway(t, nc, 0) }

// keepingGateway is one whose members are kept when it is gone.
func keepingGateway(t *testing.T, nc *nats.Conn, window time.Duration) *fakeGateway {
	t.Helper()
	g := &fakeGateway{
		window: window, t: t, id: bus.NewID(), nc: nc, in: make(chan *nats.Msg, 1<<16), done: make(chan struct{}),
		answers: map[uint64][]byte{}, parts: map[uint64][]bus.Correction{}, events: map[string][]bus.Event{}, change: make(chan struct{}),
		asked40: map[uint64]int{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	for _, s := range []string{bus.GatewaySubjects(g.id), bus.AllControl} {
		g.subscribe(s)
	}
	go g.run(ctx)
	t.Cleanup(g.kill)
	return g
}

func (g *fakeGateway) subscribe(subject string) *nats.Subscription {
	g.t.Helper()
	sub, err := g.nc.ChanSubscribe(subject, g.in)
	if err != nil {
		g.t.Fatal(err)
	}
	return sub
}

// follow subscribes to a room's events, and returns when the server knows, because others may cause them.
func (g *fakeGateway) follow(room string) {
	g.t.Helper()
	g.subscribe(bus.EventSubject(bus.Token(room)))
	ctx, cancel := context.WithTimeout(context.Background(), natstest.Timeout)
	defer cancel()
	g.check(g.nc.FlushWithContext(ctx))
}

// kill ends the gateway without a word.
func (g *fakeGateway) kill() {
	g.stop()
	<-g.done
	g.nc.Close()
}

func (g *fakeGateway) run(ctx context.Context) {
	defer close(g.done)
	beat := time.NewTicker(bus.HeartbeatInterval)
	defer beat.Stop()
	g.heartbeat(false)
	for {
		select {
		case m := <-g.in:
			g.receive(m)
		case <-beat.C:
			g.heartbeat(false)
			g.again()
		case <-ctx.Done():
			return
		}
	}
}

func (g *fakeGateway) heartbeat(leaving bool) {
	h := bus.Heartbeat{
		Gateway: g.id, Protocol: bus.ProtocolVersion, Leaving: leaving, Window: uint64(g.window.Milliseconds()),
	}
	_ = g.nc.Publish(bus.HeartbeatSubject, h.Append(nil)) // a test of a dead connection must not fail here
}

// hang makes the gateway connected and silent.
func (g *fakeGateway) hang() {
	g.mu.Lock()
	g.mute = true
	g.mu.Unlock()
	g.stop()
	<-g.done
}

func (g *fakeGateway) receive(m *nats.Msg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sort(m) {
		close(g.change)
		g.change = make(chan struct{})
	}
}

// sort stores a message where tests look for it. It returns false for what nobody waits for.
func (g *fakeGateway) sort(m *nats.Msg) bool {
	switch kind, rest := bus.GatewaySubject(m.Subject); {
	case kind == "ping":
		if !g.mute {
			_ = m.Respond(nil)
		}
		return false
	case kind == "ans":
		seq, _ := bus.AnswerSeq(rest)
		if seq >= 1<<40 {
			g.takeCorrection(seq, m.Data)
			return false
		}
		var c bus.Correction
		if _, announced := g.parts[seq]; announced {
			g.check(c.Decode(m.Data))
			g.parts[seq] = append(g.parts[seq], c)
		} else {
			g.answers[seq] = m.Data
			if m.Header.Get("Status") == "503" {
				g.answers[seq] = []byte{}
			}
		}
	case kind == "resync", m.Subject == bus.ResyncSubject:
		var r bus.Resync
		g.check(r.Decode(m.Data))
		g.resyncs = append(g.resyncs, r)
		if g.held != nil {
			g.answerResync(r)
		}
		if m.Subject == bus.ResyncSubject {
			g.heartbeat(false)
		}
	default:
		var e bus.Event
		if e.Decode(m.Data) == nil {
			g.events[e.Room] = append(g.events[e.Room], e)
			return true
		}
		var d bus.Digest
		g.check(d.Decode(m.Data))
		g.digests = append(g.digests, d)
	}
	return true
}

func (g *fakeGateway) check(err error) {
	if err != nil {
		g.t.Error(err)
	}
}

// await waits until ok, which looks at g under its lock, is true.
func (g *fakeGateway) await(what string, ok func() bool) {
	g.t.Helper()
	if !g.wait(natstest.Timeout, ok) {
		g.t.Fatalf("gateway %s: %s did not happen", g.id, what)
	}
}

// wait is await for a time that may run out.
func (g *fakeGateway) wait(d time.Duration, ok func() bool) bool {
	timeout := time.After(d)
	for {
		g.mu.Lock()
		done, change := ok(), g.change
		g.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-change:
		case <-timeout:
			return false
		}
	}
}

// send sends a command once and returns its answer; ok is false if nobody serves the partition, or does not answer.
func (g *fakeGateway) send(c bus.Command) (a bus.Answer, ok bool) {
	g.t.Helper()
	c.Gateway = g.id
	if err := g.nc.PublishRequest(bus.CommandSubject(bus.Partition(c.Room)), bus.AnswerSubject(g.id, c.Seq), c.Append(nil)); err != nil {
		return a, false
	}
	var text []byte
	answered := g.wait(answerTime, func() bool {
		text = g.answers[c.Seq]
		delete(g.answers, c.Seq)
		return text != nil
	})
	if !answered || len(text) == 0 {
		return a, false
	}
	g.check(a.Decode(text))
	return a, true
}

// answerTime is how long a gateway waits before it sends a command again.
const answerTime = 250 * time.Millisecond

// do sends a command until it is carried out, as gateways do.
func (g *fakeGateway) do(op bus.Op, room, client string) bus.Answer {
	g.t.Helper()
	g.seq += bus.Partitions
	deadline := time.Now().Add(natstest.Timeout)
	for time.Now().Before(deadline) {
		if a, ok := g.send(bus.Command{Op: op, Room: room, Client: client, Seq: g.seq}); ok && a.Result != bus.Retry {
			return a
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.t.Fatalf("%s was not carried out", op)
	return bus.Answer{}
}

// must is do for a command that has to have the result.
func (g *fakeGateway) must(want bus.Result, op bus.Op, room, client string) bus.Answer {
	g.t.Helper()
	a := g.do(op, room, client)
	if a.Result != want {
		g.t.Fatalf("%s of %s by %s: %s %s, want %s", op, room, client, a.Result, a.Message, want)
	}
	return a
}

// announce sends an announcement in the given parts and returns the whole correction.
func (g *fakeGateway) announce(partition int, parts ...bus.Announce) bus.Correction {
	g.t.Helper()
	g.seq += bus.Partitions
	seq := g.seq
	g.mu.Lock()
	g.parts[seq] = nil
	g.mu.Unlock()
	for i := range parts {
		a := parts[i]
		a.Gateway, a.Seq, a.AsOf, a.Part, a.Last = g.id, seq, seq-1, uint64(i), i == len(parts)-1
		if err := g.nc.PublishRequest(bus.AnnounceSubject(partition), bus.AnswerSubject(g.id, seq), a.Append(nil)); err != nil {
			g.t.Fatal(err)
		}
	}
	var whole bus.Correction
	g.await("the correction", func() bool {
		got := g.parts[seq]
		if len(got) == 0 || !got[len(got)-1].Last {
			return false
		}
		whole = got[0]
		for i, c := range got[1:] {
			if c.Part != uint64(i+1) || c.Epoch != whole.Epoch {
				g.t.Errorf("part %d of the correction: %+v", i+1, c)
			}
			whole.Rooms = append(whole.Rooms, c.Rooms...)
		}
		whole.Last = true
		return true
	})
	return whole
}

// eventsOf waits until the room has had n events and returns them.
func (g *fakeGateway) eventsOf(room string, n int) []bus.Event {
	g.t.Helper()
	var events []bus.Event
	g.await("an event", func() bool {
		events = append([]bus.Event(nil), g.events[room]...)
		return len(events) >= n
	})
	if len(events) > n {
		g.t.Fatalf("room %s has the events %+v, want %d", room, events, n)
	}
	return events
}

// asked waits until the gateway has been asked n times what it holds in the partition.
func (g *fakeGateway) asked(partition, n int) {
	g.t.Helper()
	g.await("a question", func() bool { return g.questions(partition) >= n })
}

func (g *fakeGateway) questions(partition int) (n int) {
	for _, r := range g.resyncs {
		if r.Partition == partition {
			n++
		}
	}
	return n
}
