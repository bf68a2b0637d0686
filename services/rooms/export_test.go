package rooms

import (
	"context"

	"signalling/services/rooms/internal/engine"
)

// Stats shows tests the state of a service that they cannot reach through NATS.
func (s *Service) Stats(ctx context.Context) (engine.Stats, error) {
	if s.nc.Load() == nil {
		return engine.Stats{}, ErrNotRunning
	}
	return s.engine.Stats(ctx)
}
