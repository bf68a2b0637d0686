package engine

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

const (
	// suspectAfter is the silence after which a gateway is asked whether it lives.
	suspectAfter = 1500 * time.Millisecond
	// pingInterval is the time between two such questions.
	pingInterval = 500 * time.Millisecond
	// refusalGap is the time between two "no responders" that together mean death.
	refusalGap = 100 * time.Millisecond
)

// gateway is one that we have heard of and not given up.
type gateway struct {
	id string
	// heard is its last sign of life, or the last fresh start.
	heard time.Time
	// confirmed: it was heard since the last fresh start.
	confirmed bool
	pinged    time.Time
	// refused is when NATS first said that nobody listens to its pings, zero since it was heard.
	refused time.Time
	// seen is by partition; nil where it has sent no command.
	seen [bus.Partitions]*seen
	// window is for how long its members are kept once it is gone.
	window time.Duration
}

// alive notes a sign of life. It returns false if the id cannot be one.
func (e *Engine) alive(id string) bool {
	g := e.gateways[id]
	if g == nil {
		if id == "" || strings.ContainsAny(id, ".*> \t\r\n") {
			return false
		}
		// What was heard may be no heartbeat, but something that was sent before it was given up.
		g = &gateway{id: id, window: e.orphans[id].window}
		e.gateways[id] = g
		delete(e.orphans, id) // it announces whom it still holds
		e.log.Info("gateway found", "gateway", id)
		// It may hold members that we have not heard of, or have removed. While we recover it is asked anyway.
		if e.anyActive() {
			e.send(bus.ResyncOneSubject(id), &bus.Resync{Partition: -1})
		}
	}
	g.heard, g.refused, g.confirmed = e.now, time.Time{}, true
	return true
}

func (e *Engine) anyActive() bool {
	for _, p := range e.partitions {
		if p != nil && p.rooms != nil {
			return true
		}
	}
	return false
}

func (e *Engine) handleHeartbeat(m *nats.Msg) {
	var h bus.Heartbeat
	if err := h.Decode(m.Data); err != nil {
		e.malformed(m, err)
		return
	}
	if !h.Leaving {
		if e.alive(h.Gateway) {
			e.gateways[h.Gateway].window = windowOf(&h)
		}
	} else if g := e.gateways[h.Gateway]; g != nil {
		e.evict(g, "it has left")
	}
}

// watchGateways asks those that are silent whether they live, and gives up those that were silent for too long.
func (e *Engine) watchGateways() {
	for _, g := range e.gateways {
		switch silence := e.now.Sub(g.heard); {
		case silence > e.opts.GatewayTimeout:
			e.evict(g, "it was silent for too long")
		case silence > suspectAfter && (e.now.Sub(g.pinged) >= pingInterval || (!g.refused.IsZero() && e.now.Sub(g.pinged) >= refusalGap)):
			g.pinged = e.now
			if err := e.nc.PublishRequest(bus.PingSubject(g.id), bus.PongSubject(e.opts.Instance, g.id), nil); err != nil {
				e.unsent(bus.PingSubject(g.id), 0, err)
			}
		}
	}
}

// handlePong takes the answer to a ping, the gateway's own or the server's that nobody listens.
func (e *Engine) handlePong(m *nats.Msg) {
	g := e.gateways[bus.PongGateway(m.Subject)]
	switch {
	case g == nil:
	case m.Header.Get("Status") != noResponders:
		e.alive(g.id)
	case !g.confirmed:
		// It has not come back yet since we have.
	case g.refused.IsZero():
		e.soon()
		g.refused = e.now
	case e.now.Sub(g.refused) >= refusalGap:
		e.evict(g, "nobody listens to its pings")
	}
}

// noResponders is the status of a message with which the server says that nobody has subscribed to a request's subject.
const noResponders = "503"

// evict removes all members of a gateway that is no more, or keeps them for its window. Should it live it is asked to
// announce when it is heard again.
func (e *Engine) evict(g *gateway, reason string) {
	delete(e.gateways, g.id)
	e.counters.evictions++
	if g.window > 0 {
		e.orphan(g, reason)
		return
	}
	members := e.remove(g.id)
	e.log.Info("gateway gone", "gateway", g.id, "reason", reason, "silent", e.now.Sub(g.heard), "members", members)
}

// remove removes all members of a gateway and returns how many they were.
func (e *Engine) remove(id string) (members int) {
	for _, p := range e.partitions {
		if p == nil {
			continue
		}
		delete(p.parts, id)
		if p.recovery != nil {
			delete(p.recovery.announced, id)
			continue
		}
		before := p.rooms.Members()
		e.publishEvents(p, p.rooms.Evict(id))
		members += before - p.rooms.Members()
	}
	return members
}
