package hub

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/client"
	"signalling/pkg/metrics"
)

// Metrics count what a hub does. All children are looked up once, so counting costs an atomic addition. Make them with
// NewMetrics.
type Metrics struct {
	commands [client.RoomKick + 1][]prometheus.Counter // by Op and answer; Op 0 is what a door has refused
	took     [client.RoomKick + 1]prometheus.Observer
	retries  prometheus.Counter
	paced    prometheus.Counter

	local, remote, received []prometheus.Counter // signals by result
	signalSize              prometheus.Observer
	acknowledged            prometheus.Observer

	resumed []prometheus.Counter // by resumption

	events []prometheus.Counter // by delivered
	fanOut prometheus.Observer

	repairs, announcements []prometheus.Counter // by cause

	negotiations negotiationMetrics
}

// answers are the values of the label of that name: what a command may be answered with. The codes of client.Codes follow.
var answers = []string{
	client.RoomCreatedName, client.RoomExistsName, client.RoomJoinedName, client.RoomNotExistsName,
	client.RoomLeftName, client.NotInRoomName, client.TargetNotFoundName, client.ClientKickedName, client.RoomUpdatedName,
}

// answerOf is the index of an event in answers.
func answerOf(e client.Event) int {
	switch e := e.(type) {
	case *client.RoomCreated:
		return 0
	case *client.RoomExists:
		return 1
	case *client.RoomJoined:
		return 2
	case *client.RoomNotExists:
		return 3
	case *client.RoomLeft:
		return 4
	case *client.NotInRoom:
		return 5
	case *client.TargetNotFound:
		return 6
	case *client.ClientKicked:
		return 7
	case *client.RoomUpdated:
		return 8
	case *client.Error:
		return len(answers) + codeOf(e.Code)
	}
	return len(answers) + codeOf(client.Internal)
}

func codeOf(c client.Code) int {
	if i := slices.Index(client.Codes, c); i >= 0 {
		return i
	}
	return slices.Index(client.Codes, client.Internal)
}

func codes() []string {
	names := make([]string, len(client.Codes))
	for i, c := range client.Codes {
		names[i] = string(c)
	}
	return names
}

// signalResult is what became of a signal. The codes of client.Codes follow.
type signalResult int

const (
	signalDelivered signalResult = iota
	signalNotInRoom
	signalTargetNotFound
	signalErrors
)

// receivedSignal is what became of a signal of another gateway.
type receivedSignal int

const (
	receivedDelivered receivedSignal = iota
	receivedRefused
	receivedRepeated // it came before
	receivedEarly    // something before it is missing; it comes again
	receivedOverflow // too many are held; it comes again
)

// delivered is an event that goes to members without their asking.
type delivered int

const (
	deliveredJoined delivered = iota
	deliveredLeft
	deliveredClosed
	deliveredOwner
	deliveredUpdated
)

// cause is why a room is repaired or a partition announced.
type cause int

// The causes of repairs.
const (
	causeGap    cause = iota // an event came that is not the next one
	causeDigest              // the owner's digest names a newer version
	causeStale               // a correction was overtaken by an event
	causeLeave               // a leave was answered without its event
	causeHeld                // a signal waits for news that does not come
	causeAnswer              // a kick or an update was answered without its event
)

// The causes of announcements.
const (
	causePeriodic   cause = iota
	causeConnection       // the connection to NATS was away, or dropped messages
	causeResync           // an owner asked
	causeEpoch            // the partition has a new owner
	causeUnanswered       // no correction came in time
	causeDoubt            // it is not known whether a command was applied
)

var (
	durationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 2.5, 5}
	sizeBuckets     = []float64{128, 512, 2048, 8192, 32768, 131072}
	fanOutBuckets   = []float64{1, 2, 4, 8, 16, 64, 256, 1024}
)

const subsystem = "gateway"

// NewMetrics registers a hub's metrics; those that CollectFrom adds come later.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{}
	m.registerCommands(reg)
	m.registerSignals(reg)
	m.events = metrics.Counters(reg, counter("events_delivered_total", "Events that were queued for members, one for each member."),
		"event", client.ClientJoinedName, client.ClientLeftName, client.RoomLeftName, client.OwnerChangedName, client.RoomUpdatedName)
	m.resumed = metrics.Counters(reg, counter("sessions_resumed_total",
		"Clients that came back for their sessions, by where these were or why they were not resumed."), "result", resumptions...)
	m.fanOut = histogram(reg, "event_fanout_clients", "Clients of this gateway that an event went to.", fanOutBuckets)
	m.repairs = metrics.Counters(reg, counter("repairs_total", "Rooms about which something was missed and the owner asked, by how that was seen."),
		"cause", "gap", "digest", "stale", "leave", "held-signal", "answer")
	m.announcements = metrics.Counters(reg, counter("announcements_total", "Announcements of all members in a partition to its owner, by cause."),
		"cause", "periodic", "connection", "resync", "new-epoch", "unanswered", "doubt")
	m.negotiations = newNegotiationMetrics(reg)
	return m
}

