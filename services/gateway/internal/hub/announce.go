package hub

import (
	"math/rand/v2"
	"time"

	"signalling/api/bus"
	"signalling/pkg/chaosbreak"
)

// announcement is an Announce on its way.
type announcement struct {
	full   bool
	sentAt time.Time
	parts  uint64 // of the correction that have come, without one missing
}

const (
	// announceAgain is how long a correction may take.
	announceAgain = 2 * time.Second
	// announceForget is when an announcement without a correction is forgotten.
	announceForget = 30 * time.Second
	// roomBytes and memberBytes are what an announced room and a member cost in a message beside their strings, and
	// nameFactor what a byte of a name may take.
	roomBytes   = 240
	memberBytes = 90
	nameFactor  = 6
)

// meet notes the epoch of a message. It returns false for the message of an owner that has been followed by another one.
// A new owner knows only what it is told, and one that does not know that it was followed learns it from an announcement.
func (p *partition) meet(epoch uint64) bool {
	if epoch != p.epoch && p.epoch != 0 {
		p.announceSoon, p.because = true, causeEpoch
	}
	p.epoch = max(p.epoch, epoch)
	return epoch == p.epoch || chaosbreak.Fencing
}

// doubt has the owner told soon of what we have, because it is not known whether a command was applied.
func (p *partition) doubt() { p.announceSoon, p.because = true, causeDoubt }

// announce tells the partition's owner of all members here. The corrections that come back make every replica true.
func (p *partition) announce(now time.Time, why cause, out *outbox) {
	if chaosbreak.Announce {
		return
	}
	p.h.m.announcements[why].Inc()
	if p.announcing != 0 {
		delete(p.announcements, p.announcing)
	}
	a := bus.Announce{Gateway: p.h.id, AsOf: p.asOf(), Seq: p.nextSeq(), Full: true, Epoch: p.epoch}
	p.announcing, p.announceSoon = a.Seq, false
	p.announcements[a.Seq] = &announcement{full: true, sentAt: now}
	size := 0
	for _, r := range p.rooms {
		room := r.announced()
		n := maxSize(&room)
		if size+n > bus.MaxPartBytes && size > 0 {
			p.sendPart(&a, out)
			a.Part++
			a.Rooms, size = nil, 0
		}
		a.Rooms = append(a.Rooms, room)
		size += n
	}
	a.Last = true
	p.sendPart(&a, out)
}

// maxSize bounds the encoded size of a room.
func maxSize(a *bus.AnnouncedRoom) int {
	n := roomBytes + nameFactor*len(a.Room) + len(a.Owner) + a.Policy.MaxSize()
	for i := range a.Members {
		n += memberBytes + len(a.Members[i].Client) + bus.DisplaySize(a.Members[i].Display)
	}
	for _, id := range a.Unsettled {
		n += memberBytes + len(id)
	}
	for _, display := range a.Displays {
		n += memberBytes + bus.DisplaySize(display)
	}
	return n
}

func (p *partition) sendPart(a *bus.Announce, out *outbox) {
	out.messages = append(out.messages, message{
		subject: bus.AnnounceSubject(p.n), reply: bus.AnswerSubject(p.h.id, a.Seq), data: a.Append(nil),
	})
}

// asOf is the number of the newest command. All of them are seen in the replicas and their queues.
func (p *partition) asOf() uint64 { return p.count*bus.Partitions + uint64(p.n) } // #nosec G115 -- a partition's number

// announced is the room as it stands in an announcement.
func (r *replica) announced() bus.AnnouncedRoom {
	a := bus.AnnouncedRoom{Room: r.name}
	if r.live {
		roster := r.roster()
		a.Stamp, a.Born, a.Owner, a.Policy, a.Digest = r.stamp, r.born, r.owner, r.policy, roster.Digest()
	}
	displays := make(map[string]string, len(r.queues)) // of those with commands on their way that are no members here
	for s := range r.queues {
		displays[s.id] = s.display
	}
	for i := range r.members {
		m := &r.members[i]
		if !r.holds(m) {
			continue
		}
		delete(displays, m.Client)
		inc, proven := m.Inc, m.Proven
		if m.session != nil {
			inc, proven = m.session.incs()
		}
		a.Members = append(a.Members, bus.Member{Client: m.Client, Since: m.Since, Seq: m.Seq, Inc: inc, Proven: proven, Display: m.Display})
	}
	shown := false
	for s := range r.queues {
		a.Unsettled = append(a.Unsettled, s.id)
		a.Displays = append(a.Displays, displays[s.id])
		shown = shown || displays[s.id] != ""
	}
	if !shown {
		a.Displays = nil
	}
	for id := range r.parting {
		if r.indexOf(id) < 0 {
			a.Unsettled = append(a.Unsettled, id)
		}
	}
	return a
}

// holds says whether this gateway answers for a member: its session is here, has gone elsewhere and was not heard of there, or
// was heard of here before the answer to its move.
func (r *replica) holds(m *member) bool {
	if _, parting := r.parting[m.Client]; m.session != nil || parting {
		return true
	}
	return m.Gateway == r.p.h.id && r.arriving(m.Client)
}

// repair asks the owner how the room is, because something about it was missed.
func (r *replica) repair(why cause, out *outbox) {
	if r.repairing != 0 {
		return
	}
	r.p.h.m.repairs[why].Inc()
	r.repairAgain(time.Now(), out)
}

