package socketio

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
)

// newID is the default of Config.NewID: 15 random bytes in base64url, 20 characters.
func newID() string {
	var b [15]byte
	rand.Read(b[:]) // never fails since Go 1.24: the program ends instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// AckID names the acknowledgement that a client asked for with an event. It is opaque: zero means that none was asked
// for. Ids on the wire run from 0 to 2^64-2 and are handled exactly, past the 2^53 at which JavaScript numbers end; a
// larger one is malformed.
type AckID uint64

// Wanted reports whether the client asked for an acknowledgement.
func (a AckID) Wanted() bool { return a != 0 }

// String returns the id as on the wire, "" when none is wanted.
func (a AckID) String() string {
	if a == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(a-1), 10)
}

// appendTo appends the id as on the wire.
func (a AckID) appendTo(b []byte) []byte {
	if a == 0 {
		return b
	}
	return strconv.AppendUint(b, uint64(a-1), 10)
}
