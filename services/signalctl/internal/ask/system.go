package ask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
)

// System is what all processes say.
type System struct {
	Gateways  []operate.Gateway  `json:"gateways"`
	Instances []operate.Instance `json:"instances"`
	// Silent are gateways that rooms hear, or wait for, and that have not answered; SilentInstances are rooms instances that
	// others know to live and that have not answered.
	Silent          []operate.Heard `json:"silent"`
	SilentInstances []string        `json:"silentInstances"`
	// FaultyGateways and FaultyInstances have answered with an error, or with something that cannot be read.
	FaultyGateways  []Faulty `json:"faultyGateways"`
	FaultyInstances []Faulty `json:"faultyInstances"`
	Partitions      []Owned  `json:"partitions"`
}

// Owned is a partition and its owner.
type Owned struct {
	operate.Partition
	// Owner is the rooms instance, "" if nobody owns it. Others are further instances that say that they do.
	Owner  string   `json:"owner"`
	Others []string `json:"others,omitempty"`
}

// Faulty is a process that answers with an error.
type Faulty struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// Unowned is the state of a partition that has no owner, or one that does not answer.
const Unowned = "unowned"

// System asks everybody.
func (c *Client) System(ctx context.Context) (*System, error) {
	s := &System{
		Gateways: []operate.Gateway{}, Instances: []operate.Instance{}, Silent: []operate.Heard{}, SilentInstances: []string{},
		FaultyGateways: []Faulty{}, FaultyInstances: []Faulty{},
	}
	err := gather(ctx, c, bus.AdminRooms(bus.Ask, bus.Everyone), &s.Instances, &s.FaultyInstances, func() bool {
		return len(s.missingInstances()) == 0
	})
	if err != nil {
		return nil, err
	}
	s.SilentInstances = append(s.SilentInstances, s.missingInstances()...)
	err = gather(ctx, c, bus.AdminGateway(bus.Ask, bus.Everyone), &s.Gateways, &s.FaultyGateways, func() bool {
		return len(s.missingGateways()) == 0
	})
	if err != nil {
		return nil, err
	}
	s.Silent = append(s.Silent, s.missingGateways()...)
	slices.SortFunc(s.Gateways, func(a, b operate.Gateway) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(s.Instances, func(a, b operate.Instance) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID)) })
	s.assign()
	return s, nil
}

// gather asks all on a subject how they are, until nobody is missing.
func gather[T any](ctx context.Context, c *Client, subject string, into *[]T, faulty *[]Faulty, complete func() bool) error {
	return c.all(ctx, subject, operate.Question{Op: operate.Status}, func(m *nats.Msg) bool {
		var status T
		if from, err := decode(m.Data, &status); err != nil {
			*faulty = append(*faulty, Faulty{from, err.Error()})
		} else {
			*into = append(*into, status)
		}
		return complete()
	})
}

// missingInstances are those that others know to live.
func (s *System) missingInstances() (missing []string) {
	for _, i := range s.Instances {
		for _, peer := range i.Peers {
			there := answered(s.FaultyInstances, peer) || slices.ContainsFunc(s.Instances, func(o operate.Instance) bool { return o.ID == peer })
			if !there && !slices.Contains(missing, peer) {
				missing = append(missing, peer)
			}
		}
	}
	return missing
}

// missingGateways are those that rooms know of.
func (s *System) missingGateways() (missing []operate.Heard) {
	for _, i := range s.Instances {
		for _, h := range i.Gateways {
			there := answered(s.FaultyGateways, h.ID) || slices.ContainsFunc(s.Gateways, func(g operate.Gateway) bool { return g.ID == h.ID })
			if !there && !slices.ContainsFunc(missing, func(o operate.Heard) bool { return o.ID == h.ID }) {
				missing = append(missing, h)
			}
		}
	}
	return missing
}

func answered(all []Faulty, id string) bool {
	return slices.ContainsFunc(all, func(f Faulty) bool { return f.ID == id })
}

// assign finds the owners of all partitions.
func (s *System) assign() {
	s.Partitions = make([]Owned, bus.Partitions)
	for n := range s.Partitions {
		s.Partitions[n].Partition = operate.Partition{Partition: n, State: Unowned}
	}
	for _, i := range s.Instances {
		for _, p := range i.Partitions {
			if p.Partition < 0 || p.Partition >= len(s.Partitions) {
				continue
			}
			o := &s.Partitions[p.Partition]
			switch {
			case o.Owner == "":
				o.Partition, o.Owner = p, i.ID
			case p.Epoch > o.Epoch: // the higher epoch is right
				o.Others = append(o.Others, o.Owner)
				o.Partition, o.Owner = p, i.ID
			default:
				o.Others = append(o.Others, i.ID)
			}
		}
	}
}

// ErrAmbiguous is wrapped where the beginning of an id fits several, or is too short to mean one.
var ErrAmbiguous = errors.New("fits several")

// leastPrefix is how many characters the beginning of an id has at least: what is named may be about to be ended.
const leastPrefix = 4

// Gateway finds a gateway by its id, the beginning of its id (four characters at least), or the name of its host.
func (s *System) Gateway(name string) (*operate.Gateway, error) {
	var found []*operate.Gateway
	short := false
	for i := range s.Gateways {
		switch g := &s.Gateways[i]; {
		case g.ID == name:
			return g, nil
		case g.Host == name && name != "", strings.HasPrefix(g.ID, name) && len(name) >= leastPrefix:
			found = append(found, g)
		case strings.HasPrefix(g.ID, name):
			short = true
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && short:
		return nil, fmt.Errorf("gateway %q easily %w: say at least %d characters of its id", name, ErrAmbiguous, leastPrefix)
	case len(found) == 0:
		return nil, &operate.Error{Code: operate.NotFound, Message: fmt.Sprintf("there is no gateway %q", name)}
	}
	return nil, fmt.Errorf("gateway %q %w: say more of its id", name, ErrAmbiguous)
}

// Host is the name of a gateway's or rooms instance's machine, "" if it has not answered.
func (s *System) Host(id string) string {
	for i := range s.Gateways {
		if s.Gateways[i].ID == id {
			return s.Gateways[i].Host
		}
	}
	for i := range s.Instances {
		if s.Instances[i].ID == id {
			return s.Instances[i].Host
		}
	}
	return ""
}
