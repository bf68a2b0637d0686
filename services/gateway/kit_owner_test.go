package gateway_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

// owner plays the rooms service: it shows what gateways ask, and says what the test wants, when the test wants it.
type owner struct {
	t       testing.TB
	nc      *nats.Conn
	gateway string // the gateway under test
	epoch   uint64
	subs    []*nats.Subscription

	commands, announces, heartbeats chan *nats.Msg
}

const ownerQueue = 1 << 15

func newOwner(t testing.TB, nc *nats.Conn) *owner {
	t.Helper()
	o := &owner{
		t: t, nc: nc, epoch: 7,
		commands: make(chan *nats.Msg, ownerQueue), announces: make(chan *nats.Msg, ownerQueue), heartbeats: make(chan *nats.Msg, ownerQueue),
	}
	o.listen()
	if _, err := nc.ChanSubscribe(bus.HeartbeatSubject, o.heartbeats); err != nil {
		t.Fatal(err)
	}
	return o
}

// listen takes the partitions.
func (o *owner) listen() {
	o.t.Helper()
	for subject, in := range map[string]chan *nats.Msg{bus.AllCommands: o.commands, bus.AllAnnounces: o.announces} {
		sub, err := o.nc.ChanSubscribe(subject, in)
		if err != nil {
			o.t.Fatal(err)
		}
		o.subs = append(o.subs, sub)
	}
	o.flush()
}

// die gives the partitions up: commands and announcements meet "no responders".
func (o *owner) die() {
	o.t.Helper()
	for _, sub := range o.subs {
		if err := sub.Unsubscribe(); err != nil {
			o.t.Fatal(err)
		}
	}
	o.subs = nil
	o.flush()
}

// flush returns when the server has taken all that was sent.
func (o *owner) flush() {
	o.t.Helper()
	if err := o.nc.FlushTimeout(patience); err != nil {
		o.t.Fatal(err)
	}
}

// send publishes a message.
func (o *owner) send(subject string, m interface{ Append([]byte) []byte }) {
	o.t.Helper()
	if err := o.nc.Publish(subject, m.Append(nil)); err != nil {
		o.t.Fatal(err)
	}
}

