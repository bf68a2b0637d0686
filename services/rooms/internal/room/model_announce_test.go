package room

import (
	"slices"

	"signalling/api/bus"
)

// announcement is what the gateway says about the rooms; all of them if none is named.
func (g *replica) announcement(full bool, rooms ...string) *bus.Announce {
	g.seq++
	a := &bus.Announce{Gateway: g.id, Seq: g.seq, AsOf: g.seq, Full: full, Last: true, Epoch: g.epoch}
	if len(rooms) == 0 {
		named := map[string]bool{}
		for name := range g.held {
			named[name] = true
		}
		for _, c := range g.pending {
			named[c.Room] = true
		}
		rooms = keys(named)
	}
	for _, name := range rooms {
		ar := bus.AnnouncedRoom{Room: name}
		if v := g.views[name]; v != nil {
			ar.Stamp, ar.Born, ar.Owner, ar.Digest, ar.Policy = v.Stamp, v.Born, v.Owner, v.Digest(), v.Policy
		}
		for _, client := range keys(g.held[name]) {
			m := bus.Member{Client: client, Seq: g.held[name][client]}
			if v := g.views[name]; v != nil {
				if i := slices.IndexFunc(v.Members, func(m bus.Member) bool { return m.Client == client }); i >= 0 {
					m.Since = v.Members[i].Since
				}
			}
			ar.Members = append(ar.Members, m)
		}
		for _, key := range keys(g.pending) {
			if c := g.pending[key]; c.Room == name {
				ar.Unsettled = append(ar.Unsettled, c.Client)
			}
		}
		a.Rooms = append(a.Rooms, ar)
	}
	return a
}

// announce announces and takes the corrections.
func (w *world) announce(g *replica, full bool, rooms ...string) {
	w.compare(g, g.announcement(full, rooms...))
}

func (w *world) compare(g *replica, a *bus.Announce) {
	want := w.expectRemoved(a)
	events, corrections := w.p.Announce(a)
	w.checkEvents(events, want)
	rooms := 0
	for i, c := range corrections {
		if c.Part != uint64(i) || c.Last != (i == len(corrections)-1) || c.Epoch != w.p.Epoch() {
			w.Fatalf("part %d of %d: %+v", i, len(corrections), c)
		}
		for _, cr := range c.Rooms {
			w.correct(g, &a.Rooms[rooms], &cr)
			rooms++
		}
	}
	if rooms != len(a.Rooms) {
		w.Fatalf("%d rooms are corrected, %d were announced", rooms, len(a.Rooms))
	}
	g.epoch = max(g.epoch, w.p.Epoch())
}

// announceLater makes an announcement that will arrive when other things have happened.
func (w *world) announceLater() {
	g := w.replica()
	w.underway = append(w.underway, underway{g, g.announcement(true)})
}

// arrive brings the oldest announcement that is under way. A gateway that has died since does not take the correction,
// and the announcement comes to nothing, because it was evicted.
func (w *world) arrive() {
	if len(w.underway) == 0 {
		return
	}
	u := w.underway[0]
	w.underway = w.underway[1:]
	if slices.Contains(w.replicas, u.g) {
		w.compare(u.g, u.a)
	}
}

type removal struct {
	name    string
	members []modelMember
	closed  bool
	heir    string // who becomes the owner, if it is among members and the room is passed on
}

// expectRemoved lists the members that an announcement gives up.
func (w *world) expectRemoved(a *bus.Announce) (removals []removal) {
	for _, name := range keys(w.rooms) {
		i := slices.IndexFunc(a.Rooms, func(ar bus.AnnouncedRoom) bool { return ar.Room == name })
		if i < 0 && !a.Full {
			continue
		}
		w.remove(name, &removals, func(m modelMember) bool {
			if m.gateway != a.Gateway || m.seq > a.AsOf {
				return false
			}
			return i < 0 || (!slices.ContainsFunc(a.Rooms[i].Members, func(x bus.Member) bool { return x.Client == m.client }) &&
				!slices.Contains(a.Rooms[i].Unsettled, m.client))
		})
	}
	return removals
}

func (w *world) remove(name string, removals *[]removal, gone func(modelMember) bool) {
	w.removeAs(name, removals, true, gone)
}

