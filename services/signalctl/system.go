package signalctl

import (
	"context"
	"fmt"
	"strings"

	"signalling/api/operate"
	"signalling/services/signalctl/internal/ask"
)

// system asks everybody, and fails if nobody answers.
func (c *call) system(ctx context.Context) (*ask.System, error) {
	s, err := c.System(ctx)
	if err != nil {
		return nil, err
	}
	if len(s.Gateways)+len(s.Instances)+len(s.FaultyGateways)+len(s.FaultyInstances) == 0 {
		return nil, fmt.Errorf("%w: no gateway and no rooms instance is on this NATS, or they are older than this", ask.ErrNobody)
	}
	return s, nil
}

// overview is the answer of status.
type overview struct {
	Gateways   int      `json:"gateways"`
	Instances  int      `json:"instances"`
	Clients    int      `json:"clients"`
	Rooms      int      `json:"rooms"`
	Members    int      `json:"members"`
	Partitions int      `json:"partitions"`
	Active     int      `json:"active"`
	Versions   []string `json:"versions"`
	Problems   []string `json:"problems"`
}

func status(ctx context.Context, c *call) error {
	s, err := c.system(ctx)
	if err != nil {
		return err
	}
	o := overview{
		Gateways: len(s.Gateways), Instances: len(s.Instances), Partitions: len(s.Partitions), Versions: versions(s), Problems: problems(s),
	}
	for i := range s.Gateways {
		o.Clients += s.Gateways[i].Clients
	}
	for i := range s.Partitions {
		p := &s.Partitions[i]
		o.Rooms += p.Rooms
		o.Members += p.Members
		if p.State == operate.Active {
			o.Active++
		}
	}
	if c.json {
		err = c.writeJSON(o)
	} else {
		c.say("%s, %s; %d of %d partitions active\n", count(o.Gateways, "gateway", "gateways"),
			count(o.Instances, "rooms instance", "rooms instances"), o.Active, o.Partitions)
		c.say("%s, %s with %s\n", count(o.Clients, "client", "clients"), count(o.Rooms, "room", "rooms"), count(o.Members, "member", "members"))
		c.say("version %s\n", strings.Join(o.Versions, ", "))
		for _, p := range o.Problems {
			c.say("! %s\n", p)
		}
	}
	if err == nil && len(o.Problems) > 0 {
		err = fmt.Errorf("%w: %s", errIncomplete, count(len(o.Problems), "problem", "problems"))
	}
	return err
}

// versions are the builds that run.
func versions(s *ask.System) (all []string) {
	seen := map[string]bool{}
	add := func(v string) {
		if !seen[v] {
			seen[v], all = true, append(all, v)
		}
	}
	for i := range s.Gateways {
		add(s.Gateways[i].Version)
	}
	for i := range s.Instances {
		add(s.Instances[i].Version)
	}
	return all
}

// problems is what a person should look at.
func problems(s *ask.System) []string {
	all := []string{}
	if len(s.Gateways) == 0 {
		all = append(all, "no gateway answers")
	}
	if len(s.Instances) == 0 {
		all = append(all, "no rooms instance answers")
	}
	for _, h := range s.Silent {
		all = append(all, fmt.Sprintf("gateway %s: %s", shown(h.ID), silence(h)))
	}
	for _, id := range s.SilentInstances {
		all = append(all, fmt.Sprintf("rooms instance %s does not answer", shown(id)))
	}
	for _, f := range s.FaultyGateways {
		all = append(all, fmt.Sprintf("gateway %s %s", shown(f.ID), faulty(f)))
	}
	for _, f := range s.FaultyInstances {
		all = append(all, fmt.Sprintf("rooms instance %s %s", shown(f.ID), faulty(f)))
	}
	states := map[string][]int{}
	for i := range s.Partitions {
		p := &s.Partitions[i]
		if p.State != operate.Active {
			states[p.State] = append(states[p.State], p.Partition.Partition)
		}
		if len(p.Others) > 0 {
			states["owned by several instances"] = append(states["owned by several instances"], p.Partition.Partition)
		}
	}
	for _, state := range []string{ask.Unowned, operate.Recovering, operate.Fenced, "owned by several instances"} {
		if n := states[state]; len(n) > 0 {
			all = append(all, fmt.Sprintf("%s %s: %s", count(len(n), "partition is", "partitions are"), state, numbers(n)))
		}
	}
	if v := versions(s); len(v) > 1 {
		all = append(all, "several versions run: "+strings.Join(v, ", "))
	}
	return all
}

func faulty(f ask.Faulty) string { return "answers with an error: " + shown(f.Error) }

