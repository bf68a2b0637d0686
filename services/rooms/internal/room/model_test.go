package room

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signalling/api/bus"
)

// The model: what CONTRACT rules 1 to 4 say, written down as naively as possible.

type modelMember struct {
	client, gateway string
	seq             uint64
}

type modelRoom struct {
	owner   string
	members []modelMember
	version uint64
}

func (r *modelRoom) find(client string) int {
	return slices.IndexFunc(r.members, func(m modelMember) bool { return m.client == client })
}

func (r *modelRoom) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "owner %s:", r.owner)
	for _, m := range r.members {
		fmt.Fprintf(&b, " %s@%s", m.client, m.gateway)
	}
	return b.String()
}

func rosterString(r *bus.Roster) string {
	m := modelRoom{owner: r.Owner}
	for _, x := range r.Members {
		m.members = append(m.members, modelMember{client: x.Client, gateway: x.Gateway})
	}
	return m.String()
}

// replica is a gateway as the protocol wants it: views of the rooms in which it holds clients, kept by events and by
// repair, and commands that it repeats until they are answered.
type replica struct {
	id      string
	seq     uint64
	views   map[string]*bus.Roster
	held    map[string]map[string]uint64 // by room: the clients that it knows to be in, by which command
	pending map[string]bus.Command       // by room and client
	epoch   uint64
	nth     int
}

func newReplica(nth, life int) *replica {
	return &replica{
		id: fmt.Sprintf("g%d.%d", nth, life), nth: nth,
		views: map[string]*bus.Roster{}, held: map[string]map[string]uint64{}, pending: map[string]bus.Command{},
	}
}

// world is the partition under test, the model beside it, and the gateways around it.
type world struct {
	*rapid.T
	p        *Partition
	rooms    map[string]*modelRoom
	replicas []*replica
	lives    int
	// truth is what a room was at each stamp.
	truth map[string]map[bus.Stamp]string
	// last is the last version of each name in this epoch.
	last map[string]uint64
	// repairs are rooms that gateways must have corrected, because events or answers did not fit.
	repairs []repair
	// underway are announcements that have been made and have not arrived.
	underway []underway
}

type underway struct {
	g *replica
	a *bus.Announce
}

type repair struct {
	g    *replica
	name string
}

var names = []string{"a", "b", "c", "*"}

func newWorld(t *rapid.T) *world {
	w := &world{T: t, p: New(5, Limits{MembersPerRoom: 4}), rooms: map[string]*modelRoom{}, truth: map[string]map[bus.Stamp]string{}, last: map[string]uint64{}}
	for i := range 3 {
		w.replicas = append(w.replicas, newReplica(i, 0))
	}
	return w
}

func (w *world) replica() *replica { return rapid.SampledFrom(w.replicas).Draw(w.T, "gateway") }

// record notes what the room is at a stamp, which must be new.
func (w *world) record(name string, stamp bus.Stamp) {
	if w.truth[name] == nil {
		w.truth[name] = map[bus.Stamp]string{}
	}
	if _, ok := w.truth[name][stamp]; ok {
		w.Fatalf("the stamp %v of %q came twice", stamp, name)
	}
	text := "closed"
	if r := w.rooms[name]; r != nil {
		text = r.String()
		r.version = stamp.Version
	}
	w.truth[name][stamp] = text
	w.last[name] = stamp.Version
}

// event checks an event against the model, which has changed already, and brings it to the gateways. Some lose it.
func (w *world) event(e bus.Event, want bus.Event, version uint64) {
	want.Stamp = bus.Stamp{Epoch: w.p.Epoch(), Version: version + 1}
	if e != want {
		w.Fatalf("event %+v, want %+v", e, want)
	}
	w.record(e.Room, e.Stamp)
	for _, g := range w.replicas {
		if v := g.views[e.Room]; v != nil && rapid.IntRange(0, 3).Draw(w.T, "lost") != 0 {
			w.deliver(g, v, &e)
		}
	}
}

