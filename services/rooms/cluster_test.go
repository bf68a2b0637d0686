package rooms_test

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"signalling/api/bus"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms"
	"signalling/services/rooms/internal/engine"
)

// cluster is several instances on one NATS server with JetStream, which can be restarted.
type cluster struct {
	t         *testing.T
	dir       string
	instances []*instance
	// epochs has the highest epoch seen of each partition.
	epochs [bus.Partitions]uint64

	mu  sync.Mutex // guards srv
	srv *server.Server
}

// instance is a service whose connection to NATS can be cut, stalled or refused for good.
type instance struct {
	*running
	c     *cluster
	gate  *gate
	ended bool

	mu   sync.Mutex // guards what follows
	dead bool
	last net.Conn
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	c.startNATS()
	t.Cleanup(c.stopNATS)
	return c
}

func (c *cluster) startNATS() {
	c.t.Helper()
	srv, err := server.NewServer(&server.Options{
		ServerName: "test", DontListen: true, JetStream: true, StoreDir: c.dir, NoSigs: true, NoSystemAccount: true,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(natstest.Timeout) {
		c.t.Fatal("NATS did not start")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.srv = srv
}

func (c *cluster) stopNATS() {
	c.mu.Lock()
	srv := c.srv
	c.srv = nil
	c.mu.Unlock()
	if srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

var errNoServer = errors.New("nobody listens")

// InProcessConn makes the cluster what gateways connect to.
func (c *cluster) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.srv == nil {
		return nil, errNoServer
	}
	return c.srv.InProcessConn()
}

// InProcessConn makes the instance's way to NATS.
func (i *instance) InProcessConn() (net.Conn, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.dead {
		return nil, errNoServer
	}
	conn, err := i.c.InProcessConn()
	if err != nil {
		return nil, err
	}
	i.last = newStallableConn(conn, i.gate)
	return i.last, nil
}

// cut breaks the connection, for good if the instance is to be dead for everybody else.
func (i *instance) cut(dead bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.dead = dead
	if i.last != nil {
		_ = i.last.Close() // the server may have been quicker
	}
}

// start adds an instance.
func (c *cluster) start() *instance {
	c.t.Helper()
	i := &instance{c: c, gate: newGate()}
	i.running = start(c.t, rooms.Config{Ownership: rooms.KVOwnership}, rooms.Options{InProcess: i})
	c.instances = append(c.instances, i)
	return i
}

// gateway adds a gateway.
func (c *cluster) gateway() *fakeGateway {
	c.t.Helper()
	g := gatewayOn(c.t, natstest.ConnectWith(c.t, natsbus.Config{}, natsbus.Options{InProcess: c}))
	g.announcing()
	return g
}

// check looks at all instances at once: no partition may be served by two, and epochs only grow. It returns who serves
// how many, and how many partitions nobody serves.
func (c *cluster) check() (served []int, idle int) {
	c.t.Helper()
	served = make([]int, len(c.instances))
	var by [bus.Partitions]*instance
	for n, i := range c.instances {
		if i.ended {
			continue
		}
		stats, err := i.Stats(c.t.Context())
		switch {
		case errors.Is(err, engine.ErrEnded):
			i.ended = true
			continue
		case errors.Is(err, rooms.ErrNotRunning):
			continue
		case err != nil:
			c.t.Fatal(err)
		}
		for _, p := range stats.Partitions {
			if p.State != "active" && p.State != "recovering" {
				continue
			}
			if other := by[p.Partition]; other != nil && other.serves(p.Partition) {
				c.t.Fatalf("partition %d has two owners: %s and %s", p.Partition, other.Instance(), i.Instance())
			}
			by[p.Partition] = i
			if p.Epoch < c.epochs[p.Partition] {
				c.t.Fatalf("partition %d is served at epoch %d after %d", p.Partition, p.Epoch, c.epochs[p.Partition])
			}
			c.epochs[p.Partition] = p.Epoch
			if p.State == "active" {
				served[n]++
			}
		}
	}
	idle = bus.Partitions
	for _, n := range served {
		idle -= n
	}
	return served, idle
}

// serves asks once more, because instances are asked one after the other.
func (i *instance) serves(partition int) bool {
	stats, err := i.Stats(i.c.t.Context())
	if err != nil {
		return false
	}
	for _, p := range stats.Partitions {
		if p.Partition == partition {
			return p.State != "fenced"
		}
	}
	return false
}

// watch checks every few milliseconds until ok is true, and returns how long that took.
func (c *cluster) watch(what string, ok func(served []int, idle int) bool) time.Duration {
	c.t.Helper()
	began := time.Now()
	for {
		served, idle := c.check()
		if ok(served, idle) {
			return time.Since(began)
		}
		if time.Since(began) > 2*time.Minute {
			c.t.Fatalf("%s did not happen: %d served, %d idle", what, served, idle)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// run lets time pass, looking all the while.
func (c *cluster) run(d time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c.check()
	}
}

// disableJetStream stops JetStream while NATS goes on. Nothing may be asked of it at that moment: the server does not
// survive that.
func (c *cluster) disableJetStream() (enable func()) {
	c.t.Helper()
	if err := c.srv.ShutdownJetStream(); err != nil {
		c.t.Fatal(err)
	}
	return func() {
		c.t.Helper()
		if err := c.srv.EnableJetStream(&server.JetStreamConfig{StoreDir: c.dir, MaxMemory: 1 << 20, MaxStore: 1 << 30}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// complete is watch until every partition is served, and by nobody more than his share.
func (c *cluster) complete(instances int) time.Duration {
	c.t.Helper()
	took, _ := c.completeIdle(instances)
	return took
}

// completeIdle is complete, and also returns the longest time in which there always was a partition that nobody served.
func (c *cluster) completeIdle(instances int) (took, longest time.Duration) {
	c.t.Helper()
	served := time.Now() // when all were
	took = c.watch("a fair distribution", func(each []int, idle int) bool {
		if idle == 0 {
			served = time.Now()
		}
		longest = max(longest, time.Since(served))
		for _, n := range each {
			if n > (bus.Partitions+instances-1)/instances {
				return false
			}
		}
		return idle == 0
	})
	return took, longest
}

// served is watch until every partition is served.
func (c *cluster) served() time.Duration {
	c.t.Helper()
	return c.watch("service", func(_ []int, idle int) bool { return idle == 0 })
}
