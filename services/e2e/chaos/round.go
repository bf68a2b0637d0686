package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/check"
	"signalling/services/e2e/linear"
	"signalling/services/e2e/storm"
)

// Round describes one storm with its faults.
type Round struct {
	Seed uint64
	// Duration is how long faults are injected.
	Duration time.Duration
	// Pause is the mean time between two faults.
	Pause time.Duration
	// Faults are the names of those that are injected; none means all.
	Faults []string
	// Plan, if set, is what is done instead, one after the other, and then nothing for a Pause.
	Plan []Step
	// Patience bounds the time until all is well again; 0 means far more than the contract allows, because a violation
	// shows in what is never well again. The time that it took is in the Result.
	Patience time.Duration
	// Clients act in Rooms; SocketIO of them use that door.
	Clients, SocketIO, Rooms int
	// Resume has clients lose their connections more often, and take up their sessions. The world must be one with Sessions.
	Resume bool
	// Forgetful is as in storm.Config.
	Forgetful int
}

// Window is how long the gateways of a world with Sessions keep them.
const Window = 20 * time.Second

// Sessions is the environment of a world whose clients can resume their sessions.
func Sessions() []string {
	return []string{
		fmt.Sprintf("GATEWAY_RESUME_WINDOW=%v", Window), "GATEWAY_RESUME_SECRET=a secret of the fault laboratory only",
	}
}

// Step is a fault at a place of chance.
type Step struct {
	Fault string
	// After is the time since the end of the step before.
	After, Lasting time.Duration
}

// Result is what came of a round.
type Result struct {
	Violations []string
	Incidents  []*Incident
	// Evidence is everything that was recorded about rooms with an impossible history.
	Evidence string
	// Start is when the storm began.
	Start time.Time
	// Settled is how long after the end of all faults everything was as it must be.
	Settled time.Duration
	// What there was to check.
	Connections, Commands, Unknown int
	// Resumed is how often a session was taken up, Missed how often with the word that something is lost, and Lost how many
	// sessions were lost.
	Resumed, Missed, Lost int
	// Undecided are the rooms whose operations could have come about in too many ways to follow them all: nothing is known
	// of their order. All else about them was checked.
	Undecided int
}

const defaultPatience = 90 * time.Second

// Run runs the round in a world where all is well.
func (r Round) Run(ctx context.Context, w *World) (*Result, error) {
	some, err := chosen(r.Faults)
	if err != nil {
		return nil, err
	}
	inject := &injector{world: w, faults: some, pause: r.Pause, plan: r.Plan, rng: rand.New(rand.NewPCG(r.Seed, 0))} //nolint:gosec // G404: to be repeated
	before := w.mark()
	s := storm.New(r.storm(w))
	ended := true
	defer func() {
		if ended {
			s.Close()
		}
	}()
	result := &Result{Start: s.Start()}

	stop, ran := make(chan struct{}), make(chan error, 1)
	go func() { ran <- s.Run(ctx, stop) }()
	faulty, cancel := context.WithTimeout(ctx, r.Duration)
	injected := inject.run(faulty)
	cancel()
	result.Incidents = inject.incidents
	healed := time.Now()
	if injected != nil {
		result.Violations = append(result.Violations, injected.Error())
	}
	restoring, cancel := context.WithTimeout(ctx, defaultPatience)
	restored := w.Restore(restoring)
	cancel()
	close(stop)
	select {
	case err = <-ran:
	case <-time.After(defaultPatience):
		ended = false // nor would Close end
		err = fmt.Errorf("the clients do not stop; without an answer are %+v", s.Waiting())
		result.Evidence = goroutines() + records(s.Histories())
	}
	if err := errors.Join(restored, err); err != nil {
		return result, err
	}
	settling, cancel := context.WithTimeout(ctx, cmp.Or(r.Patience, defaultPatience))
	defer cancel()
	if err := errors.Join(s.Settle(settling), w.owners(settling)); err != nil {
		result.Violations = append(result.Violations, err.Error())
	}
	result.Settled = time.Since(healed)
	excuse := inject.excuse(s.Start(), len(w.Gateways))
	if r.Resume {
		taken, err := w.takeovers(before)
		if err != nil {
			return result, err
		}
		s.Sessions(inject.hurt(s.Start(), len(w.Gateways)), inject.excuseDoubt(s.Start(), len(w.Gateways)))
		excuse = inject.excuseSessions(s.Start(), len(w.Gateways), taken)
	}
	result.judge(s, excuse)
	return result, nil
}

// storm is what the clients do.
func (r Round) storm(w *World) storm.Config {
	config := storm.Config{
		Seed: r.Seed, Clients: r.Clients, SocketIO: r.SocketIO, Rooms: r.Rooms, Steps: -1, Think: 60 * time.Millisecond,
		Pipeline: 3, Drops: 5, Prefix: fmt.Sprintf("%d/", r.Seed), URL: w.URL, TolerateEnds: true, Mode: check.Revived,
		Tolerate: func(e *client.Error) bool { return e.Code == client.Unavailable }, Gateways: len(w.Gateways),
	}
	if r.Resume {
		config.Resume, config.Window, config.Drops, config.Forgetful = true, Window, 20, r.Forgetful
	}
	return config
}

