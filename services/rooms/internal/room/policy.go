package room

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"

	"signalling/api/bus"
)

// MaxMetadata bounds a room's metadata, in bytes of JSON text. Gateways refuse more before it comes here.
const MaxMetadata = 4 << 10

// SaltBytes is the length of bus.Settings.Salt, the random part of what a secret is held against.
const SaltBytes = 16

// What a verifier is for, so that a password is no key.
const (
	forPassword = "password\x00"
	forOwnerKey = "owner key\x00"
)

// verifier returns what a proof is held against later: the salt, and a hash of both.
func verifier(salt []byte, purpose, proof string) string {
	return base64.RawStdEncoding.EncodeToString(append(slices.Clone(salt), sealed(salt, purpose, proof)...))
}

func sealed(salt []byte, purpose, proof string) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte(purpose))
	h.Write([]byte(proof))
	return h.Sum(nil)
}

// fits says whether the proof is the verifier's, in a time that does not depend on either.
func fits(verifier, purpose, proof string) bool {
	v, err := base64.RawStdEncoding.DecodeString(verifier)
	if err != nil || len(v) < SaltBytes {
		return false
	}
	return subtle.ConstantTimeCompare(v[SaltBytes:], sealed(v[:SaltBytes], purpose, proof)) == 1
}

// change returns the policy that the settings make of one, which may be nil. It returns the same if they change nothing,
// and a fault for people if they cannot be.
func (p *Partition) change(old *bus.Policy, s *bus.Settings) (policy *bus.Policy, fault string) {
	var was bus.Policy
	if old != nil {
		was = *old
	}
	now := was
	switch {
	case s.Capacity > uint64(p.limits.MembersPerRoom): // #nosec G115 -- at most MaxMembers
		return old, fmt.Sprintf("capacity is not from 1 to %d", p.limits.MembersPerRoom)
	case s.SetOwnerLost && s.OwnerLost != bus.CloseOnLoss && s.OwnerLost != bus.AwaitOwner && s.OwnerLost != bus.Transfer:
		return old, "onOwnerLost is not known here"
	case len(s.Metadata) > MaxMetadata:
		return old, fmt.Sprintf("metadata is longer than %d bytes", MaxMetadata)
	case (s.Password != "" || s.OwnerKey != "") && len(s.Salt) != SaltBytes:
		return old, "a secret without salt"
	}
	if s.SetOwnerLost {
		now.OwnerLost = s.OwnerLost
	}
	now.Capacity = cmp.Or(s.Capacity, now.Capacity)
	if s.NoCapacity {
		now.Capacity = 0
	}
	now.Locked = (now.Locked || s.Lock) && !s.Unlock
	now.Password = secret(now.Password, forPassword, s.Password, s.NoPassword, s.Salt)
	now.OwnerKey = secret(now.OwnerKey, forOwnerKey, s.OwnerKey, s.NoOwnerKey, s.Salt)
	if s.Metadata != nil || s.NoMetadata {
		now.Metadata = s.Metadata
	}
	if samePolicy(&was, &now) {
		return old, ""
	}
	return &now, ""
}

// secret returns the verifier that is to be in the place of one; the same if the same secret is set again.
func secret(now, purpose, proof string, remove bool, salt []byte) string {
	switch {
	case remove:
		return ""
	case proof == "" || fits(now, purpose, proof):
		return now
	}
	return verifier(salt, purpose, proof)
}

// samePolicy compares what settings can change.
func samePolicy(a, b *bus.Policy) bool {
	return a.OwnerLost == b.OwnerLost && a.Capacity == b.Capacity && a.Locked == b.Locked && a.Password == b.Password &&
		a.OwnerKey == b.OwnerKey && bytes.Equal(a.Metadata, b.Metadata)
}

// ban returns the policy with one more client that was kicked.
func ban(old *bus.Policy, client string) *bus.Policy {
	var now bus.Policy
	if old != nil {
		now = *old
	}
	banned := slices.DeleteFunc(slices.Clone(now.Banned), func(c string) bool { return c == client })
	banned = append(banned, client)
	now.Banned = banned[max(len(banned)-bus.MaxBanned, 0):]
	return &now
}

// loss is what becomes of the room without its owner. One that leaves by its own word is not waited for.
func (r *room) loss(lost bool) bus.OwnerLost {
	if r.policy == nil || (r.policy.OwnerLost == bus.AwaitOwner && !lost) {
		return bus.CloseOnLoss
	}
	return r.policy.OwnerLost
}

// refusal says why the policy does not let a new member in: a code and a word for people, "" if it does.
func (r *room) refusal(c *bus.Command) (code, message string) {
	q := r.policy
	switch {
	case q == nil:
	case q.Bans(c.Client):
		return CodeForbidden, "the client was removed from this room"
	case q.Locked:
		return CodeForbidden, "the room is locked"
	case q.Password != "" && !fits(q.Password, forPassword, c.Password):
		return CodeForbidden, "the password is missing or wrong"
	case q.Capacity > 0 && uint64(len(r.members)) >= q.Capacity:
		return CodeRoomFull, "the room is full"
	}
	return "", ""
}

// claims says whether the client becomes the owner by its join: with the owner's key, or because the room waits for just
// this client. ok is false if it gives a key that is not right.
func (p *Partition) claims(r *room, c *bus.Command) (claims, ok bool) {
	switch {
	case c.OwnerKey == "":
		return p.waits(r) && c.Client == r.owner, true
	case r.policy == nil || r.policy.OwnerKey == "" || !fits(r.policy.OwnerKey, forOwnerKey, c.OwnerKey):
		return false, false
	}
	return true, true
}

