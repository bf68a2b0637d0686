package gateway_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

// peer plays another gateway as far as signals go.
type peer struct {
	t       testing.TB
	nc      *nats.Conn
	id      string
	gateway string // the gateway under test
	seq     uint64

	signals, acks chan *nats.Msg
}

func (w *world) peer() *peer {
	w.t.Helper()
	return newPeer(w.t, w.owner.nc, w.owner.gateway)
}

func newPeer(t testing.TB, nc *nats.Conn, gateway string) *peer {
	t.Helper()
	p := &peer{t: t, nc: nc, id: bus.NewID(), gateway: gateway, signals: make(chan *nats.Msg, ownerQueue), acks: make(chan *nats.Msg, ownerQueue)}
	for subject, in := range map[string]chan *nats.Msg{bus.SignalSubject(p.id): p.signals, bus.AckSubject(p.id): p.acks} {
		if _, err := nc.ChanSubscribe(subject, in); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	return p
}

// signal is a signal as it came.
type signal struct {
	bus.Signal
	at time.Time
}

// expectSignal asserts that the next signal has this number.
func (p *peer) expectSignal(seq uint64) *signal {
	p.t.Helper()
	m := receive(p.t, p.signals, "signal")
	s := &signal{at: time.Now()}
	if err := s.Decode(m.Data); err != nil {
		p.t.Fatal(err)
	}
	if s.From != p.gateway || s.Seq != seq {
		p.t.Fatalf("got signal %d from %s, want %d", s.Seq, s.From, seq)
	}
	return s
}

// skipSignals forgets the signals that are here.
func (p *peer) skipSignals() {
	for len(p.signals) > 0 {
		<-p.signals
	}
}

func (p *peer) expectNoSignal() {
	p.t.Helper()
	select {
	case m := <-p.signals:
		p.t.Fatalf("got signal %q, want none", m.Data)
	default:
	}
}

// ack acknowledges.
func (p *peer) ack(upTo uint64, refused ...bus.Refusal) { p.t.Helper(); p.send(upTo, false, refused) }

// gap asks to repeat what follows upTo.
func (p *peer) gap(upTo uint64) { p.t.Helper(); p.send(upTo, true, nil) }

func (p *peer) send(upTo uint64, gap bool, refused []bus.Refusal) {
	p.t.Helper()
	a := bus.Ack{From: p.id, UpTo: upTo, Gap: gap, Refused: refused}
	if err := p.nc.Publish(bus.AckSubject(p.gateway), a.Append(nil)); err != nil {
		p.t.Fatal(err)
	}
}

// next makes the next signal of this gateway, in the view that the room's owner has.
func (p *peer) next(r *room, from, to named, data string) *bus.Signal {
	p.seq++
	return &bus.Signal{
		From: p.id, Seq: p.seq, Base: 1, Stamp: r.Stamp,
		Room: []byte(r.name), Sender: []byte(from.name()), Target: []byte(to.name()), Data: []byte(data),
	}
}

// publish sends signals.
func (p *peer) publish(signals ...*bus.Signal) {
	p.t.Helper()
	for _, s := range signals {
		if err := p.nc.Publish(bus.SignalSubject(p.gateway), s.Append(nil)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// takeAck waits for an acknowledgement.
func (p *peer) takeAck() *bus.Ack {
	p.t.Helper()
	m := receive(p.t, p.acks, "acknowledgement")
	var a bus.Ack
	if err := a.Decode(m.Data); err != nil {
		p.t.Fatal(err)
	}
	if a.From != p.gateway {
		p.t.Fatalf("acknowledged by %s", a.From)
	}
	return &a
}

// expectAck asserts that the next acknowledgement says this.
func (p *peer) expectAck(upTo uint64, gap bool, refused ...bus.Refusal) {
	p.t.Helper()
	a := p.takeAck()
	if a.UpTo != upTo || a.Gap != gap || !slices.Equal(a.Refused, refused) {
		p.t.Fatalf("got acknowledgement %+v, want up to %d, gap %v, refused %v", *a, upTo, gap, refused)
	}
}

func (p *peer) expectNoAck() {
	p.t.Helper()
	select {
	case m := <-p.acks:
		p.t.Fatalf("got acknowledgement %s, want none", m.Data)
	default:
	}
}
