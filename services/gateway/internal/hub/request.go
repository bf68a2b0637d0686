package hub

import (
	"math/rand/v2"
	"sync"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/chaosbreak"
	"signalling/pkg/tracing"
)

// request is a command on its way to the owner of its room's partition. It is sent until it is answered or its deadline
// has passed; the owner recognises a repetition. Its partition's mutex guards it.
type request struct {
	r       *replica
	session *Session // nil if nobody waits for the answer
	client  string
	op      bus.Op
	seq     uint64
	ref     []byte
	guarded *guarded // nil for most
	lost    bool     // a leave that the client did not ask for

	deadline  time.Time
	sentAt    time.Time
	attempts  int
	waiting   bool // timer will send it again
	timer     *time.Timer
	applied   bool // the event of a leave or update was seen before its answer
	whole     bool // the answer must bring all members
	counted   bool // it was answered; what follows is news
	abandoned bool // the session has gone elsewhere, and was answered
	span      *tracing.Span

	move    *moving  // of a Move
	find    *finding // of a Find, which has no room
	clients []string // that it asks for
}

var unavailable = &client.Error{Code: client.Unavailable, Message: "the rooms service did not answer in time; try again"}

// begin numbers a request. It leaves with the outbox.
func (p *partition) begin(q *request, out *outbox) *request {
	q.seq = p.nextSeq()
	if q.session != nil {
		q.span = p.trace(clientOp(q.op), q.session, q.r.name, q.deadline.Add(-p.h.cfg.CommandTimeout))
	}
	p.requests[q.seq] = q
	p.post(q, out)
	return q
}

// nextSeq numbers requests: in ascending order within the partition, and the partition can be told from the number.
func (p *partition) nextSeq() uint64 {
	p.count++
	return p.count*bus.Partitions + uint64(p.n) // #nosec G115 -- a partition's number
}

// post puts the request into the outbox, once more if it was sent before.
func (p *partition) post(q *request, out *outbox) {
	q.attempts++
	if q.attempts > 1 {
		p.h.m.retries.Inc()
	}
	if chaosbreak.Retry && q.attempts > 1 {
		delete(p.requests, q.seq)
		q.seq, q.attempts = p.nextSeq(), 1
		p.requests[q.seq] = q
	}
	q.sentAt = time.Now()
	q.waiting = false
	if q.find != nil {
		c := bus.Command{Op: bus.Find, Gateway: p.h.id, Seq: q.seq, Clients: q.clients}
		out.commands = append(out.commands, command{c, nil})
		return
	}
	c := bus.Command{Op: q.op, Gateway: p.h.id, Seq: q.seq, Room: q.r.name, Client: q.client, Lost: q.lost}
	if g := q.guarded; g != nil {
		c.Target, c.Password, c.OwnerKey, c.Settings = g.target, g.password, g.ownerKey, g.settings
	}
	if q.r.live && !q.whole {
		c.Have, c.Life = q.r.stamp.Epoch, q.r.born.Version
	}
	if q.move != nil {
		c.Inc, c.Proven, c.From, c.Dead = q.move.inc, q.move.proven, q.move.from, q.move.dead
	} else if q.session != nil && (q.op == bus.Create || q.op == bus.Join) {
		c.Inc, c.Proven = q.session.incs()
		c.Display = q.session.display
	}
	out.commands = append(out.commands, command{c, q.span})
}

var encodings = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// send publishes a command. A connection that is down is a definite "not applied", so it is tried again soon.
func (h *Hub) send(c *command) {
	b := encodings.Get().(*[]byte)
	*b = c.Append((*b)[:0])
	p := &h.parts[c.Seq%bus.Partitions]
	err := h.publishTraced(bus.CommandSubject(p.n), bus.AnswerSubject(h.id, c.Seq), *b, c.span)
	size := len(*b)
	encodings.Put(b)
	if err != nil {
		h.unsent(bus.CommandSubject(p.n), size, err)
		p.mu.Lock()
		p.retry(c.Seq)
		p.mu.Unlock()
	}
}

const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = 250 * time.Millisecond
)

// backoff is the pause before attempt n+1: doubled each time, with jitter over its whole half.
func backoff(n int) time.Duration {
	d := min(firstRetry<<min(n-1, 10), lastRetry)
	return d/2 + rand.N(d/2) // #nosec G404 -- jitter
}