// removeAs adds what it means that members go. lost: the policy says what becomes of a room without its owner.
func (w *world) removeAs(name string, removals *[]removal, lost bool, gone func(modelMember) bool) {
	r, x := w.rooms[name], removal{name: name}
	var stay []modelMember
	ownerGone := false
	for _, m := range r.members {
		if !gone(m) {
			stay = append(stay, m)
			continue
		}
		x.members = append(x.members, m)
		ownerGone = ownerGone || m.client == r.owner
	}
	switch {
	case len(x.members) == 0:
		return
	case len(stay) == 0 || (ownerGone && (!lost || r.policy.lost == bus.CloseOnLoss)):
		// Only one end is told, the owner's if it is there.
		x.closed = true
		last := x.members[0]
		for _, m := range x.members {
			if m.client == r.owner {
				last = m
			}
		}
		x.members = []modelMember{last}
	case ownerGone && r.policy.lost == bus.Transfer:
		x.heir = stay[0].client
	}
	*removals = append(*removals, x)
}

// applyLeft takes a member out of the model, and returns the owner that its leaving makes.
func (w *world) applyLeft(r *modelRoom, client, heir string) string {
	i := r.find(client)
	r.members = slices.Delete(r.members, i, i+1)
	if client != r.owner {
		return ""
	}
	if heir == "" {
		r.waiting = notBegun
		return ""
	}
	r.owner = heir
	return heir
}

// checkEvents checks that the events tell exactly the removals, room by room, and applies them to the model one by one.
func (w *world) checkEvents(events []bus.Event, removals []removal) {
	byRoom := map[string][]bus.Event{}
	for _, e := range events {
		byRoom[e.Room] = append(byRoom[e.Room], e)
	}
	for _, x := range removals {
		got := byRoom[x.name]
		delete(byRoom, x.name)
		if len(got) != len(x.members) {
			w.Fatalf("room %q: events %+v, want %+v", x.name, got, x)
		}
		for i, m := range x.members {
			r := w.rooms[x.name]
			version := r.version
			want := bus.Event{Room: x.name, Kind: bus.Left, Client: m.client, Gateway: m.gateway}
			if x.closed {
				want.Kind = bus.Closed
				delete(w.rooms, x.name)
			} else {
				want.Owner = w.applyLeft(r, m.client, x.heir)
			}
			w.event(got[i], want, version)
		}
	}
	if len(byRoom) > 0 {
		w.Fatalf("events nobody expects: %+v", byRoom)
	}
}

// correct is what a gateway does with one corrected room.
func (w *world) correct(g *replica, ar *bus.AnnouncedRoom, c *bus.CorrectedRoom) {
	r := w.rooms[c.Room]
	switch {
	case c.Room != ar.Room:
		w.Fatalf("correction of %q for %q", c.Room, ar.Room)
	case c.Gone != (r == nil):
		w.Fatalf("%q is gone: %v", c.Room, c.Gone)
	case c.Gone:
		g.dropRoom(c.Room)
		return
	case !c.Same && rosterString(&c.Roster) != w.truth[c.Room][c.Stamp]:
		w.Fatalf("%q is corrected to %s, want %s", c.Room, rosterString(&c.Roster), w.truth[c.Room][c.Stamp])
	case c.Version != r.version:
		w.Fatalf("%q is corrected at %v, not %d", c.Room, c.Stamp, r.version)
	}
	// A newer event may have arrived while the announcement was on its way.
	v := g.views[c.Room]
	if v != nil && c.Stamp.Less(v.Stamp) {
		return
	}
	if c.Same {
		if v == nil {
			return // its last client has gone
		}
		if v.Digest() != ar.Digest || v.Born != ar.Born {
			w.repairs = append(w.repairs, repair{g, c.Room}) // it is not what was announced any more
			return
		}
		v.Stamp = c.Stamp
		return
	}
	g.adopt(c.Room, c.Roster)
	if len(g.held[c.Room]) == 0 {
		g.dropRoom(c.Room)
	}
}

// adopt takes a roster as the truth: clients that are not in it are not in the room.
func (g *replica) adopt(name string, roster bus.Roster) {
	roster.Members = slices.Clone(roster.Members)
	g.views[name] = &roster
	for client := range g.held[name] {
		if !slices.ContainsFunc(roster.Members, func(m bus.Member) bool { return m.Client == client && m.Gateway == g.id }) {
			delete(g.held[name], client)
		}
	}
}

// evict is the death of a gateway; another one starts in its place.
func (w *world) evict() {
	g := w.replica()
	w.lives++
	w.replicas[g.nth] = newReplica(g.nth, w.lives)
	var want []removal
	for _, name := range keys(w.rooms) {
		w.remove(name, &want, func(m modelMember) bool { return m.gateway == g.id })
	}
	w.checkEvents(w.p.Evict(g.id), want)
	if again := w.p.Evict(g.id); len(again) > 0 {
		w.Fatalf("evicted twice: %+v", again)
	}
}
