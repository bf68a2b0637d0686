package natsbus

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

const (
	// DialTimeout bounds one attempt to reach one server: TCP, TLS and the
	// first exchange with it. It is short because the library blocks callers
	// meanwhile, and because a server that answers later than this is of no
	// use to requests with deadlines of the same order.
	DialTimeout = time.Second

	// MaxReconnectWait is the longest pause after every server of the list
	// was tried in vain.
	MaxReconnectWait = 500 * time.Millisecond

	// firstReconnectWait is the mean pause after the first round.
	firstReconnectWait = 50 * time.Millisecond
)

// reconnectDelay is the pause after the attempts-th (from 1) round through
// all servers failed. Its mean doubles from firstReconnectWait on; each pause
// is drawn from half to one and a half times the mean, and none is longer
// than MaxReconnectWait.
func reconnectDelay(attempts int) time.Duration {
	mean := MaxReconnectWait * 2 / 3
	// The cap is reached long before the shift could overflow.
	if attempts <= 8 {
		mean = min(firstReconnectWait<<max(attempts-1, 0), mean)
	}
	return mean/2 + rand.N(mean) //nolint:gosec // jitter is no secret
}

// dialer dials for nats.go. Until [dialer.detach] the context of [Connect]
// ends an attempt, so that a process told to stop while it starts does so.
type dialer struct {
	mu   sync.Mutex      // guards the fields below
	ctx  context.Context //nolint:containedctx // bounds Connect alone; nats.go's dialer interface has no context
	stop []func() bool   // end the watch over connections made before detach
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	ctx := d.ctx
	d.mu.Unlock()

	nd := net.Dialer{Timeout: DialTimeout}
	conn, err := nd.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.watch(conn)
	return conn, nil
}

// watch closes conn if the context ends before detach: the server may have
// accepted and be silent.
func (d *dialer) watch(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Done() != nil {
		d.stop = append(d.stop, context.AfterFunc(d.ctx, func() { _ = conn.Close() }))
	}
}

// detach makes later attempts independent of Connect's context.
func (d *dialer) detach() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stop := range d.stop {
		stop()
	}
	d.ctx, d.stop = context.Background(), nil
}