// give makes the client the owner, and says so in the event if it was not.
func (p *Partition) give(r *room, client string, e *bus.Event) {
	delete(p.waiting, r)
	if r.owner != client {
		r.owner, e.Owner = client, client
	}
}

// await notes that the room has no owner and waits for it. Its time begins with the next Expire.
func (p *Partition) await(r *room) {
	if p.waiting == nil {
		p.waiting = map[*room]int64{}
	}
	p.waiting[r] = notBegun
}

// notBegun is a deadline that Expire has yet to set.
const notBegun = -1

// Waits says whether Expire has anything to do.
func (p *Partition) Waits() bool { return len(p.waiting) > 0 }

func (p *Partition) waits(r *room) bool {
	_, ok := p.waiting[r]
	return ok
}

// Expire closes the rooms that have waited for their owner for Limits.OwnerGrace, and returns what happened in the order
// to publish it. now is the time in milliseconds since whenever, the same at each call; it should come often.
func (p *Partition) Expire(now int64) (events []bus.Event) {
	if len(p.waiting) == 0 {
		return nil
	}
	rooms := make([]*room, 0, len(p.waiting))
	for r := range p.waiting {
		rooms = append(rooms, r)
	}
	slices.SortFunc(rooms, func(a, b *room) int { return cmp.Compare(a.name, b.name) })
	for _, r := range rooms {
		switch deadline := p.waiting[r]; {
		case deadline == notBegun:
			p.waiting[r] = now + p.limits.OwnerGrace
		case now >= deadline:
			events = append(events, p.end(r, &bus.Member{Client: r.owner}))
		}
	}
	return events
}

// Close ends a room because an operator wants it. It returns false if there is no such room.
func (p *Partition) Close(name string) (bus.Event, bool) {
	r := p.rooms[name]
	if r == nil {
		return bus.Event{}, false
	}
	return p.end(r, &bus.Member{}), true
}

// kick removes a member because the owner wants it, and for as long as the room exists.
func (p *Partition) kick(c *bus.Command) (bus.Answer, bus.Event) {
	r, a := p.owned(c)
	switch {
	case r == nil:
		return a, bus.Event{}
	case c.Target == c.Client:
		return p.refuse(CodeBadRequest, "the owner cannot remove itself; it can leave"), bus.Event{}
	}
	i := r.find(c.Target)
	if i < 0 {
		if r.policy.Bans(c.Target) { // a repetition
			return p.result(bus.Done), bus.Event{}
		}
		return p.result(bus.NoTarget), bus.Event{}
	}
	e := p.drop(r, i)
	p.adopt(r, ban(r.policy, c.Target), &e)
	return bus.Answer{Result: bus.Done, Roster: bus.Roster{Stamp: e.Stamp}}, e
}

// update changes the room's policy.
func (p *Partition) update(c *bus.Command) (bus.Answer, bus.Event) {
	r, a := p.owned(c)
	if r == nil {
		return a, bus.Event{}
	}
	var s bus.Settings
	if c.Settings != nil {
		s = *c.Settings
	}
	policy, fault := p.change(r.policy, &s)
	if fault != "" {
		return p.refuse(CodeBadRequest, fault), bus.Event{}
	}
	var e bus.Event
	if policy != r.policy {
		e = p.event(r, bus.Updated, &bus.Member{})
		p.adopt(r, policy, &e)
	}
	return bus.Answer{Result: bus.Done, Roster: bus.Roster{Stamp: p.stamp(r), Policy: r.policy}}, e
}

// repeatOwned is Repeat for a kick or an update: it is done if nothing is left to do.
func (p *Partition) repeatOwned(c *bus.Command) bus.Answer {
	r, a := p.owned(c)
	switch {
	case r == nil:
		return a
	case c.Op == bus.Kick && r.find(c.Target) < 0 && r.policy.Bans(c.Target):
		return p.result(bus.Done)
	case c.Op == bus.Kick && r.find(c.Target) < 0:
		return p.result(bus.NoTarget)
	case c.Op == bus.Update && c.Settings != nil:
		if policy, fault := p.change(r.policy, c.Settings); fault == "" && policy == r.policy {
			return bus.Answer{Result: bus.Done, Roster: bus.Roster{Stamp: p.stamp(r), Policy: r.policy}}
		}
	}
	return p.refuse(CodeUnavailable, unknownEnd)
}

// adopt makes the policy the room's, and part of the event that tells of it.
func (p *Partition) adopt(r *room, policy *bus.Policy, e *bus.Event) {
	policy.Since = e.Stamp
	r.policy, e.Policy = policy, policy
}

// owned returns the room if the command is its owner's, and the answer if not.
func (p *Partition) owned(c *bus.Command) (*room, bus.Answer) {
	r := p.rooms[c.Room]
	if r == nil {
		return nil, p.result(bus.NotIn)
	}
	if i := r.find(c.Client); i < 0 || r.members[i].Gateway != c.Gateway {
		return nil, p.result(bus.NotIn)
	}
	if r.owner != c.Client {
		return nil, p.refuse(CodeForbidden, "only the room's owner may do this")
	}
	return r, bus.Answer{}
}
