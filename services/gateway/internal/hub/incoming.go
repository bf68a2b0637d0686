package hub

import (
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

// incoming is the stream of signals from one gateway. links.mu guards it.
type incoming struct {
	ls *links
	gw string
	// last is the newest signal that arrived in order and was dealt with.
	last uint64
	// missing is the signal that was asked for again; once, because everything behind it is on its way too.
	missing uint64
	// holding are those of them that are neither delivered nor refused yet, ascending. They are acknowledged later.
	holding []uint64
	// refused are those that acknowledgements report, until the sender's base shows that it has heard of them.
	refused []bus.Refusal
	// unacked counts what has come since the last acknowledgement.
	unacked int
	// timer acknowledges in a moment, if armed.
	timer *time.Timer
	armed bool
	heard time.Time
}

// onSignal takes a signal from another gateway: the next one is delivered, one that came before is acknowledged again, and
// a gap makes the sender repeat.
func (h *Hub) onSignal(m *nats.Msg, out *outbox) {
	s := &h.signal
	defer func() { *s = bus.Signal{From: s.From} }() // most signals come from the same gateways
	if err := s.Decode(m.Data); err != nil {
		h.log.Error("signal not understood", "error", err)
		return
	}
	in := h.links.from(s.From)
	switch in.place(s, out) {
	case early:
		h.m.received[receivedEarly].Inc()
		return
	case inOrder:
		span := h.trace.Continue(m, "signal-receive")
		defer span.End()
		p := partitionOf(h, s.Room)
		p.mu.Lock()
		taken := p.onSignal(in, s, out)
		p.mu.Unlock()
		if !taken {
			return // it will come again
		}
	case repeated:
		h.m.received[receivedRepeated].Inc()
	}
	in.ls.mu.Lock()
	in.last = max(in.last, s.Seq)
	in.count(out)
	in.ls.mu.Unlock()
}

func (ls *links) from(gw string) *incoming {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	in := ls.in[gw]
	if in == nil {
		in = &incoming{ls: ls, gw: gw}
		ls.in[gw] = in
	}
	in.heard = time.Now()
	return in
}

// place is where a signal is in its stream.
type place int

const (
	inOrder  place = iota
	repeated       // it came before
	early          // something before it is missing
)

// place finds out where a signal is. Its base shows which signals will never come, and which refusals were heard of.
func (in *incoming) place(s *bus.Signal, out *outbox) place {
	in.ls.mu.Lock()
	defer in.ls.mu.Unlock()
	in.last = max(in.last, max(s.Base, 1)-1)
	in.refused = slices.DeleteFunc(in.refused, func(r bus.Refusal) bool { return r.Seq < s.Base })
	switch {
	case s.Seq <= in.last:
		return repeated
	case s.Seq == in.last+1:
		return inOrder
	case in.missing <= in.last:
		in.missing = in.last + 1
		in.ack(true, out)
	}
	return early
}

// count acknowledges at once if enough has come, else after a moment.
func (in *incoming) count(out *outbox) {
	if in.unacked+1 >= ackEvery {
		in.ack(false, out)
		return
	}
	in.soon()
}

// soon acknowledges after a moment.
func (in *incoming) soon() {
	in.unacked++
	switch {
	case in.armed || in.ls.stopped:
		return
	case in.timer == nil:
		in.timer = time.AfterFunc(ackDelay, in.due)
	default:
		in.timer.Reset(ackDelay)
	}
	in.armed = true
}

// acknowledged says that all that has come is acknowledged.
func (ls *links) acknowledged() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, in := range ls.in {
		if in.unacked > 0 || len(in.holding) > 0 {
			return false
		}
	}
	return true
}

// due acknowledges what has come.
func (in *incoming) due() {
	out := in.ls.h.outbox()
	in.ls.mu.Lock()
	in.armed = false
	if in.unacked > 0 {
		in.ack(false, out)
	}
	in.ls.mu.Unlock()
	out.release()
}

func (in *incoming) ack(gap bool, out *outbox) {
	a := bus.Ack{From: in.ls.h.id, UpTo: in.last, Gap: gap}
	if len(in.holding) > 0 {
		a.UpTo = in.holding[0] - 1
	}
	for _, r := range in.refused {
		if r.Seq <= a.UpTo {
			a.Refused = append(a.Refused, r)
		}
	}
	in.unacked = 0
	out.messages = append(out.messages, message{subject: bus.AckSubject(in.gw), data: a.Append(nil)})
}

// holds notes that a signal is neither delivered nor refused yet.
func (in *incoming) holds(seq uint64) {
	in.ls.mu.Lock()
	defer in.ls.mu.Unlock()
	in.holding = append(in.holding, seq)
}

// settled undoes holds once the signal was delivered.
func (in *incoming) settled(seq uint64) {
	in.ls.mu.Lock()
	defer in.ls.mu.Unlock()
	in.settle(seq)
}

func (in *incoming) settle(seq uint64) {
	if i, found := slices.BinarySearch(in.holding, seq); found {
		in.holding = slices.Delete(in.holding, i, i+1)
		in.soon()
	}
}

// refuse reports with the next acknowledgement that a signal was not delivered.
func (in *incoming) refuse(seq uint64, senderGone bool) {
	in.ls.mu.Lock()
	defer in.ls.mu.Unlock()
	in.settle(seq)
	in.refused = append(in.refused, bus.Refusal{Seq: seq, SenderGone: senderGone})
}
