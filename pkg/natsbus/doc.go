// Package natsbus connects to NATS with one set of options for every service.
// Package natsembed runs a server inside the process where no other is wanted.
//
// What the options are for:
//
//   - Nothing is buffered while disconnected. A request that times out during
//     an outage must not be applied after it, so publishing without a
//     connection fails at once with [nats.ErrReconnectBufExceeded] or
//     [nats.ErrConnectionReconnecting], and the caller retries.
//   - A connection is never given up: lost servers, restarts and refused
//     credentials are retried for ever, between 50 ms and 1 s apart with
//     jitter, so that a fleet does not come back in step.
//   - A silent partition is noticed within 15 s (a ping every 5 s, two may be
//     outstanding), not within the library's minutes.
//
// [Connect] therefore succeeds without a server. Ask [Ready] whether there is
// one.
//
// # Limits of nats.go worth knowing
//
// While the library dials a server that does not answer it holds the
// connection's lock, so Publish and Close may block for as long as
// [DialTimeout]. Callbacks run one after the other on one goroutine of the
// connection and must not block.
package natsbus
