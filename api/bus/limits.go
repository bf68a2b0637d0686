package bus

import (
	"strings"
	"time"
)

const (
	// HeartbeatInterval is the time between two Heartbeats of a gateway.
	HeartbeatInterval = time.Second
	// DigestInterval is the time between two Digests of a partition in which something changes.
	DigestInterval = 2 * time.Second
	// MaxPartBytes bounds one part of an Announce or a Correction, and the memberships in an Answer, well under the NATS
	// default of 1 MiB a message.
	MaxPartBytes = 512 << 10
	// MaxDisplaysBytes bounds the display identities of a room's members together, as DisplaySize counts them, so that a
	// roster fits one message of the NATS default of 1 MiB.
	MaxDisplaysBytes = 384 << 10
	// MaxSignalHeaderBytes bounds what a Signal adds to the client's data. The bus must take messages of
	// the largest client message plus this.
	MaxSignalHeaderBytes = 4 << 10
)

// DisplaySize is what a display identity adds to a message at most, 0 for none.
func DisplaySize(display string) int {
	const quotes = len(`,"",0,0`) // it may need Inc and Proven before it
	if display == "" {
		return 0
	}
	return quotes + len(display) + strings.Count(display, `"`) + strings.Count(display, `\`)
}
