package room

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"signalling/api/bus"
)

// What rooms with options do, as section 1.9 of PROTOCOL.md says it.

var testLimits = Limits{MembersPerRoom: 4, OwnerGrace: 500}

type modelPolicy struct {
	since    bus.Stamp
	lost     bus.OwnerLost
	capacity uint64
	locked   bool
	password string
	key      string
	metadata string
	banned   []string
}

func (p modelPolicy) String() string {
	return fmt.Sprintf("%v %q %d %v %v %v %s %v", p.since, p.lost, p.capacity, p.locked, p.password != "", p.key != "", p.metadata, p.banned)
}

// policyOf is what can be seen of a policy: not its secrets.
func policyOf(p *bus.Policy) modelPolicy {
	if p == nil {
		return modelPolicy{}
	}
	return modelPolicy{p.Since, p.OwnerLost, p.Capacity, p.Locked, p.Password, p.OwnerKey, string(p.Metadata), p.Banned}
}

var salt = []byte("0123456789abcdef")

// drawArguments fills in what the operation takes beside room and client.
func (w *world) drawArguments(c *bus.Command) {
	draw := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(w.T, what) }
	switch c.Op {
	case bus.Join:
		c.Password = draw("password", "", "p", "q")
		c.OwnerKey = draw("key", "", "", "", "k", "l")
		if r := w.rooms[c.Room]; r != nil && rapid.Bool().Draw(w.T, "knows") {
			c.Password = r.policy.password
			if c.OwnerKey != "" {
				c.OwnerKey = r.policy.key
			}
		}
	case bus.Leave:
		c.Lost = rapid.Bool().Draw(w.T, "lost")
	case bus.Kick:
		g := w.replica()
		c.Target = fmt.Sprintf("%s.c%d", g.id, rapid.IntRange(0, 3).Draw(w.T, "target"))
		if r := w.rooms[c.Room]; r != nil && len(r.members) > 0 && rapid.Bool().Draw(w.T, "a member") {
			c.Target = rapid.SampledFrom(r.members).Draw(w.T, "target").client
		}
	case bus.Create, bus.Update:
		if rapid.Bool().Draw(w.T, "plain") {
			return
		}
		s := &bus.Settings{Salt: salt}
		s.SetOwnerLost = rapid.Bool().Draw(w.T, "set lost")
		s.OwnerLost = rapid.SampledFrom([]bus.OwnerLost{bus.CloseOnLoss, bus.AwaitOwner, bus.Transfer}).Draw(w.T, "on lost")
		s.Capacity = rapid.SampledFrom([]uint64{0, 0, 2, 3, 5}).Draw(w.T, "capacity")
		s.NoCapacity = s.Capacity == 0 && rapid.Bool().Draw(w.T, "no capacity")
		lock := draw("lock", "", "", "on", "off")
		s.Lock, s.Unlock = lock == "on", lock == "off"
		s.Password = draw("set password", "", "", "p")
		s.NoPassword = s.Password == "" && rapid.Bool().Draw(w.T, "no password")
		s.OwnerKey = draw("set key", "", "k", "l")
		s.NoOwnerKey = s.OwnerKey == "" && rapid.Bool().Draw(w.T, "no key")
		s.NoMetadata = rapid.Bool().Draw(w.T, "no metadata")
		if m := draw("metadata", "", "{}", "7"); m != "" && !s.NoMetadata {
			s.Metadata = []byte(m)
		}
		c.Settings = s
	}
}

// with is the policy as the settings make it; ok is false if they cannot be.
func (p modelPolicy) with(s *bus.Settings) (_ modelPolicy, ok bool) {
	if s == nil {
		return p, true
	}
	if s.SetOwnerLost {
		p.lost = s.OwnerLost
	}
	if s.Capacity > 0 || s.NoCapacity {
		p.capacity = s.Capacity
	}
	if s.Lock || s.Unlock {
		p.locked = s.Lock
	}
	if s.Password != "" || s.NoPassword {
		p.password = s.Password
	}
	if s.OwnerKey != "" || s.NoOwnerKey {
		p.key = s.OwnerKey
	}
	if s.Metadata != nil || s.NoMetadata {
		p.metadata = string(s.Metadata)
	}
	return p, s.Capacity <= uint64(testLimits.MembersPerRoom)
}

func (p modelPolicy) equals(o modelPolicy) bool {
	p.banned, o.banned = nil, nil
	return reflect.DeepEqual(p, o)
}

