package hub

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/natsbus/natstest"
	"signalling/pkg/wsock"
)

// These benchmarks call the hub as its goroutines do, so that each shows one goroutine's share: the reader's of a command
// or signal, the dispatcher's of an event, an answer or a signal from another gateway. Sockets are left out.

// sink is a door's connection that encodes as the native door does and forgets.
type sink struct {
	broadcasts map[*Broadcast]bool // if not nil, those delivered
	encoded    int
	frames     int
	last       wsock.Frame
}

func (c *sink) Deliver(b *Broadcast) {
	if b.Native == nil {
		b.Native = seal(b.Event, nil)
		c.encoded++
	}
	if c.broadcasts != nil {
		c.broadcasts[b] = true
	}
	c.queue(b.Native)
}

func (c *sink) Answer(ref []byte, e client.Event) { c.queue(seal(e, ref)) }

func (c *sink) Signal(room, sender string, data []byte) {
	buf := wsock.Begin(len(room) + len(sender) + len(data) + 64)
	c.queue(wsock.Seal(wsock.OpText, client.AppendSignalObject(buf, room, sender, data)))
}

func (c *sink) queue(f wsock.Frame) { c.frames, c.last = c.frames+1, f }

func (*sink) Delivered([]byte)             {}
func (*sink) Flush()                       {}
func (*sink) Pending() (frames, bytes int) { return 0, 0 }
func (*sink) Close(client.CloseCode)       {}

func seal(e client.Event, id []byte) wsock.Frame {
	return wsock.Seal(wsock.OpText, client.AppendObject(wsock.Begin(128), e, id))
}

// bench is a hub whose goroutines do not run.
type bench struct {
	h   *Hub
	seq uint64
	msg nats.Msg
}

const benchRoom = "bench"

func newBench(tb testing.TB, change ...func(*Config)) *bench {
	tb.Helper()
	srv := natstest.Run(tb)
	cfg := Config{CommandTimeout: time.Hour, AttemptTimeout: time.Hour, AnnounceInterval: time.Hour, MaxPending: 64}
	for _, f := range change {
		f(&cfg)
	}
	h, err := New(cfg, natstest.Connect(tb, srv), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return &bench{h: h, msg: nats.Msg{Subject: bus.EventSubject(bus.Token(benchRoom))}}
}

// room makes sessions members of a room, with others at another gateway.
func (b *bench) room(tb testing.TB, locals int, others ...string) []*Session {
	tb.Helper()
	p := partitionOf(b.h, benchRoom)
	roster := bus.Roster{Stamp: bus.Stamp{Epoch: 1, Version: 1}, Born: bus.Stamp{Epoch: 1, Version: 1}, Owner: "owner"}
	for _, id := range others {
		roster.Members = append(roster.Members, bus.Member{Client: id, Gateway: "elsewhere", Since: 1})
	}
	sessions := make([]*Session, locals)
	for n := range sessions {
		sessions[n] = b.h.Connect(fmt.Sprintf("client-%014d", n), "", new(sink))
		roster.Members = append(roster.Members, bus.Member{Client: sessions[n].id, Gateway: b.h.id, Since: 1})
	}
	out := b.h.outbox()
	p.mu.Lock()
	r, err := p.replica(benchRoom)
	if err != nil {
		tb.Fatal(err)
	}
	p.epoch = 1
	r.adopt(&roster, out)
	for _, s := range sessions {
		s.remember(r)
		r.attach(r.find(s.id), s)
	}
	p.mu.Unlock()
	out.release()
	return sessions
}

// rooms takes a partition's commands, so that the NATS server does not answer that nobody does; the benchmark answers itself.
func (b *bench) rooms(tb testing.TB, p *partition) {
	tb.Helper()
	if _, err := b.h.nc.Subscribe(bus.CommandSubject(p.n), func(*nats.Msg) {}); err != nil {
		tb.Fatal(err)
	}
	if err := b.h.nc.Flush(); err != nil {
		tb.Fatal(err)
	}
}

// dispatched handles a message as the dispatcher does when it comes alone.
func (b *bench) dispatched(m *nats.Msg) {
	out := b.h.outbox()
	b.h.handle(m, out)
	out.release()
}

// event is the next event of the room: somebody joins and leaves in turn.
func (b *bench) event() *nats.Msg {
	b.seq++
	e := bus.Event{Room: benchRoom, Stamp: bus.Stamp{Epoch: 1, Version: 1 + b.seq}, Kind: bus.Joined, Client: "somebody-elsewhere00", Gateway: "elsewhere", Seq: b.seq}
	if b.seq%2 == 0 {
		e.Kind = bus.Left
	}
	b.msg.Data = e.Append(b.msg.Data[:0])
	return &b.msg
}

// signalFrame is a signal's frame of about 300 bytes.
func signalFrame(target string) []byte {
	c := client.Command{Op: client.SignalSend, Room: []byte(benchRoom), TargetID: []byte(target), Data: []byte(`{"candidate":"` + strings.Repeat("x", 200) + `"}`)}
	return c.AppendObject(nil)
}

func (b *bench) command(tb testing.TB, s *Session, frame []byte) {
	var c client.Command
	if err := client.DecodeCommandObject(frame, &c); err != nil {
		tb.Fatal(err)
	}
	s.Handle(&c, c.ID)
	s.Flush()
}

// The reader's share of a signal to a member here: frame in, route, frame out.
func BenchmarkLocalSignal(b *testing.B) {
	w := newBench(b)
	s := w.room(b, 2)
	frame := signalFrame(s[1].id)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		w.command(b, s[0], frame)
	}
	if n := s[1].conn.(*sink).frames; n < b.N {
		b.Fatalf("%d of %d were delivered", n, b.N)
	}
}

