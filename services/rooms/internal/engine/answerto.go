package engine

import (
	"strings"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

// answerTo returns where a gateway's request is to be answered: the reply subject that it names, if it is one on which
// gateways take answers, and otherwise that of the request's gateway and number. Nobody else checks a reply subject:
// whoever may send requests could have us write to any subject that we may write to, events and ownerships among them.
func answerTo(m *nats.Msg, gateway string, seq uint64) string {
	if isAnswerSubject(m.Reply) {
		return m.Reply
	}
	return bus.AnswerSubject(gateway, seq)
}

func isAnswerSubject(subject string) bool {
	if bus.KindOf(subject) != bus.GatewayMessage {
		return false
	}
	kind, rest := bus.GatewaySubject(subject)
	_, ok := bus.AnswerSeq(rest)
	return kind == "ans" && ok && !strings.ContainsAny(subject, "*>")
}
