package hub

import (
	"slices"
	"sync"
	"time"

	"signalling/api/bus"
	"signalling/pkg/tracing"
)

// links are the numbered streams of signals between this gateway and the others. NATS delivers at most once: what is lost
// while a connection is down is sent again, and what comes twice is dropped, so that each signal arrives once and in
// order. Acknowledgements are sent for many signals at once.
type links struct {
	h   *Hub
	mu  sync.Mutex // guards what follows and every incoming; taken after a partition's mutex
	out map[string]*link
	in  map[string]*incoming

	stopped bool // nothing is acknowledged later any more
}

const (
	// maxUnacked bounds the signals on their way to one gateway; further ones are answered "unavailable".
	maxUnacked = 16384
	// maxUnackedBytes bounds their size.
	maxUnackedBytes = 32 << 20
	// ackEvery signals are acknowledged at once, fewer after ackDelay.
	ackEvery = 64
	ackDelay = 20 * time.Millisecond
	// resendAfter is how long an acknowledgement may take.
	resendAfter = time.Second
	// forgetAfter is how long an idle link is kept by its receiver. The sender keeps it longer: a stream that began again
	// from 1 would pass for a repetition where the old one is remembered.
	forgetAfter     = 10 * time.Minute
	forgetSentAfter = 2 * forgetAfter
)

// link is the stream to one gateway.
type link struct {
	h       *Hub
	gw      string
	subject string // of signals to it

	mu         sync.Mutex // guards what follows; taken last
	signal     bus.Signal // of push; kept for reuse
	seq        uint64     // of the newest signal
	unacked    []unacked  // ascending
	bytes      int
	next       uint64 // the first that is still to be published
	publishing bool   // somebody publishes, in order
	quietSince time.Time
	forgotten  bool // it is no longer the one in links
	detours    int  // how often signals on it were waited for
}

// unacked is a signal that may have to be sent again. session and ref are the sender's.
type unacked struct {
	seq      uint64
	message  []byte
	session  *Session
	ref      []byte
	deadline time.Time
	span     *tracing.Span // ends when the target's gateway has answered
}

func (ls *links) to(gw string) *link {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.out[gw]
	if l == nil {
		l = &link{h: ls.h, gw: gw, subject: bus.SignalSubject(gw), next: 1}
		ls.out[gw] = l
	}
	return l
}

// outgoing is a signal of a session here to a member at another gateway. ref, target and data are used during push only.
type outgoing struct {
	r         *replica
	session   *Session
	target    string
	ref, data []byte
	span      *tracing.Span
}

// push numbers the signal and puts it in line at the link to gw; flush publishes it. It returns nil if too many are on
// their way there.
func (ls *links) push(gw string, o *outgoing) *link {
	for {
		l := ls.to(gw)
		switch l.push(o) {
		case pushed:
			return l
		case tooMany:
			return nil
		case forgotten: // just now
		}
	}
}

// pushing is what became of a push.
type pushing int

const (
	pushed pushing = iota
	tooMany
	forgotten
)

func (l *link) push(o *outgoing) pushing {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.forgotten:
		return forgotten
	case len(l.unacked) >= maxUnacked || l.bytes >= maxUnackedBytes:
		return tooMany
	}
	l.seq++
	base := l.seq
	if len(l.unacked) > 0 {
		base = l.unacked[0].seq
	} else {
		l.quietSince = now
	}
	m := l.encode(base, o)
	l.unacked = append(l.unacked, unacked{l.seq, m, o.session, slices.Clone(o.ref), now.Add(l.h.moveTimeout()), o.span})
	l.bytes += len(m)
	return pushed
}

// encode makes the message of the newest signal. mu is held.
func (l *link) encode(base uint64, o *outgoing) []byte {
	s := &l.signal
	*s = bus.Signal{
		From: l.h.id, Seq: l.seq, Base: base, Stamp: o.r.stamp, Data: o.data,
		Room: append(s.Room[:0], o.r.name...), Sender: append(s.Sender[:0], o.session.id...), Target: append(s.Target[:0], o.target...),
	}
	m := s.Append(make([]byte, 0, len(o.data)+len(o.r.name)+256))
	s.Data = nil
	return m
}

// flush publishes what is in line, in order, one goroutine at a time.
func (l *link) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.publishing {
		return
	}
	l.publishing = true
	for {
		i := l.indexOf(l.next)
		if i == len(l.unacked) {
			break
		}
		m, span := l.unacked[i].message, l.unacked[i].span
		l.next = l.unacked[i].seq + 1
		l.mu.Unlock()
		l.h.publishSignal(l.subject, m, span)
		l.mu.Lock()
	}
	l.publishing = false
}

// publishSignal publishes a signal. If it cannot be sent now it is sent again later.
func (h *Hub) publishSignal(subject string, data []byte, span *tracing.Span) {
	if err := h.publishTraced(subject, "", data, span); err != nil {
		h.unsent(subject, len(data), err)
	}
}

// indexOf returns where the first signal with this number or a higher one is.
func (l *link) indexOf(seq uint64) int {
	if len(l.unacked) == 0 || seq > l.unacked[len(l.unacked)-1].seq {
		return len(l.unacked)
	}
	if first := l.unacked[0].seq; seq >= first && seq-first < uint64(len(l.unacked)) && l.unacked[seq-first].seq == seq {
		return int(seq - first) // #nosec G115 -- an index: usually no number is missing
	}
	i, _ := slices.BinarySearchFunc(l.unacked, seq, func(u unacked, seq uint64) int {
		switch {
		case u.seq < seq:
			return -1
		case u.seq > seq:
			return 1
		}
		return 0
	})
	return i
}

