package operate

import (
	"iter"

	"signalling/api/bus"
)

// Those who have rooms, their owner and the gateways, show them in the same way.

// SetPolicy fills in what a room's policy says; nil is that of a plain room.
func (s *Summary) SetPolicy(o *bus.Policy) {
	if o != nil {
		s.Locked, s.Password, s.Capacity = o.Locked, o.Password != "", o.Capacity
	}
}

// SetPolicy fills in what a room's policy says beside the Summary; nil is that of a plain room.
func (s *RoomState) SetPolicy(o *bus.Policy) {
	s.OnOwnerLost = "close"
	if o == nil {
		return
	}
	if o.OwnerLost != bus.CloseOnLoss {
		s.OnOwnerLost = string(o.OwnerLost)
	}
	s.OwnerKey, s.Metadata, s.Banned = o.OwnerKey != "", o.Metadata, o.Banned
}

// Page fills in the members, in join order, that the question asks for.
func (s *RoomState) Page(q *Question, members iter.Seq[*bus.Member]) {
	s.List = []Member{}
	for m := range members {
		if m.Since <= q.Since {
			continue
		}
		if len(s.List) == q.Limit {
			s.Next = s.List[len(s.List)-1].Since
			return
		}
		s.List = append(s.List, MemberOf(m))
	}
}

// MemberOf shows a member.
func MemberOf(m *bus.Member) Member {
	return Member{Client: m.Client, Gateway: m.Gateway, Display: m.Display, Since: m.Since, Resumed: m.Inc}
}
