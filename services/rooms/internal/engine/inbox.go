package engine

import (
	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

// kind is what a subscription brings.
type kind int

const (
	commands kind = iota
	announces
	heartbeats
	pings
	pongs
	resyncs
	operators
)

// listen subscribes to what is not of one partition.
func (e *Engine) listen() error {
	for subject, k := range map[string]kind{
		bus.HeartbeatSubject:                  heartbeats,
		bus.RoomsPingSubject(e.opts.Instance): pings,
		bus.PongSubjects(e.opts.Instance):     pongs,
		bus.ResyncSubject:                     resyncs,
	} {
		if _, err := e.subscribe(subject, k); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) subscribe(subject string, k kind) (*nats.Subscription, error) {
	sub, err := e.nc.ChanSubscribe(subject, e.inbox)
	if err == nil {
		e.kinds[sub] = k
	}
	return sub, err
}

// handle deals with one message.
func (e *Engine) handle(m *nats.Msg) {
	e.hear()
	k, ok := e.kinds[m.Sub]
	if !ok {
		return // of a subscription that has ended
	}
	switch k {
	case commands:
		e.handleCommand(m)
	case announces:
		e.handleAnnounce(m)
	case heartbeats:
		e.handleHeartbeat(m)
	case pings:
		if m.Reply != "" {
			e.publish(m.Reply, nil)
		}
	case pongs:
		e.handlePong(m)
	case resyncs:
		e.handleResync(m)
	case operators:
		e.handleOperator(m)
	}
}

// malformed notes a message that could not be read. Only a defect makes one, so it is logged.
func (e *Engine) malformed(m *nats.Msg, err error) {
	e.counters.malformed++
	e.log.Error("a message cannot be read", "subject", m.Subject, "bytes", len(m.Data), "error", err)
}
