package token

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// GrantsClaim is the name of the claim that holds Grants.
const GrantsClaim = "signalling"

// Claims is what a token says.
type Claims struct {
	// Subject is the user, "sub"; empty if the token names none.
	Subject string
	// Expires is the end of the token's time, "exp"; zero if it has none.
	Expires time.Time
	// Grants limits what its bearer may do; nil means no limits.
	Grants *Grants
	// Display is the text of the claim that Config.Display names; empty if none is named, or the token has none.
	Display string `json:",omitempty"`
}

// Grants is the claim "signalling": what is not granted in it is refused.
//
//	{"create": {"names": ["lobby"]}, "join": {"names": ["lobby"], "prefixes": ["team-7/"]}, "signal": true}
type Grants struct {
	// Create and Join are the rooms that the bearer may create and join. Leaving is always allowed.
	Create *Rooms `json:"create,omitempty"`
	Join   *Rooms `json:"join,omitempty"`
	// Signal says whether the bearer may send signals.
	Signal bool `json:"signal,omitempty"`
}

// Rooms is a set of rooms: names are compared byte for byte. The prefix "" stands for all rooms.
type Rooms struct {
	Names    []string `json:"names,omitempty"`
	Prefixes []string `json:"prefixes,omitempty"`
}

// Has reports whether the room is in the set; in nil there is none.
func (r *Rooms) Has(room []byte) bool {
	if r == nil {
		return false
	}
	name := string(room)
	return slices.Contains(r.Names, name) ||
		slices.ContainsFunc(r.Prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// payload is a token's JSON.
type payload struct {
	jwt.RegisteredClaims
	Grants *Grants `json:"signalling,omitempty"`
	// all are the claims that are there and not null, as JSON.
	all map[string]json.RawMessage
	// more are claims to be written beside these.
	more map[string]any
}

func (p *payload) claims() *Claims {
	c := &Claims{Subject: p.Subject, Grants: p.Grants}
	if p.ExpiresAt != nil {
		c.Expires = p.ExpiresAt.Time
	}
	return c
}