// goroutines tells what everything waits for.
func goroutines() string {
	var b strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1) // to memory
	return b.String()
}

// judge checks the records of a storm that is over.
func (r *Result) judge(s *storm.Storm, excuse storm.Excuse) {
	r.Violations = append(r.Violations, s.Problems(excuse)...)
	r.Violations = append(r.Violations, s.Broken(excuse)...)
	r.Resumed, r.Missed, r.Lost = s.Resumptions()
	all := s.Histories()
	r.Connections = len(all)
	for _, h := range all {
		_, violations := check.Fold(h, check.Revived)
		r.Violations = append(r.Violations, violations...)
	}
	for _, op := range s.Ops() {
		r.Commands++
		if op.Result == storm.Unknown {
			r.Unknown++
		}
	}
	for room, ops := range s.Linear(excuse) {
		ops, revivals := parted(ops)
		switch decide(ops, revivals) {
		case linear.Possible:
		case linear.Undecided:
			r.Undecided++
		case linear.Impossible:
			r.Violations = append(r.Violations, impossible(room, linear.Shorten(ops)))
			r.Evidence += evidence(room, ops, all)
		}
	}
	slices.Sort(r.Violations)
	if len(r.Violations) > 0 {
		r.Evidence += records(all)
	}
}

// records tells all that the clients saw.
func records(all []check.History) string {
	var b strings.Builder
	for _, h := range all {
		fmt.Fprintf(&b, "\n%s\n%s", h.Client, h.All())
	}
	return b.String()
}

// parted takes apart what must have happened and what may have: owners who were given up and have come back, by client.
func parted(all []linear.Op) (ops []linear.Op, revivals [][]linear.Op) {
	maybe := map[string][]linear.Op{}
	for _, op := range all {
		if op.Result == linear.Maybe {
			maybe[op.Client] = append(maybe[op.Client], op)
		} else {
			ops = append(ops, op)
		}
	}
	return ops, slices.Collect(maps.Values(maybe))
}

// maxPairs is how many revivals are tried in pairs.
const maxPairs = 10

// decide looks for an explanation without any revival, and then with that of one or two owners: there are far more that
// could have been than were, and to follow them all takes too long.
func decide(ops []linear.Op, revivals [][]linear.Op) linear.Verdict {
	verdict := linear.Check(ops)
	for i := 0; i < len(revivals) && verdict == linear.Impossible; i++ {
		verdict = linear.Check(slices.Concat(ops, revivals[i]))
	}
	for i := 0; i < min(len(revivals), maxPairs) && verdict == linear.Impossible; i++ {
		for j := 0; j < i && verdict == linear.Impossible; j++ {
			verdict = linear.Check(slices.Concat(ops, revivals[i], revivals[j]))
		}
	}
	return verdict
}

// shown is how many operations of an impossible history are printed: the last ones are what could not be.
const shown = 40

func impossible(room string, ops []linear.Op) string {
	var b strings.Builder
	fmt.Fprintf(&b, "room %q: no order of the first %d operations explains what came of them; the last are", room, len(ops))
	for _, op := range ops[max(0, len(ops)-shown):] {
		fmt.Fprintf(&b, "\n  %s", op)
	}
	return b.String()
}

// evidence tells all that is known about a room.
func evidence(room string, ops []linear.Op, all []check.History) string {
	var b strings.Builder
	fmt.Fprintf(&b, "room %q: operations\n", room)
	slices.SortStableFunc(ops, func(a, b linear.Op) int { return cmp.Compare(a.Call, b.Call) })
	for _, op := range ops {
		fmt.Fprintf(&b, "%s\n", op)
	}
	for _, h := range all {
		fmt.Fprintf(&b, "\n%s\n%s", h.Client, h.About(room))
	}
	return b.String()
}

// String describes the result for people: in one line if all was well.
func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d faults, %d connections, %d commands (%d unknown), well after %.1f s",
		len(r.Incidents), r.Connections, r.Commands, r.Unknown, r.Settled.Seconds())
	if r.Resumed > 0 {
		fmt.Fprintf(&b, "; %d sessions resumed, %d with losses, %d lost", r.Resumed, r.Missed, r.Lost)
	}
	if r.Undecided > 0 {
		fmt.Fprintf(&b, ", the order in %d rooms undecided", r.Undecided)
	}
	if len(r.Violations) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "\nfaults, in seconds since the start:")
	for _, i := range r.Incidents {
		fmt.Fprintf(&b, "\n  %7.3f to %7.3f  %s of %s", i.From.Sub(r.Start).Seconds(), i.To.Sub(r.Start).Seconds(), i.Fault, i.Place)
	}
	fmt.Fprintf(&b, "\n%d violations:", len(r.Violations))
	for i, v := range r.Violations {
		if i == maxViolations {
			fmt.Fprintf(&b, "\n  … and %d more", len(r.Violations)-i)
			break
		}
		fmt.Fprintf(&b, "\n- %s", v)
	}
	return b.String()
}

// maxViolations is how many are printed: the others are mostly consequences.
const maxViolations = 12
