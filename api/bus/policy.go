package bus

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
)

// Policy is what makes a room differ from a plain one. It travels with the room's roster, so that a new owner of the
// partition learns it from the gateways. One that is part of a Roster or an Event is never changed: a change makes
// another one.
type Policy struct {
	// Since is the stamp at which the room got this policy: no two policies of a room have the same.
	Since Stamp
	// OwnerLost is what becomes of the room when its owner is lost.
	OwnerLost OwnerLost
	// Capacity is how many members the room may have, 0 for what its owner allows anyway.
	Capacity uint64
	// Locked: nobody may join.
	Locked bool
	// Password and OwnerKey are what rooms holds a Proof against, "" if the room has none. Only rooms makes and reads them.
	Password, OwnerKey string
	// Metadata is the JSON text that members are given, nil if there is none.
	Metadata []byte
	// Banned are the clients that were kicked last, at most MaxBanned, in that order.
	Banned []string
}

// MaxBanned bounds the clients that a room remembers as kicked.
const MaxBanned = 64

// OwnerLost is what becomes of a room whose owner is lost. The zero value is that it is closed.
type OwnerLost string

// The answers to the loss of an owner.
const (
	CloseOnLoss OwnerLost = ""
	AwaitOwner  OwnerLost = "grace"
	Transfer    OwnerLost = "transfer"
)

// Settings ask for a Policy, or to change one. Zero values leave things as they are.
type Settings struct {
	// SetOwnerLost says that OwnerLost is asked for.
	SetOwnerLost bool
	OwnerLost    OwnerLost
	// Capacity is asked for if it is not 0, and NoCapacity takes it away. So do the others.
	Capacity               uint64
	NoCapacity             bool
	Lock, Unlock           bool
	Password, OwnerKey     string // a Proof
	NoPassword, NoOwnerKey bool
	Metadata               []byte
	NoMetadata             bool
	// Salt is made by the owner of the partition, and not on the wire.
	Salt []byte
}

// Proof stands for a password or a key on the bus and in memory, so that neither ever holds what a person has typed. It
// is of use in one room only.
func Proof[T string | []byte](room string, secret T) string {
	h := sha256.New()
	h.Write([]byte("signalling room secret\x00"))
	name := sha256.Sum256([]byte(room))
	h.Write(name[:])
	h.Write([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Bans says whether the client was kicked. A nil policy bans nobody.
func (p *Policy) Bans(client string) bool { return p != nil && slices.Contains(p.Banned, client) }

// MaxSize bounds the encoded size of the policy.
func (p *Policy) MaxSize() int {
	if p == nil {
		return 0
	}
	const fields, ban = 240, 8
	n := fields + len(p.Password) + len(p.OwnerKey) + len(p.Metadata)
	for _, c := range p.Banned {
		n += ban + len(c)
	}
	return n
}

func (p *Policy) fields(c *codec) {
	c.stamp("epoch", "ver", &p.Since)
	c.str("lost", (*string)(&p.OwnerLost))
	c.uint("cap", &p.Capacity)
	c.flag("locked", &p.Locked)
	c.str("pw", &p.Password)
	c.str("key", &p.OwnerKey)
	c.raw("meta", &p.Metadata)
	c.strs("banned", &p.Banned)
}

func (s *Settings) fields(c *codec) {
	c.flag("setLost", &s.SetOwnerLost)
	c.str("lost", (*string)(&s.OwnerLost))
	c.uint("cap", &s.Capacity)
	c.flag("noCap", &s.NoCapacity)
	c.flag("lock", &s.Lock)
	c.flag("unlock", &s.Unlock)
	c.str("pw", &s.Password)
	c.flag("noPw", &s.NoPassword)
	c.str("key", &s.OwnerKey)
	c.flag("noKey", &s.NoOwnerKey)
	c.raw("meta", &s.Metadata)
	c.flag("noMeta", &s.NoMetadata)
}
