package door

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/client"
	"signalling/pkg/limit"
)

// Limits bound what one client, and one address, may do. Nil means no limits.
type Limits struct {
	// Commands and Signals are taken from buckets of each client; a message that is no command counts as one. Bytes counts
	// both. What exceeds them is answered rate-limited.
	Commands, Signals, Bytes limit.Limit
	// Refusals bounds such answers: a client that goes on beyond it is closed.
	Refusals limit.Limit
	// Handshakes are those of all clients, AddressHandshakes those of one address.
	Handshakes, AddressHandshakes limit.Limit
	// AddressClients is how many clients one address may have; 0 means any number.
	AddressClients int
	// FirstCommand is how long a client may take to send its first command, Idle how long it may send none while it is in
	// no room; 0 means for ever.
	FirstCommand, Idle time.Duration

	met []prometheus.Counter // by kind; set by Config.Share
}

// Kind is what a limit is on.
type Kind uint8

// The kinds of limits, by the names that metrics have for them.
const (
	KindCommands Kind = iota
	KindSignals
	KindBytes
	KindPings
	KindClosed // clients that were closed because they went on
	KindHandshakes
	KindAddressHandshakes
	KindAddressClients
	KindIdle
	KindConnections
	KindAddressConnections
	KindRooms // that one client is in: the hub counts those
	kinds
)

var kindNames = [kinds]string{
	"commands", "signals", "bytes", "pings", "closed", "handshakes", "address-handshakes", "address-clients", "idle",
	"connections", "address-connections", "rooms",
}

// Count counts that a limit of the kind was met. It does nothing for nil.
func (l *Limits) Count(k Kind) {
	if l != nil {
		l.met[k].Inc()
	}
}

// buckets are a client's.
type buckets struct {
	commands, signals, bytes, refusals, pings limit.Bucket
}

var limitMessages = [kinds]string{
	KindCommands:          "too many commands at once",
	KindSignals:           "too many signals at once",
	KindBytes:             "too much data at once",
	KindHandshakes:        "too many clients come at once",
	KindAddressHandshakes: "too many clients come from this address at once",
	KindAddressClients:    "too many clients are connected from this address",
}

func (l *Limits) refusal(k Kind, wait time.Duration) *client.Error {
	l.Count(k)
	return &client.Error{Code: client.RateLimited, Message: limitMessages[k], RetryAfter: milliseconds(wait)}
}

// take counts a message of so many bytes, and returns an error if it is too much.
func (l *Limits) take(b *buckets, now time.Duration, op client.Op, size int) *client.Error {
	if wait := l.Bytes.Take(&b.bytes, now, size); wait > 0 {
		return l.refusal(KindBytes, wait)
	}
	if op == client.SignalSend {
		if wait := l.Signals.Take(&b.signals, now, 1); wait > 0 {
			return l.refusal(KindSignals, wait)
		}
	} else if wait := l.Commands.Take(&b.commands, now, 1); wait > 0 {
		return l.refusal(KindCommands, wait)
	}
	return nil
}

// pings bounds the pings of a client, which browsers do not send at all and libraries each few seconds. What exceeds it is not
// answered and counts as refused.
var pings = limit.New(limit.Rate{PerSecond: 2, Burst: 20})