// retry sends the request again after a pause.
func (p *partition) retry(seq uint64) {
	q := p.requests[seq]
	if q == nil || q.waiting || p.stopped {
		return
	}
	q.waiting = true
	q.timer = time.AfterFunc(backoff(q.attempts), func() {
		out := p.h.outbox()
		p.mu.Lock()
		if p.requests[seq] == q && q.waiting {
			p.post(q, out)
		}
		p.mu.Unlock()
		out.release()
	})
}

func (q *request) stopTimer() {
	if q.timer != nil {
		q.timer.Stop()
	}
}

// sweepRequests repeats requests without an answer and gives up those whose time has passed.
func (p *partition) sweepRequests(now time.Time, out *outbox) {
	for _, q := range p.requests {
		switch {
		case !now.Before(q.deadline):
			p.expire(q, out)
		case !q.waiting && now.Sub(q.sentAt) >= p.h.cfg.AttemptTimeout:
			p.post(q, out)
		}
	}
}

// resend repeats at once the requests that should have been answered by now, because their owner was cut off or is another.
func (p *partition) resend(now time.Time, out *outbox) {
	for _, q := range p.requests {
		if !q.waiting && now.Sub(q.sentAt) >= firstRetry {
			p.post(q, out)
		}
	}
}

// expire gives a request up. Whether it was applied is not known, so the owner is told what we have: a member that came in
// by it is removed again.
func (p *partition) expire(q *request, out *outbox) {
	p.doubt()
	switch {
	case q.find != nil:
		p.drop(q)
		q.find.answer(q.clients, nil, errBusy)
		return
	case q.move != nil && q.session != nil:
		p.notMoved(q, out)
		return
	case q.applied && q.op == bus.Leave:
		p.finish(q, &client.RoomLeft{Room: q.r.name}, out)
		return
	}
	p.finish(q, unavailable, out)
}

// finish ends a request with its answer.
func (p *partition) finish(q *request, e client.Event, out *outbox) {
	delete(p.requests, q.seq)
	q.stopTimer()
	defer q.span.End()
	if q.session == nil {
		q.r.release(out)
		return
	}
	if !q.forsaken() {
		p.tally(q, e)
		q.tellLate(e, out)
		out.answer(q.session, q.ref, e)
	}
	p.next(q.r, q.session, out)
}

// forsaken says that the session waits for the answer no more.
func (q *request) forsaken() bool { return q.abandoned || q.session.hasEnded() }

// tally counts the answer to a request, its first one.
func (p *partition) tally(q *request, e client.Event) {
	if !q.counted {
		q.counted = true
		q.span.Set("answer", e.Name())
		p.h.m.answered(clientOp(q.op), e, p.h.waited(q.deadline))
	}
}

// onAnswer takes the owner's answer.
func (p *partition) onAnswer(q *request, a *bus.Answer, out *outbox) {
	if a.Epoch != 0 && !p.meet(a.Epoch) {
		p.retry(q.seq) // an owner that is no longer one
		return
	}
	switch q.op {
	case bus.Find:
		p.onFound(q, a, out)
		return
	case bus.Move:
		p.onMove(q, a, out)
		return
	}
	room := q.r.name
	switch result := a.Result; {
	case result == bus.Done:
		p.onDone(q, a, out)
	case result == bus.Exists && q.op == bus.Create:
		p.finish(q, &client.RoomExists{Room: room}, out)
	case result == bus.NotExists && q.op == bus.Join:
		p.finish(q, &client.RoomNotExists{Room: room}, out)
	case result == bus.NotIn && q.op == bus.Leave:
		p.onNotIn(q, out)
	case result == bus.NotIn && (q.op == bus.Kick || q.op == bus.Update):
		p.onNotThere(q, out)
	case result == bus.NoTarget && q.op == bus.Kick:
		p.finish(q, &client.TargetNotFound{Room: room, TargetID: q.guarded.target}, out)
	case result == bus.Refused:
		p.finish(q, &client.Error{Code: client.Code(a.Code), Message: a.Message}, out)
	case result == bus.Retry:
		p.retry(q.seq)
	default:
		p.h.log.Error("answer not understood", "op", q.op, "result", result)
		p.finish(q, &client.Error{Code: client.Internal, Message: "internal error"}, out)
	}
}

