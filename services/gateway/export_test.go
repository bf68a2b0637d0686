package gateway

import (
	"context"

	"signalling/services/gateway/internal/door"
	"signalling/services/gateway/internal/hub"
)

// Hub lets tests look inside.
func (g *Gateway) Hub() *hub.Hub { return g.hub }

// Tune sets limits, tokens and ICE servers as New does. Key sets by URL are not for it: what fetches them would not end.
func (c *Config) Tune(d *door.Config, h *hub.Config) (err error) {
	if d.Auth, err = c.Auth.auth(context.Background(), d.Logger); err != nil {
		return err
	}
	d.Limits, d.ICE, h.MaxRooms = c.Limits.limits(), c.ICE.ice(), c.Limits.maxRooms()
	d.Proxies, err = c.Limits.proxies()
	return err
}
