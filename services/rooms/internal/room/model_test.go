package room

import (
	"fmt"
	"slices"
	"strings"

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
	creator string
	members []modelMember
	version uint64
	policy  modelPolicy
	waiting int64 // when it gives its owner up, notBegun, or 0 if it does not wait
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
	fmt.Fprintf(&b, " policy %s", r.policy)
	return b.String()
}

func rosterString(r *bus.Roster) string {
	m := modelRoom{owner: r.Owner, policy: policyOf(r.Policy)}
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
	// policies are those that rooms of a name have had, by when.
	policies map[string]map[bus.Stamp]modelPolicy
	now      int64
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
	w := &world{T: t, p: New(5, testLimits), policies: map[string]map[bus.Stamp]modelPolicy{}, now: 1000, rooms: map[string]*modelRoom{}, truth: map[string]map[bus.Stamp]string{}, last: map[string]uint64{}}
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
		if w.policies[name] == nil {
			w.policies[name] = map[bus.Stamp]modelPolicy{}
		}
		w.policies[name][r.policy.since] = r.policy
		text = r.String()
		r.version = stamp.Version
	}
	w.truth[name][stamp] = text
	w.last[name] = stamp.Version
}

// event checks an event against the model, which has changed already, and brings it to the gateways. Some lose it.
func (w *world) event(e bus.Event, want bus.Event, version uint64) {
	want.Stamp = bus.Stamp{Epoch: w.p.Epoch(), Version: version + 1}
	if want.Policy != nil && e.Policy != nil {
		policy := &w.rooms[e.Room].policy
		policy.since = want.Stamp
		if got := policyOf(e.Policy); got.String() != policy.String() {
			w.Fatalf("event %+v has policy %s, want %s", e, got, policy)
		}
		want.Policy = e.Policy
	}
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
	if e.Owner != "" {
		v.Owner = e.Owner
	}
	if e.Policy != nil {
		v.Policy = e.Policy
	}
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
	op := rapid.SampledFrom([]bus.Op{bus.Create, bus.Join, bus.Join, bus.Leave, bus.Kick, bus.Update}).Draw(w.T, "op")
	if r := w.rooms[name]; r != nil && (op == bus.Kick || op == bus.Update) && rapid.IntRange(0, 3).Draw(w.T, "owner") > 0 {
		if o := w.holder(r, r.owner); o != nil {
			g, client = o, r.owner
		}
	}
	if _, busy := g.pending[name+client]; busy {
		return
	}
	g.seq++
	c := bus.Command{Op: op, Gateway: g.id, Seq: g.seq, Room: name, Client: client}
	w.drawArguments(&c)
	w.send(g, c)
}

// holder returns the gateway at which a member is, if it lives.
func (w *world) holder(r *modelRoom, client string) *replica {
	for _, g := range w.replicas {
		if i := r.find(client); i >= 0 && r.members[i].gateway == g.id {
			return g
		}
	}
	return nil
}

// repeat sends a command again whose answer was lost.
func (w *world) repeat() {
	g := w.replica()
	if waiting := keys(g.pending); len(waiting) > 0 {
		w.send(g, g.pending[waiting[0]])
	}
}

// giveUp ends a command whose answer was lost; the client is told "unavailable" and the next announcement settles it.
func (w *world) giveUp() {
	g := w.replica()
	if waiting := keys(g.pending); len(waiting) > 0 {
		c := g.pending[waiting[0]]
		delete(g.pending, waiting[0])
		if rapid.Bool().Draw(w.T, "at once") {
			w.announce(g, false, c.Room)
		}
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
	if result == bus.Done && (c.Op == bus.Create || c.Op == bus.Join) {
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
		return w.expectCreate(c), bus.Event{}
	case bus.Join:
		return w.expectJoin(c)
	case bus.Kick:
		return w.expectKick(c)
	case bus.Update:
		return w.expectUpdate(c)
	}
	if r == nil || r.find(c.Client) < 0 {
		return bus.NotIn, bus.Event{}
	}
	var x []removal
	lost := c.Lost || r.policy.lost != bus.AwaitOwner // else it is not waited for
	w.removeAs(c.Room, &x, lost, func(m modelMember) bool { return m.client == c.Client })
	e.Kind = bus.Left
	if x[0].closed {
		delete(w.rooms, c.Room)
		e.Kind = bus.Closed
	} else {
		e.Owner = w.applyLeft(r, c.Client, x[0].heir)
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
	if a.Result != bus.Done || (c.Op != bus.Create && c.Op != bus.Join) {
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