func (p *partition) onDone(q *request, a *bus.Answer, out *outbox) {
	switch q.op {
	case bus.Leave:
		p.onLeft(q, out)
		return
	case bus.Kick:
		p.onKicked(q, out)
		return
	case bus.Update:
		p.onUpdated(q, a, out)
		return
	case bus.Create, bus.Join:
	}
	r := q.r
	if q.forsaken() {
		p.leaveFor(r, q.client, out)
		p.finish(q, nil, out)
		return
	}
	if a.Members == nil && (!r.live || r.stamp.Less(a.Stamp) || r.find(q.client) == nil) {
		p.askWhole(q, out)
		return
	}
	if a.Members != nil {
		for i := range a.Members {
			a.Members[i].Gateway = p.h.intern(a.Members[i].Gateway)
		}
		if a.Stamp.Less(r.ended) || a.Stamp == r.ended {
			p.onDoneAndGone(q, a, out)
			return
		}
		r.adopt(&a.Roster, out)
	}
	m := r.find(q.client)
	if m == nil {
		p.onDoneAndGone(q, a, out)
		return
	}
	r.attach(m, q.session)
	e := r.welcome(q)
	if q.op == bus.Create {
		e = r.tellCreator(q, e, out)
	}
	p.finish(q, e, out)
	r.settleHeld(out)
}

// tellCreator tells a creator whose answer had to be asked for again of those who have joined in between: room-created
// names nobody. It returns the last that is to be told.
func (r *replica) tellCreator(q *request, last client.Event, out *outbox) client.Event {
	for i := range r.members {
		if m := &r.members[i].Member; m.Client != q.client {
			r.p.tally(q, last)
			out.answer(q.session, q.ref, last)
			q.ref, last = nil, arrival(r.name, m)
		}
	}
	return last
}

// askWhole asks again for an answer with all members: we had the room when we asked, and have it no longer.
func (p *partition) askWhole(q *request, out *outbox) {
	if q.whole {
		p.retry(q.seq) // the owner should know better
		return
	}
	q.whole = true
	p.post(q, out)
}

// onLate looks at an answer that nobody waits for. If it is to a create or join, there may be a member that we do not know
// of: the owner is told what we have.
func (p *partition) onLate(data []byte) {
	var a bus.Answer
	if a.Decode(data) == nil && a.Result == bus.Done && a.Born != (bus.Stamp{}) {
		p.doubt()
	}
}

// welcome is the answer for a new member: the room as it is seen here and now. What it does not hold comes as events.
func (r *replica) welcome(q *request) client.Event {
	if q.op == bus.Create {
		return &client.RoomCreated{Room: r.name}
	}
	e := &client.RoomJoined{
		Room: r.name, OwnerID: r.owner, Clients: make([]string, 0, len(r.members)-1), Options: stateOf(r.policy),
	}
	for i := range r.members {
		list(e, &r.members[i].Member, q.client)
	}
	return e
}

// onDoneAndGone answers a create or join that was done but whose effect has ended since, as far as we know. Should the
// owner see it otherwise, the announcement puts it right.
func (p *partition) onDoneAndGone(q *request, a *bus.Answer, out *outbox) {
	s, room := q.session, q.r.name
	var e client.Event = &client.RoomCreated{Room: room}
	if q.op == bus.Join {
		joined := &client.RoomJoined{Room: room, OwnerID: a.Owner, Clients: []string{}, Options: stateOf(a.Policy)}
		for i := range a.Members {
			list(joined, &a.Members[i], q.client)
		}
		e = joined
	}
	p.doubt()
	p.tally(q, e)
	out.answer(s, q.ref, e)
	q.ref = nil
	p.finish(q, &client.RoomLeft{Room: room, Kicked: true}, out)
}

// onLeft ends a leave that has worked. Who has been told meanwhile that the room was closed, has not left anything by it: it
// can have been in the next room of that name only by an old join that came late.
func (p *partition) onLeft(q *request, out *outbox) {
	var e client.Event = &client.RoomLeft{Room: q.r.name}
	if q.session != nil {
		switch m := q.r.local(q.session); {
		case m != nil: // its event was missed
			q.r.detach(m)
			q.r.repair(causeLeave, out)
		case !q.applied:
			e = &client.NotInRoom{Room: q.r.name}
		}
	}
	p.finish(q, e, out)
}

// onNotIn ends a leave of a client that was not in the room. Either an earlier attempt has removed it, or the room had
// ended before.
func (p *partition) onNotIn(q *request, out *outbox) {
	if q.session == nil {
		p.finish(q, nil, out)
		return
	}
	m := q.r.local(q.session)
	if q.applied || (m != nil && q.attempts > 1) {
		p.onLeft(q, out)
		return
	}
	if m != nil {
		q.r.detach(m)
		q.r.repair(causeLeave, out)
	}
	p.finish(q, &client.NotInRoom{Room: q.r.name}, out)
}
