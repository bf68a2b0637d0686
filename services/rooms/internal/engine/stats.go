package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"signalling/api/bus"
	"signalling/api/operate"
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
	Partitions []operate.Partition `json:"partitions"`
	// Heard are the gateways, those included that are gone and whose members are kept.
	Heard []operate.Heard `json:"-"`
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
		Malformed: c.malformed, Unsent: c.unsent, Heard: e.heard(),
	}
	for _, p := range e.partitions {
		if p == nil {
			continue
		}
		ps := operate.Partition{Partition: p.number, Epoch: p.epoch, State: operate.Recovering}
		if p.rooms != nil {
			ps.State, ps.Rooms, ps.Members = operate.Active, p.rooms.Rooms(), p.rooms.Members()
		}
		if !e.serves(p) {
			ps.State = operate.Fenced
		}
		if ps.State == operate.Active {
			s.Active++
		}
		s.Owned++
		s.Rooms += ps.Rooms
		s.Members += ps.Members
		s.Partitions = append(s.Partitions, ps)
	}
	return s
}

// heard are the gateways that we know of, by id.
func (e *Engine) heard() []operate.Heard {
	all := make([]operate.Heard, 0, len(e.gateways)+len(e.orphans))
	for id, g := range e.gateways {
		all = append(all, operate.Heard{ID: id, Silence: e.now.Sub(g.heard).Seconds()})
	}
	for id, o := range e.orphans {
		all = append(all, operate.Heard{ID: id, Gone: true, Silence: o.until.Sub(e.now).Seconds()})
	}
	slices.SortFunc(all, func(a, b operate.Heard) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