func (w *world) deliver(g *replica, v *bus.Roster, e *bus.Event) {
	switch {
	case e.Epoch < v.Epoch || (e.Epoch == v.Epoch && e.Version <= v.Version):
		return
	case e.Epoch != v.Epoch || e.Version != v.Version+1:
		w.repairs = append(w.repairs, repair{g, e.Room})
		return
	}
	v.Stamp = e.Stamp
	switch e.Kind {
	case bus.Joined:
		v.Members = append(v.Members, bus.Member{Client: e.Client, Gateway: e.Gateway, Since: e.Version, Seq: e.Seq})
	case bus.Left:
		v.Members = slices.DeleteFunc(v.Members, func(m bus.Member) bool { return m.Client == e.Client })
		g.release(e.Room, e.Client)
	case bus.Closed:
		g.dropRoom(e.Room)
	}
}

func (g *replica) dropRoom(name string) {
	delete(g.views, name)
	delete(g.held, name)
}

// hold notes that the client is in the room by the command of this number.
func (g *replica) hold(name, client string, seq uint64) {
	if g.held[name] == nil {
		g.held[name] = map[string]uint64{}
	}
	g.held[name][client] = max(seq, g.held[name][client])
}

// release notes that the client is not in the room; a room without clients is not followed.
func (g *replica) release(name, client string) {
	delete(g.held[name], client)
	if len(g.held[name]) == 0 {
		g.dropRoom(name)
	}
}

// repair corrects what did not fit, and what that causes.
func (w *world) repair() {
	for len(w.repairs) > 0 {
		r := w.repairs[0]
		w.repairs = w.repairs[1:]
		if slices.Contains(w.replicas, r.g) {
			w.announce(r.g, false, r.name)
		}
	}
}

// command sends a new command.
func (w *world) command() {
	g := w.replica()
	name := rapid.SampledFrom(names).Draw(w.T, "room")
	client := fmt.Sprintf("%s.c%d", g.id, rapid.IntRange(0, 3).Draw(w.T, "client"))
	if _, busy := g.pending[name+client]; busy {
		return
	}
	g.seq++
	w.send(g, bus.Command{
		Op: rapid.SampledFrom([]bus.Op{bus.Create, bus.Join, bus.Join, bus.Leave}).Draw(w.T, "op"), Gateway: g.id, Seq: g.seq, Room: name, Client: client,
	})
}

// repeat sends a command again whose answer was lost.
func (w *world) repeat() {
	g := w.replica()
	for _, key := range keys(g.pending) {
		w.send(g, g.pending[key])
		return
	}
}

// giveUp ends a command whose answer was lost; the client is told "unavailable" and the next announcement settles it.
func (w *world) giveUp() {
	g := w.replica()
	for _, key := range keys(g.pending) {
		c := g.pending[key]
		delete(g.pending, key)
		if rapid.Bool().Draw(w.T, "at once") {
			w.announce(g, false, c.Room)
		}
		return
	}
}

func keys[V any](m map[string]V) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// send applies a command and checks result, roster and event; the answer may be lost.
func (w *world) send(g *replica, c bus.Command) {
	c.Have = 0
	if v := g.views[c.Room]; v != nil {
		c.Have = v.Epoch
	}
	g.pending[c.Room+c.Client] = c
	before := w.last[c.Room]
	var version uint64
	r := w.rooms[c.Room]
	if r != nil {
		version = r.version
	}
	a, e := w.p.Apply(&c)
	result, want := w.expect(&c)
	if a.Result != result {
		w.Fatalf("%+v: %s, want %s", c, a.Result, result)
	}
	if a.Epoch != w.p.Epoch() {
		w.Fatalf("%+v is answered at epoch %d", c, a.Epoch)
	}
	switch {
	case want.Kind != "":
		w.event(e, want, version)
	case e.Kind != "":
		w.Fatalf("%+v: event %+v", c, e)
	case c.Op == bus.Create && result == bus.Done && r == nil:
		if a.Born != a.Stamp || a.Version <= before+1 {
			w.Fatalf("created at %+v, after version %d", a.Roster, before)
		}
		w.record(c.Room, a.Stamp)
	}
	if result == bus.Done && c.Op != bus.Leave {
		w.checkRoster(&c, &a)
	}
	if rapid.IntRange(0, 4).Draw(w.T, "answer lost") != 0 {
		w.answered(g, &c, a)
	}
}