func (w *world) expectCreate(c *bus.Command) bus.Result {
	if r := w.rooms[c.Room]; r != nil {
		if i := r.find(c.Client); i >= 0 && r.creator == c.Client && (r.members[i].seq == c.Seq || r.members[i].seq == 0) {
			r.members[i].seq = c.Seq
			return bus.Done
		}
		return bus.Exists
	}
	policy, ok := modelPolicy{}.with(c.Settings)
	if !ok {
		return bus.Refused
	}
	if !policy.equals(modelPolicy{}) {
		policy.since = w.p.stamp(w.p.rooms[c.Room])
	}
	w.rooms[c.Room] = &modelRoom{
		owner: c.Client, creator: c.Client, members: []modelMember{{c.Client, c.Gateway, c.Seq}}, policy: policy,
	}
	return bus.Done
}

func (w *world) expectJoin(c *bus.Command) (bus.Result, bus.Event) {
	r := w.rooms[c.Room]
	if r == nil {
		return bus.NotExists, bus.Event{}
	}
	claims := r.waiting != 0 && c.Client == r.owner
	if c.OwnerKey != "" {
		if claims = c.OwnerKey == r.policy.key; !claims {
			return bus.Refused, bus.Event{}
		}
	}
	e := bus.Event{Room: c.Room}
	i := r.find(c.Client)
	switch p := r.policy; {
	case i >= 0:
		r.members[i].seq = max(r.members[i].seq, c.Seq)
		if !claims || r.owner == c.Client {
			return bus.Done, bus.Event{}
		}
		e.Kind = bus.Owned
	case !claims && (slices.Contains(p.banned, c.Client) || p.locked || (p.password != "" && p.password != c.Password) ||
		(p.capacity > 0 && uint64(len(r.members)) >= p.capacity)), len(r.members) >= testLimits.MembersPerRoom:
		return bus.Refused, bus.Event{}
	default:
		r.members = append(r.members, modelMember{c.Client, c.Gateway, c.Seq})
		e.Kind, e.Client, e.Gateway, e.Seq = bus.Joined, c.Client, c.Gateway, c.Seq
	}
	if claims {
		if r.owner != c.Client {
			e.Owner = c.Client
		}
		r.owner, r.waiting = c.Client, 0
	}
	return bus.Done, e
}

func (w *world) expectKick(c *bus.Command) (bus.Result, bus.Event) {
	r := w.rooms[c.Room]
	switch {
	case r == nil || r.find(c.Client) < 0:
		return bus.NotIn, bus.Event{}
	case r.owner != c.Client || c.Target == c.Client:
		return bus.Refused, bus.Event{}
	}
	i := r.find(c.Target)
	banned := slices.Contains(r.policy.banned, c.Target)
	switch {
	case i < 0 && banned:
		return bus.Done, bus.Event{}
	case i < 0:
		return bus.NoTarget, bus.Event{}
	}
	e := bus.Event{Room: c.Room, Kind: bus.Left, Client: c.Target, Gateway: r.members[i].gateway, Policy: new(bus.Policy)}
	r.members = slices.Delete(r.members, i, i+1)
	r.policy.banned = append(slices.DeleteFunc(slices.Clone(r.policy.banned), func(b string) bool { return b == c.Target }), c.Target)
	return bus.Done, e
}

func (w *world) expectUpdate(c *bus.Command) (bus.Result, bus.Event) {
	r := w.rooms[c.Room]
	switch {
	case r == nil || r.find(c.Client) < 0:
		return bus.NotIn, bus.Event{}
	case r.owner != c.Client:
		return bus.Refused, bus.Event{}
	}
	policy, ok := r.policy.with(c.Settings)
	switch {
	case !ok:
		return bus.Refused, bus.Event{}
	case policy.equals(r.policy):
		return bus.Done, bus.Event{}
	}
	r.policy = policy
	return bus.Done, bus.Event{Room: c.Room, Kind: bus.Updated, Policy: new(bus.Policy)}
}

// expire lets time pass.
func (w *world) expire() {
	w.now += rapid.Int64Range(0, 400).Draw(w.T, "time")
	var closed []string
	for _, name := range keys(w.rooms) {
		switch r := w.rooms[name]; {
		case r.waiting == notBegun:
			r.waiting = w.now + testLimits.OwnerGrace
		case r.waiting != 0 && w.now >= r.waiting:
			closed = append(closed, name)
		}
	}
	events := w.p.Expire(w.now)
	if len(events) != len(closed) {
		w.Fatalf("events %+v, want the end of %s", events, strings.Join(closed, " "))
	}
	for i, name := range closed {
		r := w.rooms[name]
		delete(w.rooms, name)
		w.event(events[i], bus.Event{Room: name, Kind: bus.Closed, Client: r.owner}, r.version)
	}
}

// close is an operator's.
func (w *world) close() {
	name := rapid.SampledFrom(names).Draw(w.T, "room")
	r := w.rooms[name]
	e, ok := w.p.Close(name)
	if ok != (r != nil) {
		w.Fatalf("closed %q: %v", name, ok)
	}
	if r != nil {
		delete(w.rooms, name)
		w.event(e, bus.Event{Room: name, Kind: bus.Closed}, r.version)
	}
}
