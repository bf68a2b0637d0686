package rooms

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"signalling/api/bus"
)

// statusTimeout bounds a look at the state.
const statusTimeout = time.Second

// register makes the service known as a NATS micro service, so that `nats micro ls`, `info` and `stats` show it. Its one
// endpoint answers with the state; commands are not endpoints, because their subjects come and go with the ownership of
// partitions.
func (s *Service) register(nc *nats.Conn) (micro.Service, error) {
	svc, err := micro.AddService(nc, micro.Config{
		Name:               "rooms",
		Version:            Version,
		Description:        "owner of the rooms: who is in which",
		Metadata:           map[string]string{"instance": s.instance},
		QueueGroupDisabled: true, // every instance answers for itself
		StatsHandler:       func(*micro.Endpoint) any { return s.status() },
	})
	if err != nil {
		return nil, err
	}
	err = svc.AddEndpoint("status", micro.HandlerFunc(s.handleStatus), micro.WithEndpointSubject(bus.RoomsStatusSubject(s.instance)))
	if err != nil {
		_ = svc.Stop()
		return nil, err
	}
	return svc, nil
}

func (s *Service) handleStatus(r micro.Request) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	stats, err := s.engine.Stats(ctx)
	if err != nil {
		_ = r.Error("503", "the service is not running", nil) // whoever asked is gone too
		return
	}
	_ = r.RespondJSON(stats)
}

// status is the data in the answer to $SRV.STATS: the state, or null when the service is about to stop.
func (s *Service) status() any {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	stats, err := s.engine.Stats(ctx)
	if err != nil {
		return json.RawMessage("null")
	}
	return stats
}
