package engine

import (
	"context"
	"maps"

	"signalling/api/bus"
)

// counters count since the start.
type counters struct {
	commands   map[bus.Result]uint64
	events     uint64
	announces  uint64
	evictions  uint64
	recoveries uint64
	malformed  uint64
	unsent     uint64
}

// Stats is the state of the engine, for people and tools.
type Stats struct {
	Instance string `json:"instance"`
	// Owned is how many partitions this instance owns, Active how many of them it serves now.
	Owned  int `json:"owned"`
	Active int `json:"active"`
	// Gateways are those that live, Rooms and Members what they have.
	Gateways int `json:"gateways"`
	Rooms    int `json:"rooms"`
	Members  int `json:"members"`
	// Commands counts answers by their result.
	Commands map[bus.Result]uint64 `json:"commands"`
	// Events that were published, announcements that were compared, gateways that were given up, partitions that were
	// recovered, messages that could not be read, and messages that could not be sent.
	Events     uint64 `json:"events"`
	Announces  uint64 `json:"announces"`
	Evictions  uint64 `json:"evictions"`
	Recoveries uint64 `json:"recoveries"`
	Malformed  uint64 `json:"malformed"`
	Unsent     uint64 `json:"unsent"`
	// Partitions are those owned.
	Partitions []PartitionStats `json:"partitions"`
}

// PartitionStats is the state of one partition.
type PartitionStats struct {
	Partition int    `json:"partition"`
	Epoch     uint64 `json:"epoch"`
	// State is "recovering", "active", or "fenced" while the ownership is in doubt.
	State   string `json:"state"`
	Rooms   int    `json:"rooms"`
	Members int    `json:"members"`
}

// Stats returns the state as it is now. It fails when ctx ends first, and when the engine has ended.
func (e *Engine) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := e.do(ctx, func() { s = e.stats() })
	return s, err
}

func (e *Engine) stats() Stats {
	c := &e.counters
	s := Stats{
		Instance: e.opts.Instance, Gateways: len(e.gateways), Commands: maps.Clone(c.commands),
		Events: c.events, Announces: c.announces, Evictions: c.evictions, Recoveries: c.recoveries,
		Malformed: c.malformed, Unsent: c.unsent,
	}
	for _, p := range e.partitions {
		if p == nil {
			continue
		}
		ps := PartitionStats{Partition: p.number, Epoch: p.epoch, State: "recovering"}
		if p.rooms != nil {
			ps.State, ps.Rooms, ps.Members = "active", p.rooms.Rooms(), p.rooms.Members()
		}
		if !e.serves(p) {
			ps.State = "fenced"
		}
		if ps.State == "active" {
			s.Active++
		}
		s.Owned++
		s.Rooms += ps.Rooms
		s.Members += ps.Members
		s.Partitions = append(s.Partitions, ps)
	}
	return s
}