// expect applies a command to the model.
func (w *world) expect(c *bus.Command) (bus.Result, bus.Event) {
	e := bus.Event{Room: c.Room, Client: c.Client, Gateway: c.Gateway}
	r := w.rooms[c.Room]
	switch c.Op {
	case bus.Create:
		if r == nil {
			w.rooms[c.Room] = &modelRoom{owner: c.Client, members: []modelMember{{c.Client, c.Gateway, c.Seq}}}
			return bus.Done, bus.Event{}
		}
		if i := r.find(c.Client); i >= 0 && r.owner == c.Client && (r.members[i].seq == c.Seq || r.members[i].seq == 0) {
			r.members[i].seq = c.Seq
			return bus.Done, bus.Event{}
		}
		return bus.Exists, bus.Event{}
	case bus.Join:
		switch {
		case r == nil:
			return bus.NotExists, bus.Event{}
		case r.find(c.Client) >= 0:
			m := &r.members[r.find(c.Client)]
			m.seq = max(m.seq, c.Seq)
			return bus.Done, bus.Event{}
		case len(r.members) >= 4:
			return bus.Refused, bus.Event{}
		}
		r.members = append(r.members, modelMember{c.Client, c.Gateway, c.Seq})
		e.Kind, e.Seq = bus.Joined, c.Seq
		return bus.Done, e
	}
	if r == nil || r.find(c.Client) < 0 {
		return bus.NotIn, bus.Event{}
	}
	e.Kind = bus.Left
	if r.owner == c.Client {
		delete(w.rooms, c.Room)
		e.Kind = bus.Closed
	} else {
		r.members = slices.Delete(r.members, r.find(c.Client), r.find(c.Client)+1)
	}
	return bus.Done, e
}

func (w *world) checkRoster(c *bus.Command, a *bus.Answer) {
	if c.Have == w.p.Epoch() {
		if a.Members != nil {
			w.Fatalf("%+v is answered with members", c)
		}
		return
	}
	if got, want := rosterString(&a.Roster), w.truth[c.Room][a.Stamp]; got != want {
		w.Fatalf("%+v is answered with %s, want %s", c, got, want)
	}
}

// answered is what a gateway does with an answer.
func (w *world) answered(g *replica, c *bus.Command, a bus.Answer) {
	delete(g.pending, c.Room+c.Client)
	if a.Result != bus.Done || c.Op == bus.Leave {
		if c.Op == bus.Leave {
			g.release(c.Room, c.Client)
		}
		return
	}
	v := g.views[c.Room]
	switch {
	case a.Members != nil:
		if v == nil || v.Stamp.Less(a.Stamp) {
			g.adopt(c.Room, a.Roster)
		}
	case v == nil || v.Born != a.Born || v.Stamp.Less(a.Stamp):
		w.repairs = append(w.repairs, repair{g, c.Room})
	}
	g.hold(c.Room, c.Client, c.Seq)
	g.epoch = max(g.epoch, a.Epoch)
}

func (g *replica) holds(name, client string) bool {
	_, ok := g.held[name][client]
	return ok
}

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
			ar.Stamp, ar.Born, ar.Owner, ar.Digest = v.Stamp, v.Born, v.Owner, v.Digest()
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
	x := removal{name: name}
	for _, m := range w.rooms[name].members {
		if gone(m) {
			x.members = append(x.members, m)
			x.closed = x.closed || m.client == w.rooms[name].owner
		}
	}
	if x.closed {
		// Only the owner's end is told.
		x.members = slices.DeleteFunc(x.members, func(m modelMember) bool { return m.client != w.rooms[name].owner })
	}
	if len(x.members) > 0 {
		*removals = append(*removals, x)
	}
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
				r.members = slices.Delete(r.members, r.find(m.client), r.find(m.client)+1)
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

