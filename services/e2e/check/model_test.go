package check

import (
	"fmt"
	"math/rand/v2"
	"slices"

	api "signalling/api/client"
)

// model is the server as the contract describes it, told in a page: it produces histories that are true.
type model struct {
	rng     *rand.Rand
	clients []*modelClient
	rooms   map[string][]*modelClient // members in join order, the owner first
	dropped bool                      // connections may end
}

type modelClient struct {
	History
	// lag is how many of the last events a dropped client does not get to see.
	lag int
}

func newModel(seed uint64, drops bool) *model {
	m := &model{rng: rand.New(rand.NewPCG(seed, 1)), rooms: map[string][]*modelClient{}, dropped: drops}
	for range 6 {
		m.connect()
	}
	return m
}

func (m *model) connect() {
	c := &modelClient{History: History{Client: fmt.Sprintf("c%d", len(m.clients))}}
	m.clients = append(m.clients, c)
}

// run makes n random steps and returns all histories.
func (m *model) run(n int) []History {
	for range n {
		m.step()
	}
	var all []History
	for _, c := range m.clients {
		h := c.History
		h.Seen = h.Seen[:len(h.Seen)-min(c.lag, len(h.Seen))]
		all = append(all, h)
	}
	return all
}

func (m *model) step() {
	c := m.clients[m.rng.IntN(len(m.clients))]
	room := string(rune('a' + m.rng.IntN(3)))
	switch x := m.rng.IntN(100); {
	case c.Ended:
	case x < 30:
		m.create(c, room)
	case x < 70:
		m.join(c, room)
	case x < 90:
		m.leave(c, room, true)
	case x < 93 && m.dropped:
		for room := range m.rooms {
			m.leave(c, room, false)
		}
		c.Ended, c.lag = true, m.rng.IntN(4)
		m.connect()
	case x < 97:
		members := m.rooms[room]
		if slices.Contains(members, c) {
			members[m.rng.IntN(len(members))].see(&api.SignalReceive{Room: room, SenderID: c.Client})
		}
	}
}

func (c *modelClient) see(e api.Event)    { c.Seen = append(c.Seen, Seen{Event: e}) }
func (c *modelClient) answer(e api.Event) { c.Seen = append(c.Seen, Seen{Event: e, Answer: true}) }

func (m *model) create(c *modelClient, room string) {
	if m.rooms[room] != nil {
		c.answer(&api.RoomExists{Room: room})
		return
	}
	m.rooms[room] = []*modelClient{c}
	c.answer(&api.RoomCreated{Room: room})
}

func (m *model) join(c *modelClient, room string) {
	members := m.rooms[room]
	if members == nil {
		c.answer(&api.RoomNotExists{Room: room})
		return
	}
	others := []string{}
	for _, o := range members {
		if o != c {
			others = append(others, o.Client)
		}
	}
	if !slices.Contains(members, c) {
		for _, o := range members {
			o.see(&api.ClientJoined{Room: room, ClientID: c.Client})
		}
		m.rooms[room] = append(members, c)
	}
	c.answer(&api.RoomJoined{Room: room, OwnerID: members[0].Client, Clients: others})
}

func (m *model) leave(c *modelClient, room string, told bool) {
	members := m.rooms[room]
	i := slices.Index(members, c)
	switch {
	case i < 0 && told:
		c.answer(&api.NotInRoom{Room: room})
		return
	case i < 0:
		return
	case i == 0:
		for _, o := range members[1:] {
			o.see(&api.RoomLeft{Room: room, Kicked: true})
		}
		delete(m.rooms, room)
	default:
		m.rooms[room] = slices.Delete(slices.Clone(members), i, i+1)
		for _, o := range m.rooms[room] {
			o.see(&api.ClientLeft{Room: room, ClientID: c.Client})
		}
	}
	if told {
		c.answer(&api.RoomLeft{Room: room})
	}
}
