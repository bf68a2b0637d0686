package operate

import (
	"bytes"
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

// Page fills in the members, in join order, that the question asks for. It ends early, with Next, where their JSON would be
// longer than MaxListBytes.
func (s *RoomState) Page(q *Question, members iter.Seq[*bus.Member]) {
	s.List = []Member{}
	var size budget
	for m := range members {
		if m.Since <= q.Since {
			continue
		}
		shown := MemberOf(m)
		if len(s.List) == q.Limit || (!size.takes(shown) && len(s.List) > 0) {
			s.Next = s.List[len(s.List)-1].Since
			return
		}
		s.List = append(s.List, shown)
	}
}

// MemberOf shows a member.
func MemberOf(m *bus.Member) Member {
	return Member{Client: m.Client, Gateway: m.Gateway, Display: m.Display, Since: m.Since, Resumed: m.Inc}
}

// FitMemberships returns as many memberships, from the first one on, as an answer has.
func FitMemberships(all []Membership) []Membership { return all[:fitting(all)] }

// fitting is how many elements of a list, from the first one on, an answer has: their JSON is MaxListBytes at most.
func fitting[T any](all []T) int {
	var size budget
	for n := range all {
		if !size.takes(&all[n]) {
			return n
		}
	}
	return len(all)
}

// budget counts the bytes of a list in an answer.
type budget struct {
	used int
	buf  bytes.Buffer
}

// takes says whether there is place for one more element.
func (b *budget) takes(element any) bool {
	b.buf.Reset()
	if err := encode(&b.buf, element); err != nil {
		return true // the answer cannot be written anyway, and says so
	}
	b.used += b.buf.Len() // with a line's end in place of the comma
	return b.used <= MaxListBytes
}
