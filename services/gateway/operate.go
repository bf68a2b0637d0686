package gateway

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/pkg/natsbus"
	"signalling/pkg/service"
)

const (
	// operateTimeout bounds an answer to an operator: more than a command may take by default.
	operateTimeout = 8 * time.Second
	// operateQueue bounds the requests that wait, operateMax those that are worked at.
	operateQueue, operateMax = 64, 16
)

// operators are those who ask the gateway, and what they want of it.
type operators struct {
	asked    chan struct{} // closed when one wants the gateway to end
	once     *sync.Once    // of asked
	draining *atomic.Bool
	places   chan struct{} // one for each request that is worked at
}

func newOperators() operators {
	return operators{
		asked: make(chan struct{}), once: new(sync.Once), draining: new(atomic.Bool), places: make(chan struct{}, operateMax),
	}
}

// wait returns when no request is worked at, and none will be.
func (o *operators) wait() {
	for range operateMax {
		o.places <- struct{}{}
	}
}

// answerOperators answers operators from now on, until the connection is closed.
func (g *Gateway) answerOperators() error {
	id := g.hub.ID()
	for _, subject := range []string{bus.AdminGateway(bus.Ask, bus.Everyone), bus.AdminGateway(bus.Ask, id), bus.AdminGateway(bus.Do, id)} {
		sub, err := g.nc.Subscribe(subject, g.takeOperator)
		if err == nil {
			err = sub.SetPendingLimits(operateQueue, operateQueue*operate.MaxQuestionBytes)
		}
		if err != nil {
			return err
		}
	}
	// Who sees the gateway ready is answered. Where NATS cannot be reached now, it is told when it can.
	_ = g.nc.FlushTimeout(time.Second)
	return nil
}

// takeOperator has a request worked at, on a goroutine of its own because a test of signals takes time.
func (g *Gateway) takeOperator(m *nats.Msg) {
	if !bus.IsOperatorInbox(m.Reply) {
		g.log.Warn("an operator's request names no inbox of operators", "subject", m.Subject)
		return
	}
	select {
	case g.operators.places <- struct{}{}:
		go func() {
			defer func() { <-g.operators.places }()
			g.answerOperator(m.Reply, g.operate(m))
		}()
	default:
		g.answerOperator(m.Reply, operate.Errorf(operate.Busy, "there are too many requests of operators at once"))
	}
}

func (g *Gateway) answerOperator(inbox string, answer any) {
	if err := g.nc.Publish(inbox, operate.EncodeAnswer(g.hub.ID(), answer, g.nc.MaxPayload())); err != nil {
		g.log.Debug("an operator was not answered", "error", err)
	}
}

// operate returns the answer to a request.
func (g *Gateway) operate(m *nats.Msg) any {
	q, fault := operate.Decode(m.Subject, m.Data)
	if fault != nil {
		return fault
	}
	switch q.Op {
	case operate.Status:
		return g.Status()
	case operate.Client:
		if s, ok := g.hub.Inspect(q.Client); ok {
			return operate.Presence{Session: &s}
		}
		return operate.Errorf(operate.NotFound, "client %s is not here", q.Client)
	case operate.Drain:
		g.log.Info("an operator wants this gateway to end")
		g.operators.once.Do(func() { close(g.operators.asked) })
		return operate.Done{Clients: g.hub.Sessions()}
	case operate.ProbeOpen, operate.ProbeEcho, operate.ProbeRun:
		answer, err := g.probe(&q)
		if f, ok := errors.AsType[*operate.Error](err); ok {
			return f
		} else if err != nil {
			return operate.Errorf(operate.Failed, "%v", err)
		}
		return answer
	}
	return operate.Errorf(operate.UnknownOp, "a gateway does not know %q", q.Op)
}

func (g *Gateway) probe(q *operate.Question) (operate.Probe, error) {
	ctx, cancel := context.WithTimeout(context.Background(), operateTimeout)
	defer cancel()
	switch q.Op {
	case operate.ProbeOpen:
		return g.hub.OpenProbe(ctx)
	case operate.ProbeEcho:
		return g.hub.EchoProbe(ctx, q.Room)
	}
	return g.hub.RunProbe(ctx, q.Room, q.Client, q.Count)
}

// live is what the page on the admin address shows.
func (g *Gateway) live(ctx context.Context, query url.Values) (any, error) {
	q := operate.LiveQuestion(query)
	page := &operate.Live{Now: time.Now(), Gateway: g.Status()}
	if g.more != nil {
		return page, g.more(ctx, q, page)
	}
	list, room := g.hub.Look(&q)
	page.Rooms, page.Room = &list, room
	return page, nil
}

// Status is what this gateway has, for operators.
func (g *Gateway) Status() *operate.Gateway {
	s := g.hub.Stats()
	return &operate.Gateway{
		Process: operate.Process{
			ID: g.hub.ID(), Protocol: bus.ProtocolVersion, NATS: natsbus.Server(g.nc, g.inProcess), Runtime: operate.Runtime(service.Self()),
		},
		Listen: g.Addr().String(), Draining: g.operators.draining.Load(), Clients: s.Sessions, Detached: s.Detached, Rooms: s.Rooms,
		Requests: s.Requests, Announcements: s.Announcements, Held: s.Held, Unacked: s.Unacked, KeptBytes: s.KeptBytes,
	}
}
