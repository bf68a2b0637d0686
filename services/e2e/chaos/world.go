package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/owners"
	"signalling/services/e2e/proxy"
)

// addrPatience bounds the wait for a process that has just been started to say where it listens.
const addrPatience = 2 * time.Second

// Size is how many processes of a kind a World has.
type Size struct{ Rooms, Gateways int }

// World is the processes and the proxies between them. It must be closed; the lab is its maker's.
type World struct {
	NATS     *lab.Process
	Rooms    []*node
	Gateways []*node
}

// node is a process with its connections.
type node struct {
	*lab.Process
	bus     *proxy.Proxy // to NATS
	clients *proxy.Proxy // from clients, for a gateway
}

// NewWorld starts the processes.
func NewWorld(ctx context.Context, l *lab.Lab, size Size, env ...string) (*World, error) {
	w := &World{}
	if err := w.start(ctx, l, size, env); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *World) start(ctx context.Context, l *lab.Lab, size Size, env []string) (err error) {
	if w.NATS, err = l.NATS("nats", 0, "-js", "-sd", filepath.Join(l.Dir(), "jetstream")); err != nil {
		return err
	}
	if err := w.NATS.Start(ctx); err != nil {
		return err
	}
	ownership := "ROOMS_OWNERSHIP=static"
	if size.Rooms > 1 {
		ownership = "ROOMS_OWNERSHIP=kv"
	}
	for i := range size.Rooms {
		n, url, err := w.node()
		if err != nil {
			return err
		}
		n.Process = l.Rooms(fmt.Sprintf("rooms-%d", i+1), url, append(slices.Clone(env), ownership, "LOG_LEVEL=debug")...)
		w.Rooms = append(w.Rooms, n)
	}
	for i := range size.Gateways {
		n, url, err := w.node()
		if err != nil {
			return err
		}
		w.Gateways = append(w.Gateways, n)
		n.Process = l.Gateway(fmt.Sprintf("gateway-%d", i+1), url, env...)
		if n.clients, err = proxy.New(n.clientAddr); err != nil {
			return err
		}
	}
	return w.Restore(ctx)
}

// node makes a node that reaches NATS through a proxy.
func (w *World) node() (*node, string, error) {
	target := strings.TrimPrefix(lab.NATSURL(w.NATS), "nats://")
	bus, err := proxy.New(func() (string, error) { return target, nil })
	if err != nil {
		return nil, "", err
	}
	return &node{bus: bus}, "nats://" + bus.Addr(), nil
}

// clientAddr is where a gateway listens for clients now.
func (n *node) clientAddr() (string, error) {
	if !n.Running() {
		return "", errors.New("the gateway is not running")
	}
	ctx, cancel := context.WithTimeout(context.Background(), addrPatience)
	defer cancel()
	return n.Addr(ctx, "clients")
}

// Close closes the proxies.
func (w *World) Close() {
	for _, n := range w.nodes() {
		n.bus.Close()
		if n.clients != nil {
			n.clients.Close()
		}
	}
}

func (w *World) nodes() []*node { return slices.Concat(w.Rooms, w.Gateways) }

// URL is the native door of the i-th gateway, counted from 0 and round, through its proxy.
func (w *World) URL(i int) (string, error) {
	return "ws://" + w.Gateways[i%len(w.Gateways)].clients.Addr() + "/ws", nil
}

// Restore starts what does not run, and waits until all are ready.
func (w *World) Restore(ctx context.Context) error {
	all := []*lab.Process{w.NATS}
	for _, n := range w.nodes() {
		all = append(all, n.Process)
	}
	return lab.Revive(ctx, all)
}

// owners waits until each partition has exactly one owner, which is active. It returns what is wrong when ctx ends.
func (w *World) owners(ctx context.Context) error {
	var rooms []*lab.Process
	for _, n := range w.Rooms {
		rooms = append(rooms, n.Process)
	}
	return owners.Await(ctx, lab.NATSURL(w.NATS), rooms, false)
}
