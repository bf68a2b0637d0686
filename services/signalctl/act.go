package signalctl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"signalling/api/operate"
	"signalling/services/signalctl/internal/ask"
)

// kicked is what has become of a kick in one room.
type kicked struct {
	Room string `json:"room"`
	operate.Done
}

func kick(ctx context.Context, c *call) error {
	id := c.args[0]
	if c.room != "" {
		done, err := c.Kick(ctx, c.room, id)
		if err != nil {
			return noOwner(err, c.room)
		}
		return showKicks(c, id, []kicked{{c.room, done}})
	}
	rooms, missing, err := c.roomsOf(ctx, id)
	if err != nil {
		return err
	}
	all, failures := []kicked{}, []error{}
	c.KickAll(ctx, rooms, id, func(room string, done operate.Done, err error) {
		fault, refused := errors.AsType[*operate.Error](err)
		switch {
		case refused && fault.Code == operate.NotFound: // it has just left
		case err != nil:
			failures = append(failures, noOwner(err, room))
		default:
			all = append(all, kicked{room, done})
		}
	})
	err = showKicks(c, id, all)
	if len(failures) > 0 {
		return errors.Join(append(failures, err)...)
	}
	return errors.Join(err, missing)
}

// roomsOf lists the rooms in which a client is. missing says which partitions have not answered.
func (c *call) roomsOf(ctx context.Context, id string) (rooms []string, missing, err error) {
	p, failed, err := c.Client.Client(ctx, id)
	missing = unknown(failed, err)
	for _, m := range p.Memberships {
		rooms = append(rooms, m.Room)
	}
	switch {
	case len(rooms) > 0:
		return rooms, missing, nil
	case missing != nil:
		return nil, nil, missing
	case p.Session != nil:
		return nil, nil, operate.Errorf(operate.NotFound, "client %s is in no room", safe(id))
	}
	return nil, nil, operate.Errorf(operate.NotFound, "there is no client %s", safe(id))
}

func showKicks(c *call, id string, all []kicked) error {
	if c.json {
		return c.writeJSON(struct {
			Client string   `json:"client"`
			Kicked []kicked `json:"kicked"`
		}{id, all})
	}
	for _, k := range all {
		if k.Closed {
			c.say("%s is out of room %s, which has ended with it (%s)\n", safe(id), safe(k.Room), count(k.Clients, "member", "members"))
		} else {
			c.say("%s is out of room %s\n", safe(id), safe(k.Room))
		}
	}
	return nil
}

func closeRoom(ctx context.Context, c *call) error {
	done, err := c.CloseRoom(ctx, c.args[0])
	if err != nil {
		return noOwner(err, c.args[0])
	}
	if c.json {
		return c.writeJSON(kicked{c.args[0], done})
	}
	c.say("room %s has ended for its %s\n", safe(c.args[0]), count(done.Clients, "member", "members"))
	return nil
}

func drain(ctx context.Context, c *call) error {
	s, err := c.system(ctx)
	if err != nil {
		return err
	}
	g, err := s.Gateway(c.args[0])
	if err != nil {
		return err
	}
	done, err := c.Drain(ctx, g.ID)
	if err != nil {
		return err
	}
	if c.json {
		return c.writeJSON(struct {
			Gateway string `json:"gateway"`
			Host    string `json:"host"`
			operate.Done
		}{g.ID, g.Host, done})
	}
	c.say("gateway %s on %s sends its %s away, and its process ends\n", g.ID, safe(g.Host), count(done.Clients, "client", "clients"))
	return nil
}

func ping(ctx context.Context, c *call) error {
	s, err := c.system(ctx)
	if err != nil {
		return err
	}
	from, to, err := ends(s, c.from, c.to)
	if err != nil {
		return err
	}
	test, err := c.Probe(ctx, from, to, c.count)
	if c.json {
		return errors.Join(c.writeJSON(test), err)
	}
	showTest(c, s, test)
	return err
}

// ends chooses the gateways of a test.
func ends(s *ask.System, from, to string) (string, string, error) {
	var a, b *operate.Gateway
	var err error
	if from != "" {
		if a, err = s.Gateway(from); err != nil {
			return "", "", err
		}
	}
	if to != "" {
		if b, err = s.Gateway(to); err != nil {
			return "", "", err
		}
	}
	if len(s.Gateways) == 0 {
		return "", "", fmt.Errorf("%w: there is no gateway", ask.ErrNobody)
	}
	if a == nil {
		a = otherThan(s, b)
	}
	if b == nil {
		b = otherThan(s, a)
	}
	return a.ID, b.ID, nil
}

// otherThan returns a gateway, another one than g if there is one.
func otherThan(s *ask.System, g *operate.Gateway) *operate.Gateway {
	first := rand.IntN(len(s.Gateways)) // #nosec G404 -- any
	for i := range s.Gateways {
		if o := &s.Gateways[(first+i)%len(s.Gateways)]; (g == nil || o.ID != g.ID) && !o.Draining {
			return o
		}
	}
	if g != nil {
		return g
	}
	return &s.Gateways[first]
}

func showTest(c *call, s *ask.System, t *ask.Test) {
	place := func(id string) string {
		if host := s.Host(id); host != "" {
			return fmt.Sprintf("%s (%s)", id, safe(host))
		}
		return id
	}
	c.say("from gateway %s to gateway %s", place(t.From), place(t.To))
	if t.Rooms != "" {
		c.say(", room in partition %d of rooms instance %s", t.Partition, place(t.Rooms))
	}
	c.say("\n\n")
	tab := newTable(c.out, "HOP", "MEDIAN", "SHORTEST", "LONGEST")
	for _, h := range t.Hops {
		what := map[string]string{
			ask.HopAsk:         fmt.Sprintf("signalctl → %s and back", h.To),
			ask.HopCreate:      fmt.Sprintf("gateway %s → rooms and back: room created", h.From),
			ask.HopJoin:        fmt.Sprintf("gateway %s → rooms and back: room joined", h.From),
			ask.HopSignal:      fmt.Sprintf("gateway %s → %s and back: a signal each way", h.From, h.To),
			ask.HopEcho:        fmt.Sprintf("in gateway %s: to its client and out again", h.To),
			ask.HopAcknowledge: fmt.Sprintf("gateway %s → %s: signals acknowledged, many at once", h.From, h.To),
			ask.HopLeave:       fmt.Sprintf("gateway %s → rooms and back: room left", h.From),
		}[h.Name]
		least, most := "", ""
		if h.Max > 0 {
			least, most = millis(h.Min), millis(h.Max)
		}
		tab.add(what, millis(h.Micros), least, most)
	}
	_ = tab.end() // into memory
}