// receive waits for a message.
func receive(t testing.TB, in <-chan *nats.Msg, what string) *nats.Msg {
	t.Helper()
	select {
	case m := <-in:
		return m
	default:
	}
	select {
	case m := <-in:
		return m
	case <-time.After(patience):
		t.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

// command is a command as it came.
type command struct {
	bus.Command
	reply string
	at    time.Time
}

// expectCommandWithin is expectCommand with another patience.
func (o *owner) expectCommandWithin(d time.Duration, op bus.Op, room string, who named) *command {
	o.t.Helper()
	for end := time.Now().Add(d); len(o.commands) == 0 && time.Now().Before(end); {
		pass(tick)
	}
	return o.expectCommand(op, room, who)
}

// takeCommand waits for a command, whichever it is.
func (o *owner) takeCommand() *command {
	o.t.Helper()
	m := receive(o.t, o.commands, "command")
	c := &command{reply: m.Reply, at: time.Now()}
	if err := c.Decode(m.Data); err != nil {
		o.t.Fatal(err)
	}
	if p, _ := bus.PartitionOf(m.Subject); p != bus.Partition(c.Room) {
		o.t.Fatalf("a command for %q came on %s", c.Room, m.Subject)
	}
	return c
}

// expectCommand asserts that the next command is this one.
func (o *owner) expectCommand(op bus.Op, room string, who named) *command {
	o.t.Helper()
	c := o.takeCommand()
	if c.Op != op || c.Room != room || c.Client != who.name() || c.Gateway != o.gateway {
		o.t.Fatalf("got command %+v, want %s of %s in %q", c.Command, op, who.name(), room)
	}
	if want := bus.AnswerSubject(o.gateway, c.Seq); c.reply != want {
		o.t.Fatalf("the reply subject is %s, want %s", c.reply, want)
	}
	return c
}

// expectAgain asserts that the next command is a repetition of c.
func (o *owner) expectAgain(c *command) *command {
	o.t.Helper()
	again := o.expectCommand(c.Op, c.Room, stranger(c.Client))
	if again.Seq != c.Seq {
		o.t.Fatalf("repeated as number %d, want %d", again.Seq, c.Seq)
	}
	return again
}

// expectNoCommand asserts that no command is here that the test has not seen.
func (o *owner) expectNoCommand() {
	o.t.Helper()
	select {
	case m := <-o.commands:
		o.t.Fatalf("got command %s, want none", m.Data)
	default:
	}
}

// answer answers a command.
func (o *owner) answer(c *command, a *bus.Answer) {
	o.t.Helper()
	if a.Epoch == 0 {
		a.Epoch = o.epoch
	}
	o.send(c.reply, a)
}

// result answers a command without more words.
func (o *owner) result(c *command, r bus.Result) { o.t.Helper(); o.answer(c, &bus.Answer{Result: r}) }

// announce is a part of an announcement as it came.
type announce struct {
	bus.Announce
	partition int
	reply     string
	at        time.Time
	bytes     int
}

// takeAnnounce waits for a part of an announcement.
func (o *owner) takeAnnounce() *announce {
	o.t.Helper()
	m := receive(o.t, o.announces, "announcement")
	p, _ := bus.PartitionOf(m.Subject)
	a := &announce{partition: p, reply: m.Reply, at: time.Now(), bytes: len(m.Data)}
	if err := a.Decode(m.Data); err != nil {
		o.t.Fatal(err)
	}
	if a.Gateway != o.gateway || a.reply != bus.AnswerSubject(o.gateway, a.Seq) {
		o.t.Fatalf("announcement %+v with reply subject %s", a.Announce, a.reply)
	}
	return a
}

// expectRepair asserts that the next announcement is about one room only.
func (o *owner) expectRepair(room string) *announce {
	o.t.Helper()
	a := o.takeAnnounce()
	if a.Full || len(a.Rooms) != 1 || a.Rooms[0].Room != room || !a.Last || a.Part != 0 {
		o.t.Fatalf("got announcement %+v, want one of %q alone", a.Announce, room)
	}
	return a
}

// expectAnnounce asserts that the next announcement is a full one, of the room's partition, in one part.
func (o *owner) expectAnnounce(room string) *announce {
	o.t.Helper()
	a := o.takeAnnounce()
	if !a.Full || a.partition != bus.Partition(room) || !a.Last || a.Part != 0 {
		o.t.Fatalf("got announcement %+v of partition %d, want a full one of %d", a.Announce, a.partition, bus.Partition(room))
	}
	return a
}

// expectNoAnnounce asserts that no announcement is here that the test has not seen.
func (o *owner) expectNoAnnounce() {
	o.t.Helper()
	select {
	case m := <-o.announces:
		o.t.Fatalf("got announcement %s, want none", m.Data)
	default:
	}
}

// heard forgets the heartbeats that are here, and returns how many.
func (o *owner) heard() (n int) {
	for ; ; n++ {
		select {
		case <-o.heartbeats:
		default:
			return n
		}
	}
}

// skipCommands forgets the commands that are here, and returns how many.
func (o *owner) skipCommands() (n int) {
	for ; ; n++ {
		select {
		case <-o.commands:
		default:
			return n
		}
	}
}

// skipAnnounces forgets the announcements that are here, and returns how many.
func (o *owner) skipAnnounces() (n int) {
	for ; ; n++ {
		select {
		case <-o.announces:
		default:
			return n
		}
	}
}

// room returns what the announcement says of a room, nil if nothing.
func (a *announce) room(name string) *bus.AnnouncedRoom {
	for i := range a.Rooms {
		if a.Rooms[i].Room == name {
			return &a.Rooms[i]
		}
	}
	return nil
}

// members lists the clients that are announced for the room.
func (a *announce) members(name string) []string {
	var ids []string
	if r := a.room(name); r != nil {
		for _, m := range r.Members {
			ids = append(ids, m.Client)
		}
	}
	return ids
}

// correct answers an announcement whole.
func (o *owner) correct(a *announce, rooms ...bus.CorrectedRoom) {
	o.t.Helper()
	o.correction(a, &bus.Correction{Last: true, Epoch: o.epoch, Rooms: rooms})
}

// correctAll answers the announcements that are here.
func (o *owner) correctAll(rooms ...bus.CorrectedRoom) {
	o.t.Helper()
	for len(o.announces) > 0 {
		o.correct(o.takeAnnounce(), rooms...)
	}
	o.flush()
}

func (o *owner) correction(a *announce, c *bus.Correction) { o.t.Helper(); o.send(a.reply, c) }

// room is a room as its owner sees it. Its methods change that view only, unless they say that they send something.
type room struct {
	o    *owner
	name string
	bus.Roster
}

// room makes one without members.
func (o *owner) room(name string) *room {
	stamp := bus.Stamp{Epoch: o.epoch, Version: 100}
	return &room{o: o, name: name, Roster: bus.Roster{Stamp: stamp, Born: stamp}}
}

// open makes a room that a client of the gateway under test has created, and answers it.
func (o *owner) open(name string, by *client) *room {
	o.t.Helper()
	by.create(name)
	r := o.room(name)
	c := o.expectCommand(bus.Create, name, by)
	r.Owner = by.id
	r.Members = []bus.Member{{Client: by.id, Gateway: c.Gateway, Since: r.Version, Seq: c.Seq}}
	r.answer(c)
	by.expect(created(name))
	return r
}

// found makes a room that somebody elsewhere has created.
func (o *owner) found(name string, by named, gateway string) *room {
	r := o.room(name)
	r.Owner = by.name()
	r.Members = []bus.Member{{Client: by.name(), Gateway: gateway, Since: r.Version, Seq: 1}}
	return r
}

// add makes somebody a member.
func (r *room) add(who named, gateway string, seq uint64) *bus.Event {
	r.Version++
	r.Members = append(r.Members, bus.Member{Client: who.name(), Gateway: gateway, Since: r.Version, Seq: seq})
	return &bus.Event{Room: r.name, Stamp: r.Stamp, Kind: bus.Joined, Client: who.name(), Gateway: gateway, Seq: seq}
}

// remove ends a membership.
func (r *room) remove(who named) *bus.Event {
	r.Version++
	r.Members = slices.DeleteFunc(slices.Clone(r.Members), func(m bus.Member) bool { return m.Client == who.name() })
	return &bus.Event{Room: r.name, Stamp: r.Stamp, Kind: bus.Left, Client: who.name()}
}

// end closes the room.
func (r *room) end() *bus.Event {
	r.Version++
	r.Members = nil
	return &bus.Event{Room: r.name, Stamp: r.Stamp, Kind: bus.Closed, Client: r.Owner}
}

// publish sends events of the room.
func (r *room) publish(events ...*bus.Event) {
	r.o.t.Helper()
	for _, e := range events {
		r.o.send(bus.EventSubject(bus.Token(r.name)), e)
	}
}

// done is the room as the answer to a create or join.
func (r *room) done(c *command) *bus.Answer {
	a := &bus.Answer{Result: bus.Done, Roster: r.Roster}
	if c.Have == r.Epoch && (c.Life == 0 || c.Life == r.Born.Version) {
		a.Members = nil
	}
	return a
}

// answer sends done.
func (r *room) answer(c *command) { r.o.t.Helper(); r.o.answer(c, r.done(c)) }

// left answers a leave.
func (r *room) left(c *command) {
	r.o.t.Helper()
	r.o.answer(c, &bus.Answer{Result: bus.Done, Roster: bus.Roster{Stamp: r.Stamp}})
}

// letIn takes a client's join through: command, event, answer. Other clients of the gateway are told.
func (r *room) letIn(c *client) {
	r.o.t.Helper()
	owner, others := stranger(r.Owner), r.others(c)
	c.join(r.name)
	cmd := r.o.expectCommand(bus.Join, r.name, c)
	r.publish(r.add(c, cmd.Gateway, cmd.Seq))
	r.answer(cmd)
	c.expect(joined(r.name, owner, others...))
}

// others are the members but one.
func (r *room) others(but named) (list []named) {
	for _, m := range r.Members {
		if m.Client != but.name() {
			list = append(list, stranger(m.Client))
		}
	}
	return list
}

// enters publishes that a client of another gateway has joined.
func (r *room) enters(who named, gateway string) { r.o.t.Helper(); r.publish(r.add(who, gateway, 1)) }

// as is the room in a correction, whole.
func (r *room) as() bus.CorrectedRoom { return bus.CorrectedRoom{Room: r.name, Roster: r.Roster} }

// same is the room in a correction, as the gateway sees it.
func (r *room) same() bus.CorrectedRoom {
	return bus.CorrectedRoom{Room: r.name, Same: true, Roster: bus.Roster{Stamp: r.Stamp, Born: r.Born}}
}

// gone is the room in a correction, closed.
func (r *room) gone() bus.CorrectedRoom { return bus.CorrectedRoom{Room: r.name, Gone: true} }
