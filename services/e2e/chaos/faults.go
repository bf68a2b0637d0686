package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/proxy"
)

// fault is something that can be done to the world, and undone.
type fault struct {
	name string
	// longest is how long it lasts at most.
	longest time.Duration
	// targets are what it can be done to.
	targets func(w *World) []target
}

// target is one place of a fault. Two faults at one place do not happen at once.
type target struct {
	place string
	// gateway is the gateway whose clients it concerns, -1 if none, all if all.
	gateway int
	// clients says that it is done to the gateway's connections with clients, and to nothing else.
	clients bool
	do      func() error
	undo    func(ctx context.Context) error
}

const (
	none = -1
	all  = -2
)

// faults are all that are known. What lasts longer than heartbeats and leases do is rarer, because it takes longer.
var faults = []fault{
	{"rooms-kill", 4 * time.Second, func(w *World) []target { return killed(w.Rooms, none, (*lab.Process).Kill) }},
	{"rooms-stop", 2 * time.Second, func(w *World) []target { return killed(w.Rooms, none, stop) }},
	{"rooms-pause", 8 * time.Second, func(w *World) []target { return paused(w.Rooms, none) }},
	{"rooms-cut", 8 * time.Second, func(w *World) []target { return cut(w.Rooms, none, busOf, "-nats") }},
	{"rooms-stall", 8 * time.Second, func(w *World) []target { return stalled(w.Rooms, none, busOf, "-nats") }},
	{"gateway-kill", 4 * time.Second, func(w *World) []target { return killed(w.Gateways, 0, (*lab.Process).Kill) }},
	{"gateway-stop", 2 * time.Second, func(w *World) []target { return killed(w.Gateways, 0, stop) }},
	{"gateway-pause", 8 * time.Second, func(w *World) []target { return paused(w.Gateways, 0) }},
	{"gateway-cut", 8 * time.Second, func(w *World) []target { return cut(w.Gateways, 0, busOf, "-nats") }},
	{"gateway-stall", 8 * time.Second, func(w *World) []target { return stalled(w.Gateways, 0, busOf, "-nats") }},
	{"gateway-lose", 3 * time.Second, func(w *World) []target { return loses(w.Gateways, 0) }},
	{"clients-cut", time.Second, func(w *World) []target { return cut(w.Gateways, 0, clientsOf, "-clients") }},
	{"clients-stall", 5 * time.Second, func(w *World) []target { return stalled(w.Gateways, 0, clientsOf, "-clients") }},
	{"nats-kill", 4 * time.Second, func(w *World) []target { return killed([]*node{{Process: w.NATS}}, all, (*lab.Process).Kill) }},
	{"nats-pause", 6 * time.Second, func(w *World) []target { return paused([]*node{{Process: w.NATS}}, all) }},
}

// FaultNames are the names of all faults.
func FaultNames() (names []string) {
	for _, f := range faults {
		names = append(names, f.name)
	}
	return names
}

// chosen returns the faults of the given names; none means all.
func chosen(names []string) ([]fault, error) {
	if len(names) == 0 {
		return faults, nil
	}
	var some []fault
	for _, name := range names {
		i := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no fault %q; there are %s", name, strings.Join(FaultNames(), ", "))
		}
		some = append(some, faults[i])
	}
	return some, nil
}

// CheckFaults says whether all names are those of faults.
func CheckFaults(names []string) error {
	_, err := chosen(names)
	return err
}

// concerns is the gateway that a fault of the i-th node concerns.
func concerns(first, i int) int {
	if first < 0 {
		return first
	}
	return first + i
}

// stopPatience bounds the end of a process that is told to stop.
const stopPatience = 30 * time.Second

// bySignal is the exit code of a process that a signal has ended.
const bySignal = -1

func stop(p *lab.Process) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	code, err := p.Stop(ctx)
	if code == bySignal && p.Silent() {
		return err // it had just been started, and did not listen to signals yet
	}
	if err == nil && code != 0 {
		err = fmt.Errorf("%s was told to stop and ended with exit code %d", p.Name, code)
	}
	return err
}

func killed(nodes []*node, first int, kill func(*lab.Process) error) (targets []target) {
	for i, n := range nodes {
		targets = append(targets, target{
			place: n.Name, gateway: concerns(first, i),
			do:   func() error { return kill(n.Process) },
			undo: n.Launch,
		})
	}
	return targets
}

func paused(nodes []*node, first int) (targets []target) {
	for i, n := range nodes {
		targets = append(targets, target{
			place: n.Name, gateway: concerns(first, i),
			do:   n.Pause,
			undo: func(context.Context) error { return n.Resume() },
		})
	}
	return targets
}

func busOf(n *node) *proxy.Proxy     { return n.bus }
func clientsOf(n *node) *proxy.Proxy { return n.clients }

func cut(nodes []*node, first int, of func(*node) *proxy.Proxy, suffix string) []target {
	return proxied(nodes, first, of, suffix, (*proxy.Proxy).Cut)
}

func stalled(nodes []*node, first int, of func(*node) *proxy.Proxy, suffix string) []target {
	return proxied(nodes, first, of, suffix, (*proxy.Proxy).Stall)
}

// loses has what is sent to a node by NATS lost: answers first of all.
func loses(nodes []*node, first int) []target {
	targets := proxied(nodes, first, busOf, "-nats", (*proxy.Proxy).Silence)
	for i, n := range nodes {
		targets[i].undo = func(context.Context) error {
			n.bus.Cut()
			n.bus.Heal()
			return nil
		}
	}
	return targets
}

func proxied(nodes []*node, first int, of func(*node) *proxy.Proxy, suffix string, hurt func(*proxy.Proxy)) (targets []target) {
	for i, n := range nodes {
		p := of(n)
		targets = append(targets, target{
			place: n.Name + suffix, gateway: concerns(first, i), clients: p == n.clients,
			do:   func() error { hurt(p); return nil },
			undo: func(context.Context) error { p.Heal(); return nil },
		})
	}
	return targets
}

// lasting picks how long a fault lasts: short ones are more frequent.
func (f fault) lasting(rng *rand.Rand) time.Duration {
	x := rng.Float64()
	return time.Duration(x * x * float64(f.longest))
}
