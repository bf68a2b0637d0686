package room

import (
	"cmp"
	"slices"

	"signalling/api/bus"
)

// Rebuild returns the partition as the gateways announced it to its new owner; each announcement is a full one, with the
// rooms of all its parts, and there is at most one of each gateway.
//
// A room is the one with the highest Born of those announced under its name. It has all the members announced for it, in
// the order of their Since, those without one last; a client that two gateways announce is where its session was resumed
// last, or else where it came later. Its owner is the one that the newest of the announced views names, its policy the
// newest that is announced. A room whose owner nobody holds is gone, unless its policy keeps it, or the owner's gateway still
// waits for the answer to its create: others are in the room already, so the create has been carried out.
//
// Versions go on above everything that was announced.
func Rebuild(epoch uint64, limits Limits, announcements []*bus.Announce) *Partition {
	p := New(epoch, limits)
	drafts := map[string]*draft{}
	for _, a := range announcements {
		for i := range a.Rooms {
			ar := &a.Rooms[i]
			p.counter = max(p.counter, ar.Version, ar.Born.Version)
			d := drafts[ar.Room]
			if d == nil {
				d = &draft{}
				drafts[ar.Room] = d
			}
			d.add(a.Gateway, ar)
		}
	}
	for _, d := range drafts {
		for i := range d.members {
			p.counter = max(p.counter, d.members[i].Since)
		}
	}
	// Not in the order of the map, because versions are given out.
	for _, name := range sortedKeys(drafts) {
		if d := drafts[name]; d.complete() {
			p.restore(name, d)
		}
	}
	return p
}

// draft is what is known about a room while it is put together.
type draft struct {
	born    bus.Stamp
	view    bus.Stamp // the newest of those that owner can be from
	owner   string
	policy  *bus.Policy
	members []bus.Member
	awaits  bool // its owner
	// waiting are the clients that a gateway announced as unsettled, with the gateway.
	waiting []bus.Member
}

func (d *draft) add(gateway string, ar *bus.AnnouncedRoom) {
	d.wait(gateway, ar)
	if len(ar.Members) == 0 || ar.Born.Less(d.born) || ar.Born == (bus.Stamp{}) {
		return
	}
	if d.born.Less(ar.Born) {
		*d = draft{born: ar.Born, waiting: d.waiting}
	}
	if d.owner == "" || d.view.Less(ar.Stamp) {
		d.view, d.owner = ar.Stamp, ar.Owner
	}
	if ar.Policy != nil && (d.policy == nil || d.policy.Since.Less(ar.Policy.Since)) {
		d.policy = ar.Policy
	}
	for _, m := range ar.Members {
		m.Gateway = gateway
		d.members = append(d.members, m)
	}
}

// wait notes the unsettled clients of a gateway. The display identities of those that are members, too, are there.
func (d *draft) wait(gateway string, ar *bus.AnnouncedRoom) {
	if len(ar.Unsettled) == 0 {
		return
	}
	displays := make(map[string]string, len(ar.Members))
	for i := range ar.Members {
		displays[ar.Members[i].Client] = ar.Members[i].Display
	}
	for i, c := range ar.Unsettled {
		m := bus.Member{Client: c, Gateway: gateway, Display: displays[c]}
		if i < len(ar.Displays) && ar.Displays[i] != "" {
			m.Display = ar.Displays[i]
		}
		d.waiting = append(d.waiting, m)
	}
}

// complete brings the members in order and says whether the room goes on.
func (d *draft) complete() bool {
	if len(d.members) == 0 {
		return false
	}
	owned := d.hasOwner()
	if !owned && (d.policy == nil || d.policy.OwnerLost == bus.CloseOnLoss) {
		return false
	}
	// The later place of a client first, then only the first of each client.
	slices.SortFunc(d.members, func(a, b bus.Member) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(b.Inc, a.Inc), cmp.Compare(b.Since, a.Since), cmp.Compare(b.Seq, a.Seq), cmp.Compare(a.Gateway, b.Gateway))
	})
	d.members = slices.CompactFunc(d.members, func(a, b bus.Member) bool { return a.Client == b.Client })
	slices.SortFunc(d.members, func(a, b bus.Member) int {
		return cmp.Or(cmp.Compare(a.Since-1, b.Since-1), cmp.Compare(a.Client, b.Client)) // 0-1 is the largest
	})
	switch {
	case owned:
	case d.policy.OwnerLost == bus.Transfer:
		d.owner = d.members[0].Client
	default:
		d.awaits = true
	}
	return true
}

// hasOwner says whether the owner is a member, which it is too if its create is still unanswered.
func (d *draft) hasOwner() bool {
	isOwner := func(m bus.Member) bool { return m.Client == d.owner }
	if slices.ContainsFunc(d.members, isOwner) {
		return true
	}
	i := slices.IndexFunc(d.waiting, isOwner)
	if i < 0 {
		return false
	}
	owner := d.waiting[i]
	owner.Since = d.born.Version
	d.members = append(d.members, owner)
	return true
}

func (p *Partition) restore(name string, d *draft) {
	r := p.open(name, d.owner, d.born, p.counter+1)
	r.policy = d.policy
	if d.awaits {
		p.await(r)
	}
	r.members = make([]bus.Member, 0, len(d.members))
	for _, m := range d.members {
		if m.Since == 0 {
			m.Since = r.version
		}
		p.admit(r, m)
	}
}

func sortedKeys(m map[string]*draft) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
