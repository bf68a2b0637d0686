package gateway

import "signalling/services/gateway/internal/hub"

// Hub lets tests look inside.
func (g *Gateway) Hub() *hub.Hub { return g.hub }
