package lab

import (
	"context"
	"fmt"
	"slices"
)

// Site is one way to run the product.
type Site struct {
	Name string
	// Gateways are where clients connect: one process, or several gateways.
	Gateways []*Process
	// NATS and Rooms are nil in the one-process build.
	NATS, Rooms *Process
}

// Layout describes a Site of separate processes.
type Layout struct {
	// Gateways is how many there are.
	Gateways int
	// NATSPort is nats-server's port; 0 takes a free one.
	NATSPort int
	// Env is added to the environment of each of our programs, GatewayEnv and RoomsEnv to those of the gateways and of rooms.
	Env, GatewayEnv, RoomsEnv []string
	// EachGatewayEnv is added to those of single gateways.
	EachGatewayEnv [][]string
}

// Separate starts nats-server, rooms and gateways as processes of their own.
func (l *Lab) Separate(ctx context.Context, layout Layout) (*Site, error) {
	s := &Site{Name: "separate"}
	var err error
	if s.NATS, err = l.NATS("nats", layout.NATSPort); err != nil {
		return nil, err
	}
	if err := s.NATS.Start(ctx); err != nil {
		return nil, err
	}
	url := NATSURL(s.NATS)
	s.Rooms = l.Rooms("rooms", url, slices.Concat(layout.Env, layout.RoomsEnv)...)
	for i := range layout.Gateways {
		env := slices.Concat(layout.Env, layout.GatewayEnv)
		if i < len(layout.EachGatewayEnv) {
			env = append(env, layout.EachGatewayEnv[i]...)
		}
		s.Gateways = append(s.Gateways, l.Gateway(fmt.Sprintf("gateway-%d", i+1), url, env...))
	}
	all := append([]*Process{s.Rooms}, s.Gateways...)
	for _, p := range all {
		if err := p.Launch(ctx); err != nil {
			return nil, err
		}
	}
	for _, p := range all {
		if err := p.Ready(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// OneProcess starts the one-process build.
func (l *Lab) OneProcess(ctx context.Context, env ...string) (*Site, error) {
	p := l.Standalone("standalone", env...)
	return &Site{Name: "one-process", Gateways: []*Process{p}}, p.Start(ctx)
}

// URL is where the i-th client connects: clients are spread over the gateways one after the other.
func (s *Site) URL(ctx context.Context, i int) (string, error) {
	return ClientURL(ctx, s.Gateways[i%len(s.Gateways)])
}