// rebuild is a takeover: a new owner knows only what is announced. A gateway may have died with the old one.
func (w *world) rebuild() {
	if rapid.IntRange(0, 2).Draw(w.T, "gateway dies") == 0 {
		g := w.replica()
		w.lives++
		w.replicas[g.nth] = newReplica(g.nth, w.lives)
	}
	quiet := w.quiet()
	var all []*bus.Announce
	for _, g := range w.replicas {
		all = append(all, g.announcement(true))
	}
	epoch := w.p.Epoch() + uint64(rapid.IntRange(1, 3).Draw(w.T, "epochs"))
	w.p = Rebuild(epoch, Limits{MembersPerRoom: 4}, rapid.Permutation(all).Draw(w.T, "order"))
	before := w.rooms
	w.rooms, w.last = w.expectRebuilt(all), map[string]uint64{}
	for _, name := range keys(w.rooms) {
		r := w.p.rooms[name]
		if r == nil {
			w.Fatalf("%q is lost", name)
		}
		w.record(name, bus.Stamp{Epoch: epoch, Version: r.version})
		for _, a := range all {
			for _, ar := range a.Rooms {
				if ar.Version >= r.version {
					w.Fatalf("%q goes on at %d, it was announced at %d", name, r.version, ar.Version)
				}
			}
		}
		if quiet && w.rooms[name].String() != before[name].String() {
			w.Fatalf("%q was %s and is %s, though everyone knew it", name, before[name], w.rooms[name])
		}
	}
	if quiet && len(before) != len(w.rooms) {
		w.Fatalf("%d rooms became %d, though everyone knew them", len(before), len(w.rooms))
	}
	for i, g := range w.replicas {
		if rapid.Bool().Draw(w.T, "corrected later") {
			w.underway = append(w.underway, underway{g, all[i]})
		} else {
			w.compare(g, all[i])
		}
	}
}

// quiet says whether every gateway knows everything: then a takeover changes nothing.
func (w *world) quiet() bool {
	for _, g := range w.replicas {
		if len(g.pending) > 0 {
			return false
		}
		for name, held := range g.held {
			for client := range held {
				if r := w.rooms[name]; r == nil || r.find(client) < 0 {
					return false
				}
			}
		}
	}
	for name, r := range w.rooms {
		for _, m := range r.members {
			i := slices.IndexFunc(w.replicas, func(g *replica) bool { return g.id == m.gateway })
			if i < 0 || !w.replicas[i].holds(name, m.client) || w.replicas[i].views[name] == nil || rosterString(w.replicas[i].views[name]) != r.String() {
				return false
			}
		}
	}
	return true
}

// expectRebuilt is the union of what was announced, as documented at Rebuild.
func (w *world) expectRebuilt(all []*bus.Announce) map[string]*modelRoom {
	rooms := map[string]*modelRoom{}
	for _, name := range names {
		var born bus.Stamp
		var owner string
		var waiting *modelMember
		for _, a := range all {
			for _, ar := range a.Rooms {
				if ar.Room == name && len(ar.Members) > 0 && born.Less(ar.Born) {
					born, owner = ar.Born, ar.Owner
				}
			}
		}
		type entry struct {
			modelMember
			since uint64
		}
		var entries []entry
		for _, a := range all {
			for _, ar := range a.Rooms {
				if ar.Room != name {
					continue
				}
				if slices.Contains(ar.Unsettled, owner) {
					waiting = &modelMember{owner, a.Gateway, 0}
				}
				if ar.Born == born {
					for _, m := range ar.Members {
						entries = append(entries, entry{modelMember{m.Client, a.Gateway, m.Seq}, m.Since})
					}
				}
			}
		}
		if !slices.ContainsFunc(entries, func(e entry) bool { return e.client == owner }) {
			if len(entries) == 0 || waiting == nil {
				continue
			}
			entries = append(entries, entry{*waiting, born.Version})
		}
		slices.SortFunc(entries, func(a, b entry) int {
			if c := cmp.Compare(a.since-1, b.since-1); c != 0 { // 0 comes last
				return c
			}
			return strings.Compare(a.client, b.client)
		})
		r := &modelRoom{owner: owner}
		for _, e := range entries {
			r.members = append(r.members, e.modelMember)
		}
		rooms[name] = r
	}
	return rooms
}