func (r *replica) repairAgain(now time.Time, out *outbox) {
	if chaosbreak.Announce {
		return
	}
	p := r.p
	delete(p.announcements, r.repairing)
	a := bus.Announce{Gateway: p.h.id, AsOf: p.asOf(), Seq: p.nextSeq(), Last: true, Epoch: p.epoch, Rooms: []bus.AnnouncedRoom{r.announced()}}
	r.repairing = a.Seq
	p.restless[r] = struct{}{}
	p.announcements[a.Seq] = &announcement{sentAt: now}
	p.sendPart(&a, out)
}

// onCorrection takes the owner's answer to an announcement.
func (p *partition) onCorrection(seq uint64, c *bus.Correction, out *outbox) {
	a := p.announcements[seq]
	if c.Retry || !p.meet(c.Epoch) {
		a.again()
		return
	}
	for i := range c.Rooms {
		p.correct(seq, &c.Rooms[i], out)
	}
	if c.Part == a.parts {
		a.parts++
	}
	switch {
	case !c.Last:
	case a.parts <= c.Part:
		a.again() // a part was lost
	default:
		delete(p.announcements, seq)
		if p.announcing == seq {
			p.announcing = 0
		}
	}
}

// again makes the sweep announce once more, in a moment.
func (a *announcement) again() {
	pause := lastRetry/2 + rand.N(lastRetry) // #nosec G404 -- jitter
	a.sentAt = time.Now().Add(pause - announceAgain)
}

// correct takes the owner's word on a room, in answer to the announcement seq.
func (p *partition) correct(seq uint64, c *bus.CorrectedRoom, out *outbox) {
	r := p.rooms[c.Room]
	if r == nil {
		return
	}
	if r.repairing == seq {
		r.repairing = 0
	}
	if !r.live {
		return
	}
	switch {
	case c.Gone:
		r.end(r.stamp, "", out)
	case c.Same:
		r.same(seq, c.Stamp, out)
	default:
		for i := range c.Members {
			c.Members[i].Gateway = p.h.intern(c.Members[i].Gateway)
		}
		r.adopt(&c.Roster, out)
	}
	r.release(out)
}

// same takes the owner's word that the room as it was announced is the room as of at. If the view has changed since and is
// not as new, it misses something.
func (r *replica) same(announced uint64, at bus.Stamp, out *outbox) {
	switch {
	case !r.stamp.Less(at):
	case r.since >= announced:
		r.repair(causeStale, out)
	default:
		r.advance(at)
		r.settleHeld(out)
	}
}

// sweepAnnouncements repeats announcements without a correction, and announces from time to time without any reason, so
// that no difference lasts whatever its cause.
func (p *partition) sweepAnnouncements(now time.Time, out *outbox) {
	for seq, a := range p.announcements {
		age := now.Sub(a.sentAt)
		if age > announceForget || (!a.full && age > announceAgain) {
			delete(p.announcements, seq)
		}
	}
	for r := range p.restless {
		if r.repairing != 0 && p.announcements[r.repairing] == nil {
			r.repairAgain(now, out)
		}
		r.sweepDetours(now, out)
		if len(r.held) > 0 {
			r.sweepHeld(now, out)
		}
		r.sweepParting(now, out)
		if r.repairing == 0 && len(r.held) == 0 && len(r.parting) == 0 && len(r.detours) == 0 {
			delete(p.restless, r)
		}
	}
	full := p.announcements[p.announcing]
	why := causePeriodic
	switch {
	case full != nil && now.Sub(full.sentAt) >= announceAgain:
		why = causeUnanswered
	case full != nil:
		return
	case p.announceSoon:
		why = p.because
	case !now.After(p.nextAnnounce):
		return
	}
	p.announce(now, why, out)
	p.nextAnnounce = p.h.nextAnnounce(now)
}

// sweepHeld looks for signals that are held for long: first the room is repaired, then they are decided.
func (r *replica) sweepHeld(now time.Time, out *outbox) {
	if now.Sub(r.held[0].since) > lastRetry {
		r.repair(causeHeld, out)
	}
	r.settleHeldUntil(now.Add(-holdTime), out)
}

// onResync announces a partition, or all of them, because its owner asks. It may have missed commands too.
func (h *Hub) onResync(data []byte, out *outbox) {
	var m bus.Resync
	if err := m.Decode(data); err != nil {
		h.log.Error("resync not understood", "error", err)
		return
	}
	h.show()
	now := time.Now()
	for n := range h.parts {
		if m.Partition >= 0 && m.Partition != n {
			continue
		}
		p := &h.parts[n]
		p.mu.Lock()
		if m.Partition < 0 || p.meet(m.Epoch) {
			p.announce(now, causeResync, out)
			p.resend(now, out)
		}
		p.mu.Unlock()
	}
}

// onDigest compares the versions of the rooms that have changed lately: it shows that a room's last event was missed.
func (h *Hub) onDigest(data []byte, out *outbox) {
	var d bus.Digest
	if err := d.Decode(data); err != nil || d.Partition < 0 || d.Partition >= len(h.parts) {
		h.log.Error("digest not understood", "error", err)
		return
	}
	p := &h.parts[d.Partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.meet(d.Epoch) {
		return
	}
	for i := range d.Rooms {
		r := p.rooms[d.Rooms[i].Room]
		if r != nil && r.live && r.stamp.Less(bus.Stamp{Epoch: d.Epoch, Version: d.Rooms[i].Version}) {
			r.repair(causeDigest, out)
		}
	}
}