func silence(h operate.Heard) string {
	if h.Gone {
		return fmt.Sprintf("it is gone, and its members are kept for %s", since(h.Silence))
	}
	return fmt.Sprintf("it does not answer; rooms have heard it %s ago", since(h.Silence))
}

func gateways(ctx context.Context, c *call) error {
	s, err := c.system(ctx)
	if err != nil {
		return err
	}
	if c.json {
		err = c.writeJSON(struct {
			Gateways []operate.Gateway `json:"gateways"`
			Silent   []operate.Heard   `json:"silent"`
			Faulty   []ask.Faulty      `json:"faulty"`
		}{s.Gateways, s.Silent, s.FaultyGateways})
	} else {
		err = gatewayTable(c, s)
	}
	if n := len(s.Silent) + len(s.FaultyGateways); err == nil && n > 0 {
		err = fmt.Errorf("%w: %s", errIncomplete, count(n, "gateway does not answer", "gateways do not answer"))
	}
	return err
}

func gatewayTable(c *call, s *ask.System) error {
	t := newTable(c.out, "GATEWAY", "HOST", "LISTENS", "UP", "CLIENTS", "AWAY", "ROOMS", "WAITING", "UNACKED", "MEMORY", "VERSION", "STATE")
	for i := range s.Gateways {
		g := &s.Gateways[i]
		state := "serving"
		switch {
		case g.Draining:
			state = "draining"
		case g.NATS == "":
			state = "without NATS"
		}
		t.add(g.ID, g.Host, g.Listen, since(g.Uptime), g.Clients, g.Detached, g.Rooms, g.Requests+g.Held, g.Unacked, size(g.Memory), g.Version, state)
	}
	for _, h := range s.Silent {
		state := "silent for " + since(h.Silence)
		if h.Gone {
			state = "gone, members kept for " + since(h.Silence)
		}
		t.add(h.ID, "?", "", "", "", "", "", "", "", "", "", state)
	}
	for _, f := range s.FaultyGateways {
		t.add(f.ID, "?", "", "", "", "", "", "", "", "", "", faulty(f))
	}
	return t.end()
}

func partitions(ctx context.Context, c *call) error {
	s, err := c.system(ctx)
	if err != nil {
		return err
	}
	if c.json {
		err = c.writeJSON(struct {
			Instances  []operate.Instance `json:"instances"`
			Silent     []string           `json:"silent"`
			Faulty     []ask.Faulty       `json:"faulty"`
			Partitions []ask.Owned        `json:"partitions"`
		}{s.Instances, s.SilentInstances, s.FaultyInstances, s.Partitions})
	} else {
		err = partitionTables(c, s)
	}
	missing := len(s.SilentInstances) + len(s.FaultyInstances)
	for i := range s.Partitions {
		if s.Partitions[i].Owner == "" {
			missing++
		}
	}
	if err == nil && missing > 0 {
		err = fmt.Errorf("%w: some instances do not answer, or partitions have no owner", errIncomplete)
	}
	return err
}

func partitionTables(c *call, s *ask.System) error {
	t := newTable(c.out, "ROOMS INSTANCE", "HOST", "UP", "PARTITIONS", "ACTIVE", "ROOMS", "MEMBERS", "GATEWAYS", "MEMORY", "VERSION", "OWNERSHIP")
	for i := range s.Instances {
		r := &s.Instances[i]
		t.add(r.ID, r.Host, since(r.Uptime), len(r.Partitions), r.Active, r.Rooms, r.Members, len(r.Gateways), size(r.Memory), r.Version, r.Ownership)
	}
	for _, id := range s.SilentInstances {
		t.add(id, "?", "", "", "", "", "", "", "", "", "does not answer")
	}
	for _, f := range s.FaultyInstances {
		t.add(f.ID, "?", "", "", "", "", "", "", "", "", faulty(f))
	}
	if err := t.end(); err != nil {
		return err
	}
	fmt.Fprintln(c.out)
	t = newTable(c.out, "PARTITION", "OWNER", "HOST", "EPOCH", "STATE", "ROOMS", "MEMBERS")
	for i := range s.Partitions {
		p := &s.Partitions[i]
		owner := p.Owner
		if owner == "" {
			owner = "nobody"
		}
		state := p.State
		if len(p.Others) > 0 {
			state += ", also claimed by " + strings.Join(p.Others, " ")
		}
		t.add(p.Partition.Partition, owner, s.Host(p.Owner), p.Epoch, state, p.Rooms, p.Members)
	}
	return t.end()
}