// The reader's share of a signal to a member at another gateway: frame in, route, message out. The other gateway
// acknowledges each 64th.
func BenchmarkSignalOut(b *testing.B) {
	w := newBench(b)
	s := w.room(b, 1, "target-elsewhere-000")
	frame := signalFrame("target-elsewhere-000")
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	sent := uint64(0)
	for b.Loop() {
		w.command(b, s[0], frame)
		if sent++; sent%ackEvery == 0 {
			a := bus.Ack{From: "elsewhere", UpTo: sent}
			w.dispatched(&nats.Msg{Subject: bus.AckSubject(w.h.id), Data: a.Append(nil)})
		}
	}
	if n := w.h.Stats().Unacked; n >= ackEvery {
		b.Fatalf("%d are not acknowledged", n)
	}
}

// The dispatcher's share of a signal from another gateway: message in, route, frame out, acknowledgements included.
func BenchmarkSignalIn(b *testing.B) {
	w := newBench(b)
	s := w.room(b, 1, "sender-elsewhere-000")
	sig := bus.Signal{
		From: "elsewhere", Stamp: bus.Stamp{Epoch: 1, Version: 1}, Room: []byte(benchRoom), Sender: []byte("sender-elsewhere-000"), Target: []byte(s[0].id),
		Data: []byte(`{"candidate":"` + strings.Repeat("x", 200) + `"}`),
	}
	var buf []byte
	m := nats.Msg{Subject: bus.SignalSubject(w.h.id)}
	b.ReportAllocs()
	for b.Loop() {
		sig.Seq++
		sig.Base = max(1, sig.Seq-min(sig.Seq, ackEvery))
		buf = sig.Append(buf[:0])
		m.Data = buf
		w.dispatched(&m)
	}
	if n := s[0].conn.(*sink).frames; n < b.N {
		b.Fatalf("%d of %d were delivered", n, b.N)
	}
	w.h.links.stop()
}

// The dispatcher's share of an event to N members here.
func BenchmarkEvent(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			w := newBench(b)
			w.room(b, n)
			b.ReportAllocs()
			for b.Loop() {
				w.dispatched(w.event())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/member")
		})
	}
}

// A command and its answer: the reader's share and the dispatcher's together. A join of a room that the gateway does not
// follow includes subscribing and unsubscribing.
func BenchmarkCommand(b *testing.B) {
	for name, room := range map[string]string{"followed room": benchRoom, "unknown room": "unknown"} {
		b.Run(name, func(b *testing.B) {
			w := newBench(b)
			s := w.room(b, 2)
			p := partitionOf(w.h, room)
			w.rooms(b, p)
			cmd := client.Command{Op: client.RoomJoin, Room: []byte(room)}
			frame := cmd.AppendObject(nil)
			answer := (&bus.Answer{Result: bus.NotExists, Roster: bus.Roster{Stamp: bus.Stamp{Epoch: 1}}}).Append(nil)
			b.ReportAllocs()
			for b.Loop() {
				w.command(b, s[0], frame)
				seq := p.asOf()
				w.dispatched(&nats.Msg{Subject: bus.AnswerSubject(w.h.id, seq), Data: answer})
			}
			if n := s[0].conn.(*sink).frames; n < b.N {
				b.Fatalf("%d of %d were answered", n, b.N)
			}
		})
	}
}

// The gateway's idle work with many rooms: what the sweep costs four times a second.
func BenchmarkSweep(b *testing.B) {
	w := newBench(b)
	w.room(b, 1)
	const rooms = 100_000
	out := w.h.outbox()
	for n := range rooms {
		name := fmt.Sprintf("room-%d", n)
		p := partitionOf(w.h, name)
		r := &replica{p: p, name: name, live: true, locals: 1}
		p.rooms[name] = r
	}
	out.release()
	b.ReportAllocs()
	for b.Loop() {
		w.h.sweep(time.Now())
	}
}

// Everybody in a room shares one event and one encoding of it.
func TestAnEventIsEncodedOnce(t *testing.T) {
	const members = 50
	w := newBench(t)
	seen := make(map[*Broadcast]bool)
	sessions := w.room(t, members)
	for _, s := range sessions {
		s.conn.(*sink).broadcasts = seen
	}
	w.dispatched(w.event())
	encoded := 0
	for _, s := range sessions {
		c := s.conn.(*sink)
		encoded += c.encoded
		if c.frames != 1 || !slices.Equal(c.last, sessions[0].conn.(*sink).last) {
			t.Errorf("%s got %d frames, the last %s", s.id, c.frames, c.last)
		}
	}
	if len(seen) != 1 || encoded != 1 {
		t.Errorf("%d broadcasts, encoded %d times, want one of each", len(seen), encoded)
	}
}

// One more member costs no more memory.
func TestAnEventCostsNothingMorePerMember(t *testing.T) {
	cost := func(members int) float64 {
		w := newBench(t)
		w.room(t, members)
		return testing.AllocsPerRun(200, func() { w.dispatched(w.event()) })
	}
	few, many := cost(10), cost(510)
	if perMember := (many - few) / 500; perMember > 0.02 {
		t.Errorf("an event to 10 members costs %.0f allocations, to 510 it costs %.0f", few, many)
	}
}
