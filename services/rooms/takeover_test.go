package rooms_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"signalling/api/bus"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms"
)

func TestALoneInstanceOwnsEverything(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.start()
		if took := c.served(); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// Who is asked whether it is ready must not say so while nobody serves: neither at first, nor after it was killed and its
// ownerships are still in the bucket.
func TestALoneInstanceIsReadyWhenItServes(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 2 {
			i := c.start()
			i.ready(t)
			stats, err := i.Stats(t.Context())
			if err != nil || stats.Active != bus.Partitions {
				t.Errorf("it says that it is ready and serves %d partitions, %v", stats.Active, err)
			}
			i.cut(true)
			i.stop()
			if err := <-i.done; err != nil {
				t.Error(err)
			}
			i.done <- nil
		}
	})
}

func TestInstancesShareThePartitions(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 3 {
			c.start()
		}
		t.Logf("three start: %v", c.complete(3))
		time.Sleep(20 * time.Second) // leases are renewed
		if took := c.complete(3); took > 0 {
			t.Errorf("not stable: %v", took)
		}
	})
}

func TestAJoiningInstanceGetsItsShare(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.start()
		c.served()
		g := c.gateway()
		g.populate(100)
		for n := 2; n <= 3; n++ {
			c.start()
			took, idle := c.completeIdle(n)
			t.Logf("instance %d joins: %v, without an owner for %v at most", n, took, idle)
			if idle > 100*time.Millisecond { // it is given nothing before it knows the gateways
				t.Errorf("without an owner for %v", idle)
			}
		}
		g.checkAll()
	})
}

func TestStandbysTakeOverFromAKilledInstance(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 3 {
			c.start()
		}
		c.complete(3)
		a, b := c.gateway(), c.gateway()
		a.populate(100)
		b.join(a)
		c.instances[0].cut(true)
		took := c.watch("takeover", func(served []int, idle int) bool { return idle == 0 && served[0] == 0 })
		if t.Logf("takeover took %v", took); took > 500*time.Millisecond {
			t.Errorf("takeover took %v", took)
		}
		a.checkAll()
		b.checkAll()
		c.complete(2)
	})
}

func TestStandbysTakeOverFromAHangingInstance(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 3 {
			c.start()
		}
		c.complete(3)
		a := c.gateway()
		a.populate(100)
		reopen := c.instances[0].gate.shut()
		took := c.watch("takeover", func(served []int, idle int) bool { return idle == 0 && served[0] == 0 })
		if t.Logf("takeover took %v", took); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("takeover took %v", took)
		}
		a.checkAll()
		time.Sleep(3 * time.Second)
		reopen() // it learns what happened before it serves anything: check would see two owners
		c.complete(3)
		a.checkAll()
	})
}

func TestAStoppingInstanceHandsOver(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 3 {
			c.start()
		}
		c.complete(3)
		a := c.gateway()
		a.populate(100)
		c.instances[0].stop()
		took := c.watch("handover", func(served []int, idle int) bool { return idle == 0 && served[0] == 0 })
		if t.Logf("handover took %v", took); took > 100*time.Millisecond {
			t.Errorf("handover took %v", took)
		}
		c.instances[0].end(t)
		a.checkAll()
	})
}

func TestANATSRestartChangesNoOwner(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 3 {
			c.start()
		}
		c.complete(3)
		a := c.gateway()
		a.populate(100)
		before := c.epochs
		for _, outage := range []time.Duration{0, time.Second, 4 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second} {
			c.stopNATS()
			time.Sleep(outage)
			c.startNATS()
			back := time.Now()
			c.watch("a break", func(_ []int, idle int) bool { return idle > 0 })
			c.served()
			t.Logf("outage of %v: served again %v after its end", outage, time.Since(back))
			if time.Since(back) > 2*time.Second {
				t.Errorf("it took %v", time.Since(back))
			}
			if c.epochs != before {
				t.Errorf("owners have changed")
			}
			a.checkAll()
		}
	})
}

func TestABriefDisconnectChangesNoOwner(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 2 {
			c.start()
		}
		c.complete(2)
		a := c.gateway()
		a.populate(50)
		before := c.epochs
		c.instances[1].cut(false)
		c.watch("a break", func(_ []int, idle int) bool { return idle > 0 })
		c.served()
		time.Sleep(5 * time.Second)
		c.served()
		if c.epochs != before {
			t.Errorf("owners have changed")
		}
		a.checkAll()
	})
}

func TestAnOwnerThatMeetsAHigherEpochStaysOwner(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		c.start()
		c.served()
		a := c.gateway()
		a.populate(50)
		const met = 1 << 40 // as after a time of static ownership
		if corr := a.announce(7, bus.Announce{Full: true, Epoch: met}); !corr.Retry {
			t.Errorf("correction %+v", corr)
		}
		c.watch("a higher epoch", func([]int, int) bool { return c.epochs[7] == met+1 })
		c.served()
		a.checkAll()
	})
}

