package engine

import (
	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
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
	operators // what they want done
	questions // of operators, in a line of their own
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
	if k == questions {
		return e.subscribeQuestions(subject)
	}
	sub, err := e.nc.ChanSubscribe(subject, e.inbox)
	if err == nil {
		e.kinds[sub] = k
	}
	return sub, err
}

func (e *Engine) subscribeQuestions(subject string) (*nats.Subscription, error) {
	sub, err := e.nc.Subscribe(subject, e.lineUp)
	if err == nil {
		e.kinds[sub] = questions
		err = sub.SetPendingLimits(maxQuestions, maxQuestions*operate.MaxQuestionBytes)
	}
	return sub, err
}

// lineUp has a question wait, or says that too many do. The goroutine is the subscription's.
func (e *Engine) lineUp(m *nats.Msg) {
	select {
	case e.questions <- m:
		return
	default:
	}
	if !bus.IsOperatorInbox(m.Reply) {
		return
	}
	busy := operate.Errorf(operate.Busy, "there are too many questions of operators at once")
	if err := e.nc.Publish(m.Reply, operate.EncodeAnswer(e.opts.Instance, busy, e.nc.MaxPayload())); err != nil {
		e.log.Debug("an operator was not answered", "error", err)
	}
}

// waitingQuestions are those to take now: none while there is something in the inbox, because a question can take as long as
// a thousand commands, and whoever may only look must not keep clients waiting.
func (e *Engine) waitingQuestions() <-chan *nats.Msg {
	if len(e.inbox) > 0 {
		return nil
	}
	return e.questions
}

// handleQuestion takes one question however much else there is to do, so that operators see an engine that never rests.
func (e *Engine) handleQuestion() {
	select {
	case m := <-e.questions:
		e.handle(m)
	default:
	}
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
	case operators, questions:
		e.handleOperator(m)
	}
}

// malformed notes a message that could not be read. Only a defect makes one, so it is logged.
func (e *Engine) malformed(m *nats.Msg, err error) {
	e.counters.malformed++
	e.log.Error("a message cannot be read", "subject", m.Subject, "bytes", len(m.Data), "error", err)
}
