package bus

import "time"

const (
	// HeartbeatInterval is the time between two Heartbeats of a gateway.
	HeartbeatInterval = time.Second
	// DigestInterval is the time between two Digests of a partition in which something changes.
	DigestInterval = 2 * time.Second
	// MaxPartBytes bounds one part of an Announce or a Correction, well under the NATS default of 1 MiB a message.
	MaxPartBytes = 512 << 10
	// MaxSignalHeaderBytes bounds what a Signal adds to the client's data. The bus must take messages of
	// the largest client message plus this.
	MaxSignalHeaderBytes = 4 << 10
)
