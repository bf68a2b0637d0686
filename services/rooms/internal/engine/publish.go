package engine

import (
	"errors"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/pkg/tracing"
)

// appender is any message of package bus.
type appender interface{ Append(dst []byte) []byte }

// send publishes a message. The buffer is used again at once, because the connection copies it.
func (e *Engine) send(subject string, m appender) bool {
	e.buf = m.Append(e.buf[:0])
	return e.publish(subject, e.buf)
}

// publish reports whether the message was handed to the connection. There is nothing else to do about a failure: without
// a connection nobody can be told, and when it is back everyone is asked to compare.
func (e *Engine) publish(subject string, data []byte) bool {
	err := e.nc.Publish(subject, data)
	if err != nil {
		e.unsent(subject, len(data), err)
	}
	return err == nil
}

// unsent notes a message that was not sent. One that is larger than NATS takes never will be, so people are told.
func (e *Engine) unsent(subject string, size int, err error) {
	e.counters.unsent++
	if errors.Is(err, nats.ErrMaxPayload) {
		e.log.Warn("a message is larger than NATS takes", "subject", subject, "bytes", size, "limit", e.nc.MaxPayload())
		return
	}
	e.log.Debug("not published", "subject", subject, "error", err)
}

// publishEvent tells the gateways that follow the room.
func (e *Engine) publishEvent(ev *bus.Event) {
	e.soon()
	e.counters.events++
	e.send(bus.EventSubject(bus.Token(ev.Room)), ev)
}

// publishTraced is publishEvent for what a command has caused that may be traced.
func (e *Engine) publishTraced(ev *bus.Event, span *tracing.Span) {
	if span == nil {
		e.publishEvent(ev)
		return
	}
	e.soon()
	e.counters.events++
	m := &nats.Msg{Subject: bus.EventSubject(bus.Token(ev.Room)), Data: ev.Append(nil), Header: span.Header()}
	if err := e.nc.PublishMsg(m); err != nil {
		e.unsent(m.Subject, len(m.Data), err)
	}
}

// publishEvents publishes what happened in a partition, unless we may not speak for it now: then its gateways are asked
// to compare as soon as we may.
func (e *Engine) publishEvents(p *partition, events []bus.Event) {
	if len(events) > 0 {
		e.soon()
	}
	if !e.serves(p) {
		return
	}
	for i := range events {
		e.publishEvent(&events[i])
	}
}