// onAck takes an acknowledgement.
func (h *Hub) onAck(data []byte, out *outbox) {
	var a bus.Ack
	if err := a.Decode(data); err != nil {
		h.log.Error("acknowledgement not understood", "error", err)
		return
	}
	l := h.links.to(a.From)
	l.mu.Lock()
	n := l.indexOf(a.UpTo + 1)
	done := slices.Clone(l.unacked[:n])
	for i := range done {
		l.bytes -= len(done[i].message)
	}
	l.unacked = slices.Delete(l.unacked, 0, n)
	if n > 0 || a.Gap {
		l.quietSince = time.Now()
	}
	if a.Gap {
		l.rewind()
		out.links = append(out.links, l)
	}
	detours := l.detours > 0
	l.mu.Unlock()
	now := time.Now()
	if detours {
		defer h.arrived(l, a.UpTo, out)
	}
	for i := range done {
		u := &done[i]
		u.span.End()
		h.m.acknowledged.Observe((now.Sub(u.deadline) + h.moveTimeout()).Seconds())
		k := slices.IndexFunc(a.Refused, func(r bus.Refusal) bool { return r.Seq == u.seq })
		if k >= 0 && h.Resumes() && !a.Refused[k].SenderGone && h.cameBack(u, a.From, out) {
			continue
		}
		if k >= 0 {
			h.undelivered(u, a.Refused[k].SenderGone, out)
			continue
		}
		h.m.remote[signalDelivered].Inc()
		if u.ref != nil && !u.session.hasEnded() {
			out.delivered(u.session, u.ref)
		}
	}
}

// rewind publishes all unacknowledged signals again. The base of the first tells the receiver which will never come. mu
// is held.
func (l *link) rewind() {
	if len(l.unacked) == 0 {
		return
	}
	first := &l.unacked[0]
	var s bus.Signal
	if s.Decode(first.message) == nil && s.Base != first.seq {
		s.Base = first.seq
		m := s.Append(nil)
		l.bytes += len(m) - len(first.message)
		first.message = m
	}
	l.next = first.seq
}

// undelivered tells the sender that its signal did not reach its target.
func (h *Hub) undelivered(u *unacked, senderGone bool, out *outbox) {
	h.m.remote[refusedSignal(refusal("", "", senderGone))].Inc()
	var s bus.Signal
	if u.session.hasEnded() || s.Decode(u.message) != nil {
		return
	}
	out.answer(u.session, u.ref, refusal(string(s.Room), string(s.Target), senderGone))
}

// sweep sends again what was not acknowledged in time and gives up what is too old or has lost its target.
func (ls *links) sweep(now time.Time, out *outbox) {
	ls.mu.Lock()
	all := make([]*link, 0, len(ls.out))
	for gw, l := range ls.out {
		l.mu.Lock()
		if len(l.unacked) == 0 && now.Sub(l.quietSince) > forgetSentAfter {
			l.forgotten = true
			delete(ls.out, gw)
		}
		if len(l.unacked) > 0 && now.Sub(l.quietSince) >= resendAfter {
			all = append(all, l)
		}
		l.mu.Unlock()
	}
	for gw, in := range ls.in {
		if now.Sub(in.heard) > forgetAfter {
			delete(ls.in, gw)
		}
	}
	ls.mu.Unlock()
	for _, l := range all {
		l.giveUp(now, out)
		l.mu.Lock()
		l.quietSince = now
		l.rewind()
		l.mu.Unlock()
		out.links = append(out.links, l)
	}
}

// resendAll sends again whatever may have been lost with a connection.
func (ls *links) resendAll(out *outbox) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.out {
		l.mu.Lock()
		l.rewind()
		l.mu.Unlock()
		out.links = append(out.links, l)
	}
}

// stop ends the timers, and the traces of what is on its way.
func (ls *links) stop() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.stopped = true
	for _, l := range ls.out {
		l.mu.Lock()
		for i := range l.unacked {
			l.unacked[i].span.End()
		}
		l.mu.Unlock()
	}
	for _, in := range ls.in {
		if in.timer != nil {
			in.timer.Stop()
		}
	}
}

// giveUp answers the signals that cannot or should not be sent any more.
func (l *link) giveUp(now time.Time, out *outbox) {
	l.mu.Lock()
	pending := slices.Clone(l.unacked)
	l.mu.Unlock()
	lost := make(map[uint64]bool) // the signals to give up, and whether it is because their target is gone
	for i := range pending {
		if u := &pending[i]; l.h.lostTarget(u) {
			lost[u.seq] = true
		} else if now.After(u.deadline) {
			lost[u.seq] = false
		}
	}
	for _, u := range l.remove(lost) {
		if lost[u.seq] {
			l.h.undelivered(&u, false, out)
			continue
		}
		l.h.m.remote[refusedSignal(unreachable)].Inc()
		if !u.session.hasEnded() {
			out.answer(u.session, u.ref, unreachable)
		}
	}
}

// remove takes signals out, and returns those that were not acknowledged meanwhile.
func (l *link) remove(seqs map[uint64]bool) (removed []unacked) {
	if len(seqs) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unacked = slices.DeleteFunc(l.unacked, func(u unacked) bool {
		_, found := seqs[u.seq]
		if found {
			l.bytes -= len(u.message)
			u.span.End()
			removed = append(removed, u)
		}
		return found
	})
	return removed
}

// lostTarget reports whether the target is no longer in the room at the link's gateway.
func (h *Hub) lostTarget(u *unacked) bool {
	var s bus.Signal
	if s.Decode(u.message) != nil {
		return true
	}
	p := partitionOf(h, s.Room)
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[string(s.Room)]
	return r == nil || !r.live || r.findBytes(s.Target) == nil
}