// timed are the commands that the rooms service answers.
var timed = []client.Op{client.RoomCreate, client.RoomJoin, client.RoomLeave, client.RoomUpdate, client.RoomKick}

func names(ops []client.Op) []string {
	s := make([]string, len(ops))
	for i, op := range ops {
		s[i] = op.String()
	}
	return s
}

func (m *Metrics) registerCommands(reg prometheus.Registerer) {
	total := prometheus.NewCounterVec(counter("commands_total",
		"Commands by what they were answered, errors by their code. Signals are counted apart. refused is what the door refused itself."),
		[]string{"command", "answer"})
	reg.MustRegister(total)
	for _, code := range codes() {
		m.commands[0] = append(m.commands[0], total.WithLabelValues("refused", code))
	}
	took := metrics.Histograms(reg, prometheus.HistogramOpts{
		Namespace: metrics.Namespace, Subsystem: subsystem, Name: "command_duration_seconds",
		Help: "Time from a command's arrival to its answer, the wait behind others of its client included.", Buckets: durationBuckets,
	}, "command", names(timed)...)
	for i, op := range timed {
		m.commands[op] = make([]prometheus.Counter, len(answers)+len(client.Codes))
		for j, answer := range slices.Concat(answers, codes()) {
			if j >= len(answers) || slices.Contains(client.Commands[op-1].Answers, answer) {
				m.commands[op][j] = total.WithLabelValues(op.String(), answer)
			}
		}
		m.took[op] = took[i]
	}
	m.retries = prometheus.NewCounter(counter("command_retries_total", "Commands that were sent to the rooms service again."))
	m.paced = prometheus.NewCounter(counter("paced_total", "Times that a client was not read because too many of its commands were unanswered."))
	reg.MustRegister(m.retries, m.paced)
}

func (m *Metrics) registerSignals(reg prometheus.Registerer) {
	total := prometheus.NewCounterVec(counter("signals_total",
		"Signals of this gateway's clients by what became of them, errors by their code; remote are those to other gateways."),
		[]string{"route", "result"})
	reg.MustRegister(total)
	for _, result := range slices.Concat([]string{"delivered", client.NotInRoomName, client.TargetNotFoundName}, codes()) {
		m.local = append(m.local, total.WithLabelValues("local", result))
		m.remote = append(m.remote, total.WithLabelValues("remote", result))
	}
	m.received = metrics.Counters(reg, counter("signals_received_total", "Signals from other gateways by what became of them here."),
		"result", "delivered", "refused", "repeated", "early", "overflow")
	m.signalSize = histogram(reg, "signal_size_bytes", "Size of the data of clients' signals.", sizeBuckets)
	m.acknowledged = histogram(reg, "signal_acknowledge_duration_seconds",
		"Time from a signal's arrival to the other gateway's word that it was delivered, which collects signals for 20 ms.", durationBuckets)
}

func counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: metrics.Namespace, Subsystem: subsystem, Name: name, Help: help}
}

func histogram(reg prometheus.Registerer, name, help string, buckets []float64) prometheus.Observer {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: metrics.Namespace, Subsystem: subsystem, Name: name, Help: help, Buckets: buckets,
	})
	reg.MustRegister(h)
	return h
}

// answered counts the answer to a command of a client.
func (m *Metrics) answered(op client.Op, e client.Event, took time.Duration) {
	if int(op) >= len(m.took) || m.took[op] == nil {
		return
	}
	if c := m.commands[op][answerOf(e)]; c != nil {
		c.Inc()
	} else { // a leave whose room was closed meanwhile, and the like: an answer that the table does not have
		m.commands[op][len(answers)+codeOf(client.Internal)].Inc()
	}
	m.took[op].Observe(took.Seconds())
}

// refused counts what a door has refused.
func (m *Metrics) refused(e *client.Error) { m.commands[0][codeOf(e.Code)].Inc() }

// refusedSignal is the result of a signal that was answered with an event.
func refusedSignal(e client.Event) signalResult {
	switch e := e.(type) {
	case *client.NotInRoom:
		return signalNotInRoom
	case *client.TargetNotFound:
		return signalTargetNotFound
	case *client.Error:
		return signalErrors + signalResult(codeOf(e.Code))
	}
	return signalErrors + signalResult(codeOf(client.Internal))
}

// delivered counts an event that was queued for n members.
func (m *Metrics) delivered(what delivered, n int) {
	if n > 0 {
		m.events[what].Add(float64(n))
		m.fanOut.Observe(float64(n))
	}
}
