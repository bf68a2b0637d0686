package rooms

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/pkg/natsbus"
	"signalling/pkg/service"
)

const (
	// operateTimeout bounds an answer to an operator: half of what signalctl waits by default, so that it is heard.
	operateTimeout = 500 * time.Millisecond
	// operateQueue bounds the questions that wait.
	operateQueue = 64
)

// answerOperators answers questions about this instance. Those about rooms are answered by the engine.
func (s *Service) answerOperators(nc *nats.Conn) error {
	for _, subject := range []string{bus.AdminRooms(bus.Ask, bus.Everyone), bus.AdminRooms(bus.Ask, s.instance)} {
		sub, err := nc.Subscribe(subject, func(m *nats.Msg) { s.answerOperator(nc, m) })
		if err == nil {
			err = sub.SetPendingLimits(operateQueue, operateQueue*operate.MaxQuestionBytes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) answerOperator(nc *nats.Conn, m *nats.Msg) {
	if !bus.IsOperatorInbox(m.Reply) {
		s.log.Warn("an operator's request names no inbox of operators", "subject", m.Subject)
		return
	}
	var answer any
	q, fault := operate.Decode(m.Subject, m.Data)
	switch {
	case fault != nil:
		answer = fault
	case q.Op != operate.Status:
		answer = operate.Errorf(operate.UnknownOp, "a rooms instance does not know %q", q.Op)
	default:
		ctx, cancel := context.WithTimeout(context.Background(), operateTimeout)
		defer cancel()
		status, err := s.Status(ctx)
		if answer = status; err != nil {
			answer = operate.Errorf(operate.Failed, "%v", err)
		}
	}
	if err := nc.Publish(m.Reply, operate.EncodeAnswer(s.instance, answer, nc.MaxPayload())); err != nil {
		s.log.Debug("an operator was not answered", "error", err)
	}
}

// Status is what this instance has, for operators. It fails when ctx ends first, and when the service does not run.
func (s *Service) Status(ctx context.Context) (*operate.Instance, error) {
	nc := s.nc.Load()
	if nc == nil {
		return nil, ErrNotRunning
	}
	stats, err := s.engine.Stats(ctx)
	if err != nil {
		return nil, err
	}
	i := &operate.Instance{
		Process: operate.Process{
			ID: s.instance, Protocol: bus.ProtocolVersion, NATS: natsbus.Server(nc, s.opts.InProcess != nil), Runtime: operate.Runtime(service.Self()),
		},
		Ownership: string(s.cfg.Ownership), Rooms: stats.Rooms, Members: stats.Members, Partitions: append([]operate.Partition{}, stats.Partitions...),
		Active: stats.Active, Gateways: stats.Heard, Peers: []string{}, Owners: make([]string, bus.Partitions),
		Events: stats.Events, Recoveries: stats.Recoveries, Evictions: stats.Evictions,
	}
	for _, n := range stats.Commands {
		i.Commands += n
	}
	if s.kv != nil {
		view := s.kv.View()
		copy(i.Owners, view.Owners[:])
		i.Peers = append(i.Peers, view.Peers...)
	}
	for _, p := range stats.Partitions {
		i.Owners[p.Partition] = s.instance
	}
	return i, nil
}

// Live adds what this instance has to a page: its state, and rooms that the question asks for.
func (s *Service) Live(ctx context.Context, q operate.Question, page *operate.Live) error {
	ctx, cancel := context.WithTimeout(ctx, operateTimeout)
	defer cancel()
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	list, room, err := s.engine.Look(ctx, q)
	if err != nil {
		return err
	}
	page.Instance, page.Rooms, page.Room = status, &list, room
	return nil
}
