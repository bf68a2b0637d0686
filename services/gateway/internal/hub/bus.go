package hub

import (
	"context"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

const (
	// batchMessages and batchConns bound how much is handled before what it caused is written. Frames for one client that
	// come from the same batch leave together.
	batchMessages = 64
	batchConns    = 512
	// maxNames bounds the interned gateway ids.
	maxNames = 4096
)

// dispatch handles all that the bus brings, in its order. It never blocks: the queues behind it are bounded and drop, and
// writes are tried only.
func (h *Hub) dispatch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-h.inbox:
			out := h.outbox()
			h.handle(m, out)
			h.handleMore(out)
			out.release()
		}
	}
}

// handleMore handles what waits already.
func (h *Hub) handleMore(out *outbox) {
	for range batchMessages {
		if len(out.conns) > batchConns {
			return
		}
		select {
		case m := <-h.inbox:
			h.handle(m, out)
		default:
			return
		}
	}
}

func (h *Hub) handle(m *nats.Msg, out *outbox) {
	switch bus.KindOf(m.Subject) {
	case bus.EventMessage:
		h.onEvent(m, out)
	case bus.GatewayMessage:
		h.onOwn(m, out)
	case bus.ResyncMessage:
		h.onResync(m.Data, out)
	case bus.DigestMessage:
		h.onDigest(m.Data, out)
	}
}

// onOwn handles what is addressed to this gateway.
func (h *Hub) onOwn(m *nats.Msg, out *outbox) {
	switch kind, rest := bus.GatewaySubject(m.Subject); kind {
	case "sig":
		h.onSignal(m, out)
	case "ans":
		h.onReply(rest, m, out)
	case "ack":
		h.onAck(m.Data, out)
	case "ping":
		out.messages = append(out.messages, message{subject: m.Reply})
	case "resync":
		h.onResync(m.Data, out)
	case "take":
		h.onTake(m.Data, out)
	case "taken":
		h.onTaken(rest, m)
	}
}

// onReply handles the answer to a command or to an announcement, or the server's word that nobody serves the partition.
func (h *Hub) onReply(rest string, m *nats.Msg, out *outbox) {
	seq, ok := bus.AnswerSeq(rest)
	if !ok {
		return
	}
	p := &h.parts[seq%bus.Partitions]
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.requests[seq]
	switch {
	case noResponders(m):
		p.retry(seq)
	case q != nil:
		var a bus.Answer
		if err := a.Decode(m.Data); err != nil {
			h.log.Error("answer not understood", "error", err)
			return
		}
		p.onAnswer(q, &a, out)
	case p.announcements[seq] != nil:
		var c bus.Correction
		if err := c.Decode(m.Data); err != nil {
			h.log.Error("correction not understood", "error", err)
			return
		}
		p.onCorrection(seq, &c, out)
	default:
		p.onLate(m.Data)
	}
}

func noResponders(m *nats.Msg) bool {
	return len(m.Data) == 0 && m.Header.Get("Status") == "503"
}

// intern returns one string for all mentions of a gateway.
func (h *Hub) intern(gw string) string {
	if s, ok := h.names[gw]; ok {
		return s
	}
	if len(h.names) >= maxNames {
		clear(h.names)
	}
	h.names[gw] = gw
	return gw
}
