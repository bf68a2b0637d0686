package faulttime

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/owners"
	"signalling/services/e2e/proxy"
)

// world is the processes of a row: nats-server, some rooms instances, two gateways.
type world struct {
	lab      *lab.Lab
	nats     *lab.Process
	rooms    []*lab.Process
	gateways []*lab.Process
	// buses are proxies from each gateway to NATS, if the row hurts those ways.
	buses []*proxy.Proxy
}

// layout says what a row needs.
type layout struct {
	rooms      int
	proxied    bool
	gatewayEnv []string
}

const gateways = 2

// newWorld starts the processes. It must be closed.
func newWorld(ctx context.Context, l layout) (*world, error) {
	own, err := lab.New(lab.Options{})
	if err != nil {
		return nil, err
	}
	w := &world{lab: own}
	if err := w.start(ctx, l); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) start(ctx context.Context, l layout) (err error) {
	if w.nats, err = w.lab.NATS("nats", 0, "-js", "-sd", filepath.Join(w.lab.Dir(), "jetstream")); err != nil {
		return err
	}
	if err := w.nats.Start(ctx); err != nil {
		return err
	}
	ownership := "ROOMS_OWNERSHIP=static"
	if l.rooms > 1 {
		ownership = "ROOMS_OWNERSHIP=kv"
	}
	for i := range l.rooms {
		w.rooms = append(w.rooms, w.lab.Rooms(fmt.Sprintf("rooms-%d", i+1), lab.NATSURL(w.nats), ownership))
	}
	for i := range gateways {
		url := lab.NATSURL(w.nats)
		if l.proxied {
			p, err := proxy.New(func() (string, error) { return strings.TrimPrefix(lab.NATSURL(w.nats), "nats://"), nil })
			if err != nil {
				return err
			}
			w.buses = append(w.buses, p)
			url = "nats://" + p.Addr()
		}
		w.gateways = append(w.gateways, w.lab.Gateway(fmt.Sprintf("gateway-%d", i+1), url, l.gatewayEnv...))
	}
	return w.restore(ctx)
}

func (w *world) close() {
	w.lab.Close()
	for _, p := range w.buses {
		p.Close()
	}
}

// restore starts what does not run, and waits until all is as before: ready, and the partitions spread evenly.
func (w *world) restore(ctx context.Context) error {
	if err := lab.Revive(ctx, slices.Concat([]*lab.Process{w.nats}, w.rooms, w.gateways)); err != nil {
		return err
	}
	return owners.Await(ctx, lab.NATSURL(w.nats), w.rooms, true)
}

// owned waits until each partition has one active owner among the rooms instances that run.
func (w *world) owned(ctx context.Context) error {
	var running []*lab.Process
	for _, p := range w.rooms {
		if p.Running() {
			running = append(running, p)
		}
	}
	return owners.Await(ctx, lab.NATSURL(w.nats), running, false)
}
