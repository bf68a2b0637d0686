package storm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/check"
)

// Config describes a storm.
type Config struct {
	// Seed decides what each client does. When it does so, and hence what comes of it, differs from run to run.
	Seed uint64
	// Clients act at once, in the Rooms, and make Steps each; negative: until Run is told to stop.
	Clients, Rooms, Steps int
	// Think is the mean time between two steps of a client.
	Think time.Duration
	// SocketIO is how many of the clients use the Socket.IO door.
	SocketIO int
	// Pipeline is how many commands of a client may wait for their answers at once.
	Pipeline int
	// Drops is how many steps of a thousand end with the loss of the connection.
	Drops int
	// Prefix begins the names of the rooms.
	Prefix string
	// URL is where the i-th client connects.
	URL func(i int) (string, error)
	// Tolerate, if set, says which errors of the server are expected, because of a fault.
	Tolerate func(*client.Error) bool
	// TolerateEnds says that connections may end by faults.
	TolerateEnds bool
	// Resume has clients take up their sessions after the loss of a connection, which then is most of the Drops. The server
	// keeps sessions for Window.
	Resume bool
	Window time.Duration
	// Forgetful is how many of a hundred attempts to resume end before the answer can have come. Default: 10.
	Forgetful int
	// Gateways is how many there are, for texts.
	Gateways int
	// Mode is how the views are checked.
	Mode check.Mode
}

// Kind is a kind of command.
type Kind string

// The commands that are recorded.
const (
	Create Kind = "create"
	Join   Kind = "join"
	Leave  Kind = "leave"
)

// Result is what came of a command.
type Result string

// The results of a command.
const (
	OK      Result = "ok"
	No      Result = "no"      // the room exists, does not exist, or the client is not in it
	Unknown Result = "unknown" // an error, or no answer
)

// Op is a command, with the times when it was called and returned, since the beginning.
type Op struct {
	Client string
	Kind   Kind
	Room   string
	Result Result

	Call, Return time.Duration
}

// Storm is a running or finished storm. It must be closed.
type Storm struct {
	cfg       Config
	rooms     []string
	start     time.Time
	recorders sync.WaitGroup
	changes   chan struct{} // has room for one: somebody has seen something

	mu           sync.Mutex // guards what follows
	participants []*participant
	ops          []Op
	waiting      map[*Op]struct{} // for their answers
	errs         []string
	hurt, doubt  Excuse
}

// Sessions gives the storm what excuses the end of a session that was in no room, because hurt says that something happened to a
// gateway that can have taken what it alone knew of its sessions, or of one that was not found in time.
func (s *Storm) Sessions(hurt, doubt Excuse) { s.hurt, s.doubt = hurt, doubt }

// New prepares a storm.
func New(cfg Config) *Storm {
	s := &Storm{cfg: cfg, start: time.Now(), changes: make(chan struct{}, 1), waiting: map[*Op]struct{}{}}
	for i := range cfg.Rooms {
		s.rooms = append(s.rooms, fmt.Sprintf("%s%d", cfg.Prefix, i))
	}
	return s
}

// Run lets all clients act, and returns when each has made its steps, or soon after stop is closed. The end of ctx is an
// error.
func (s *Storm) Run(ctx context.Context, stop <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, s.cfg.Clients)
	var all sync.WaitGroup
	for i := range s.cfg.Clients {
		a := &actor{storm: s, n: i, rng: rand.New(rand.NewPCG(s.cfg.Seed, uint64(i)))} //nolint:gosec // G404: to be repeated
		all.Go(func() {
			if errs[i] = a.act(ctx, stop); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Close ends all connections.
func (s *Storm) Close() {
	var all sync.WaitGroup
	for _, p := range s.all() {
		all.Go(p.leave)
	}
	all.Wait()
	s.recorders.Wait()
}

func (s *Storm) all() []*participant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*participant(nil), s.participants...)
}

// Start is when the storm began: the times in its records are since then.
func (s *Storm) Start() time.Time { return s.start }

// NoExcuse is for a time without faults.
func NoExcuse(int, string, time.Duration, time.Duration) (time.Duration, bool) { return 0, false }

// Ops are the commands that were carried out.
func (s *Storm) Ops() []Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Op(nil), s.ops...)
}

// Waiting are the commands that have no answer yet.
func (s *Storm) Waiting() (all []Op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for op := range s.waiting {
		all = append(all, *op)
	}
	return all
}

// Histories are the records of all clients so far.
func (s *Storm) Histories() (all []check.History) {
	for _, p := range s.all() {
		all = append(all, p.snapshot())
	}
	return all
}

// Problems are errors that no client should have met, and ends of connections without an excuse.
func (s *Storm) Problems(excuse Excuse) []string {
	s.mu.Lock()
	problems := append([]string(nil), s.errs...)
	s.mu.Unlock()
	for _, p := range s.all() {
		if !p.over() || p.left.Load() != 0 {
			continue
		}
		if p.lasting != nil {
			problems = append(problems, p.lost(excuse)...)
			continue
		}
		if _, ok := excuse(p.gateway, "", 0, p.endedAt()); !ok {
			problems = append(problems, fmt.Sprintf("%s: the connection ended without a cause: %v", p.ID(), p.Err()))
		}
	}
	return problems
}

// Settle waits until the clients' views agree with each other, and then asks the server: each member joins each of its
// rooms again, and is answered with what it knows; a room without members does not exist. It returns what does not fit
// when ctx ends.
func (s *Storm) Settle(ctx context.Context) error {
	for {
		violations := check.Quiescent(s.Histories(), s.cfg.Mode)
		if len(violations) == 0 {
			break
		}
		select {
		case <-s.changes:
		case <-ctx.Done():
			return fmt.Errorf("the views do not agree:\n%s", strings.Join(violations, "\n"))
		}
	}
	return s.ask(ctx)
}

// ask lets the server say again what the clients know. A client's own record shows whether it fits.
func (s *Storm) ask(ctx context.Context) error {
	inhabited := map[string]bool{}
	for _, p := range s.all() {
		stints, _ := check.Fold(p.snapshot(), s.cfg.Mode)
		for _, stint := range stints {
			if stint.End != check.Open {
				continue
			}
			inhabited[stint.Room] = true
			if err := p.insist(ctx, func() error { return p.Join(ctx, stint.Room) }); err != nil {
				return fmt.Errorf("%s asks for room %q, where it is a member: %w", p.ID(), stint.Room, err)
			}
		}
	}
	probe, err := s.connect(ctx, 0, false)
	if err != nil {
		return err
	}
	for _, room := range s.rooms {
		if inhabited[room] {
			continue
		}
		if err := probe.Join(ctx, room); !errors.Is(err, client.ErrRoomNotExists) {
			return fmt.Errorf("room %q has no members, and a join returns %w", room, err)
		}
	}
	return nil
}