func TestWrongBuckets(t *testing.T) {
	for name, cfg := range map[string]jetstream.KeyValueConfig{
		"in memory":   {Storage: jetstream.MemoryStorage},
		"with expiry": {Storage: jetstream.FileStorage, TTL: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			natstest.Bubble(t, func(t *testing.T) {
				c := newCluster(t)
				c.bucket(cfg)
				s, err := rooms.New(rooms.Config{Ownership: rooms.KVOwnership}, rooms.Options{InProcess: c, NoAdmin: true, Logger: natstest.Logger(t)})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Run(t.Context()); !errors.Is(err, rooms.ErrBucket) {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

// bucket makes the bucket of owners before any instance does.
func (c *cluster) bucket(cfg jetstream.KeyValueConfig) jetstream.KeyValue {
	c.t.Helper()
	nc := natstest.ConnectWith(c.t, natsbus.Config{}, natsbus.Options{InProcess: c})
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), natstest.Timeout)
	defer cancel()
	cfg.Bucket = "sig_owners"
	kv, err := js.CreateOrUpdateKeyValue(ctx, cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	return kv
}

func TestAnEmptiedBucketIsFilledAgain(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 2 {
			c.start()
		}
		c.complete(2)
		a := c.gateway()
		a.populate(50)
		kv := c.bucket(jetstream.KeyValueConfig{Storage: jetstream.FileStorage})
		ctx, cancel := context.WithTimeout(t.Context(), natstest.Timeout)
		defer cancel()
		if err := kv.Delete(ctx, "p.3"); err != nil {
			t.Fatal(err)
		}
		before := c.epochs[3]
		time.Sleep(20 * time.Second)
		c.complete(2)
		if c.epochs[3] <= before {
			t.Errorf("epoch %d after %d", c.epochs[3], before)
		}
		a.checkAll()
	})
}

var seeds = flag.Uint64("seeds", 2, "random sequences of faults for TestManyFaults")

// Faults come at random, some before the last one is overcome.
func TestManyFaults(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			natstest.Bubble(t, func(t *testing.T) { manyFaults(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func manyFaults(t *testing.T, r *rand.Rand) {
	t.Helper()
	c := newCluster(t)
	for range 3 {
		c.start()
	}
	c.complete(3)
	a, b := c.gateway(), c.gateway()
	a.populate(60)
	b.join(a)
	upTo := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	for range 15 {
		n := len(c.instances) - 1 - r.IntN(3)
		i := c.instances[n]
		switch r.IntN(5) {
		case 0:
			i.cut(true)
			c.start()
		case 1:
			reopen := i.gate.shut()
			c.run(upTo(9 * time.Second))
			reopen()
		case 2:
			i.stop()
			c.run(upTo(time.Second))
			c.start()
		case 3:
			c.stopNATS()
			c.run(upTo(6 * time.Second))
			c.startNATS()
		case 4:
			i.cut(false)
		}
		if r.IntN(3) == 0 {
			continue
		}
		c.served()
		c.run(3 * time.Second)
		c.served()
		a.checkAll()
		b.checkAll()
	}
	c.served()
	a.checkAll()
	b.checkAll()
}

// When the JetStream leader of a cluster dies, compare-and-swap stops for seconds. Owners go on until their leases end,
// also those that were connected to the same server and had to reconnect, because the others confirm them.
func TestOwnersOutliveAnOutageOfJetStream(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 3 {
			c.start()
		}
		c.complete(3)
		a := c.gateway()
		a.populate(60)
		c.run(20 * time.Second)
		before := c.epochs
		enable := c.disableJetStream()
		c.instances[1].cut(false)
		c.watch("a break", func(_ []int, idle int) bool { return idle > 0 })
		took := c.served()
		if t.Logf("served again after %v", took); took > 300*time.Millisecond {
			t.Errorf("the reconnected instance serves again after %v", took)
		}
		a.checkAll()
		c.run(8 * time.Second)
		c.served()
		c.watch("the end of the leases", func(_ []int, idle int) bool { return idle == bus.Partitions })
		enable()
		took = c.served()
		if t.Logf("served again after %v", took); took > time.Second {
			t.Errorf("after its return it took %v", took)
		}
		if c.epochs != before {
			t.Error("owners have changed")
		}
		a.checkAll()
	})
}

// A node of NATS goes that led the bucket's stream and had all instances for clients: each asks the others when it is back,
// the first ones before the others can hear.
func TestOwnersThatWereAllCutOffConfirmEachOther(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 2 {
			c.start()
		}
		c.complete(2)
		a := c.gateway()
		a.populate(60)
		c.run(2 * time.Second)
		before := c.epochs
		enable := c.disableJetStream()
		for _, i := range c.instances {
			i.cut(true)
		}
		c.run(300 * time.Millisecond)
		c.instances[0].cut(false)
		c.run(700 * time.Millisecond) // it is back, and has asked
		c.instances[1].cut(false)
		took := c.served()
		if t.Logf("served again after %v", took); took > 1500*time.Millisecond {
			t.Errorf("served again after %v", took)
		}
		a.checkAll()
		enable()
		c.run(10 * time.Second)
		c.served()
		if c.epochs != before {
			t.Error("owners have changed")
		}
	})
}

// An owner that was replaced while it was cut off must not be confirmed.
func TestAReplacedOwnerIsNotConfirmed(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		for range 2 {
			c.start()
		}
		c.complete(2)
		c.gateway()
		c.instances[0].cut(true)
		c.watch("takeover", func(served []int, idle int) bool { return idle == 0 && served[0] == 0 })
		c.run(time.Second)
		enable := c.disableJetStream()
		c.instances[0].cut(false)
		c.run(5 * time.Second) // two owners would be seen
		if served, _ := c.check(); served[0] != 0 {
			t.Errorf("%d partitions are served by the one that was replaced", served[0])
		}
		enable()
		c.complete(2)
	})
}