// settleAll lets every gateway finish what it has begun and compare; then each view must be the truth.
func (w *world) settleAll() {
	for len(w.underway) > 0 {
		w.arrive()
	}
	for range 3 { // an answer may be lost again
		for _, g := range w.replicas {
			for _, key := range keys(g.pending) {
				w.send(g, g.pending[key])
			}
		}
	}
	for _, g := range w.replicas {
		clear(g.pending)
		w.announce(g, true)
	}
	w.repair()
	for _, g := range w.replicas {
		w.announce(g, true)
		for name, held := range g.held {
			r := w.rooms[name]
			if r == nil || g.views[name] == nil || rosterString(g.views[name]) != r.String() {
				w.Fatalf("%s sees %q as %+v, it is %s", g.id, name, g.views[name], r)
			}
			for client := range held {
				if r.find(client) < 0 {
					w.Fatalf("%s holds %s in %q: %s", g.id, client, name, r)
				}
			}
		}
	}
	for name, r := range w.rooms {
		for _, m := range r.members {
			i := slices.IndexFunc(w.replicas, func(g *replica) bool { return g.id == m.gateway })
			if i < 0 || !w.replicas[i].holds(name, m.client) {
				w.Fatalf("nobody holds %s of %q", m.client, name)
			}
		}
	}
}

// digest checks that the digest names the present version of every room that changed, and that Forget forgets.
func (w *world) digest() {
	changed := map[string]uint64{}
	for _, d := range w.p.Changed(3) {
		if d.Partition != 3 || d.Epoch != w.p.Epoch() {
			w.Fatalf("digest %+v", d)
		}
		for _, r := range d.Rooms {
			changed[r.Room] = r.Version
			if current := w.rooms[r.Room]; r.Closed != (current == nil || current.version > r.Version) {
				w.Fatalf("digest %+v of %+v", r, current)
			}
		}
	}
	for name, version := range changed {
		if version > w.last[name] {
			w.Fatalf("digest says %d of %q, its last version is %d", version, name, w.last[name])
		}
	}
	w.p.Forget()
	if len(w.p.Changed(3)) > 0 {
		w.Fatalf("not forgotten")
	}
}

// check compares the partition with the model, and every view with what was true at its stamp.
func (w *world) check() {
	members := 0
	for name, r := range w.p.rooms {
		roster := w.p.roster(r)
		if w.rooms[name] == nil || rosterString(&roster) != w.rooms[name].String() {
			w.Fatalf("%q is %s, want %s", name, rosterString(&roster), w.rooms[name])
		}
		if !slices.IsSortedFunc(r.members, func(a, b bus.Member) int { return int(a.Since) - int(b.Since) }) {
			w.Fatalf("%q is not in join order: %+v", name, r.members)
		}
		if r.version > w.p.counter {
			w.Fatalf("%q is at %d, the counter at %d", name, r.version, w.p.counter)
		}
		members += len(r.members)
	}
	held := 0
	for id, h := range w.p.holders {
		for r, n := range h.rooms {
			if n <= 0 || r.closed || w.p.rooms[r.name] != r {
				w.Fatalf("%s is said to have %d members in %q", id, n, r.name)
			}
			held += n
		}
	}
	if len(w.p.rooms) != len(w.rooms) || w.p.Members() != members || held != members || w.p.Rooms() != len(w.rooms) {
		w.Fatalf("%d rooms, %d members, %d held; %d rooms, %d members are right", w.p.Rooms(), w.p.Members(), held, len(w.rooms), members)
	}
	for _, g := range w.replicas {
		for name, v := range g.views {
			if got, want := rosterString(v), w.truth[name][v.Stamp]; got != want {
				w.Fatalf("%s sees %q at %v as %s, it was %s", g.id, name, v.Stamp, got, want)
			}
		}
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"":               func(*rapid.T) { w.repair(); w.check() },
			"command":        func(*rapid.T) { w.command() },
			"another":        func(*rapid.T) { w.command() },
			"yet another":    func(*rapid.T) { w.command() },
			"repeat":         func(*rapid.T) { w.repeat() },
			"give up":        func(*rapid.T) { w.giveUp() },
			"evict":          func(*rapid.T) { w.evict() },
			"announce":       func(*rapid.T) { w.announce(w.replica(), true) },
			"announce late":  func(*rapid.T) { w.announceLater() },
			"arrive":         func(*rapid.T) { w.arrive() },
			"announce a few": func(*rapid.T) { w.announce(w.replica(), false, rapid.SampledFrom(names).Draw(w.T, "room")) },
			"rebuild":        func(*rapid.T) { w.rebuild() },
			"digest":         func(*rapid.T) { w.digest() },
			"settle":         func(*rapid.T) { w.settleAll() },
		})
		w.settleAll()
		w.repair()
		w.check()
	})
}
