package engine

import "signalling/api/bus"

// seenCommands is how many commands of a gateway in a partition, back from the newest, can be told apart from repetitions.
const seenCommands = 1 << 13

// seen knows which creates and joins of a gateway in a partition must have no effect any more. Gateways repeat what is not
// answered soon. When NATS or a process was stopped, a repetition can come after the answer, and the room can have changed
// since: a create that was answered with "exists" would make a room whose owner does not know of it.
type seen struct {
	// top is the highest number of a command that came, bits those of the last seenCommands that did.
	top  uint64
	bits [seenCommands / 64]uint64
	// Commands up to the number settled were answered before this owner's time, but those of unsettled clients.
	settled   uint64
	unsettled map[unsettled]struct{}
}

type unsettled struct{ room, client string }

// first notes a command, and says whether it may have an effect: it was not carried out before.
func (s *seen) first(c *bus.Command) bool {
	n := c.Seq / bus.Partitions // the partition's own count
	switch {
	case n > s.top:
		s.advance(n)
	case s.top-n >= seenCommands, s.bits[n%seenCommands/64]&(1<<(n%64)) != 0:
		return false
	}
	s.bits[n%seenCommands/64] |= 1 << (n % 64)
	if c.Seq > s.settled {
		return true
	}
	_, waits := s.unsettled[unsettled{c.Room, c.Client}]
	return waits
}

// advance forgets what is too far back once top is n.
func (s *seen) advance(n uint64) {
	if n-s.top >= seenCommands {
		s.bits = [len(s.bits)]uint64{}
	} else {
		for i := s.top + 1; i < n; i++ {
			s.bits[i%seenCommands/64] &^= 1 << (i % 64)
		}
		s.bits[n%seenCommands/64] &^= 1 << (n % 64)
	}
	s.top = n
}

// settle begins with what a gateway has announced to a new owner.
func (s *seen) settle(a *bus.Announce) {
	s.settled = a.AsOf
	for i := range a.Rooms {
		for _, client := range a.Rooms[i].Unsettled {
			if s.unsettled == nil {
				s.unsettled = map[unsettled]struct{}{}
			}
			s.unsettled[unsettled{a.Rooms[i].Room, client}] = struct{}{}
		}
	}
}

// seenOf returns what is known of the gateway's commands in a partition.
func (g *gateway) seenOf(partition int) *seen {
	s := g.seen[partition]
	if s == nil {
		s = new(seen)
		g.seen[partition] = s
	}
	return s
}

// forgetSeen begins anew in a partition, as its next owner.
func (e *Engine) forgetSeen(partition int) {
	for _, g := range e.gateways {
		g.seen[partition] = nil
	}
}
