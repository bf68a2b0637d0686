package faulttime

import (
	"context"
	"fmt"
	"time"
)

// Row is one fault, done many times.
type Row struct {
	ID string
	// Fault is what is done, and Saw what clients see of it; each run checks that.
	Fault, Saw string
	Measures   []Measure
	// Large: it takes much time and memory, and is only measured when it is asked for.
	Large bool

	run func(ctx context.Context, runs int, note func(...Value)) error
}

// Measure is one time that is taken in each run of a row.
type Measure struct {
	ID, Text string
	// Bound is what is promised, 0 if nothing is.
	Bound time.Duration
}

// Value is what a measure came to in one run.
type Value struct {
	Measure string
	Took    time.Duration
}

const (
	command = "command"
	signal  = "signal"
	others  = "others"
	own     = "own"
	exit    = "exit"
	asked   = "asked"
)

// The promises of CONTRACT.md section 4, or better.
const (
	boundTakeover  = time.Second
	boundHandover  = 100 * time.Millisecond
	boundGateway   = 3 * time.Second
	boundReturn    = 3 * time.Second
	boundNATS      = time.Second
	boundHeartbeat = 45 * time.Second
)

const (
	waited    = "longest wait for an answer"
	signalled = "longest way of a signal"
)

// Rows are all that is measured, in the order of the table.
var Rows = []Row{
	{
		ID: "rooms-kill", Fault: "one of two rooms instances is killed",
		Saw:      "nothing but that commands took longer: all are answered as always, once; nobody is dropped or told anything",
		Measures: []Measure{{command, waited, boundTakeover}, {signal, signalled, 0}},
		run:      roomsRow(killRooms),
	},
	{
		ID: "rooms-stop", Fault: "one of two rooms instances is told to stop (SIGTERM)", Saw: "the same",
		Measures: []Measure{{command, waited, boundHandover}, {signal, signalled, 0}},
		run:      roomsRow(stopRooms),
	},
	{
		ID: "rooms-start", Fault: "a second rooms instance starts, and takes over its share", Saw: "the same",
		Measures: []Measure{{command, waited, boundHandover}, {signal, signalled, 0}},
		run:      startRow,
	},
	{
		ID: "rooms-hang", Fault: "one of two rooms instances hangs (SIGSTOP), later goes on", Saw: "the same",
		Measures: []Measure{{command, waited, 0}, {signal, signalled, 0}},
		run:      roomsRow(hangRooms),
	},
	{
		ID: "rooms-return", Fault: "the only rooms instance is killed; after more than 5 s it is started again",
		Saw:      "commands are answered `unavailable` after 5 s; signals go on; nobody is dropped or told anything",
		Measures: []Measure{{command, "from its start until all commands are answered", boundReturn}, {signal, signalled, 0}},
		run:      returnRow,
	},
	{
		ID: "gateway-kill", Fault: "one of two gateways is killed",
		Saw:      "its clients' connections end; the others get `client-left` or `room-left`, once, and nothing else",
		Measures: []Measure{{others, "until all others were told", boundGateway}},
		run:      gatewayRow(killGateway),
	},
	{
		ID: "gateway-stop", Fault: "one of two gateways is told to stop (SIGTERM)",
		Saw: "the same; its connections end by the book",
		Measures: []Measure{
			{own, "until all its connections have ended", 0},
			{others, "until all others were told", boundGateway},
			{exit, "until the process has ended", 0},
		},
		run: gatewayRow(stopGateway),
	},
	{
		ID: "gateway-resume", Fault: "one of two gateways is killed; sessions are kept (`GATEWAY_RESUME_WINDOW`), and its clients connect to the other one as soon as they notice",
		Saw: "they are who they were, in their rooms; the others are told nothing",
		Measures: []Measure{
			{own, "until all its clients are back with their ids", boundGateway},
			{asked, "until all members of all rooms were asked who is there", 0},
		},
		run: resumeRow,
	},
	{
		ID: "nats-restart", Fault: "NATS is killed, and started again after 1 s; meanwhile members leave",
		Saw: "commands wait; when it is back members are told who has left, once, and nothing else",
		Measures: []Measure{
			{command, "from its return until all commands are answered", boundNATS},
			{others, "from its return until all were told who has left", boundNATS},
		},
		run: restartRow,
	},
	{
		ID: "nats-drop", Fault: "a gateway's connection to NATS breaks, and can be made again at once; meanwhile members of another gateway leave",
		Saw: "the same",
		Measures: []Measure{
			{command, waited, boundNATS}, {others, "until all were told who has left", boundNATS},
		},
		run: dropRow,
	},
	{
		ID: "nats-cut", Fault: "a gateway is cut off from NATS for 8 s",
		Saw: "its members leave for the others; on its return its own clients are told that they are out",
		Measures: []Measure{
			{others, "until all others were told", 0}, {own, "from its return until its own clients were told", boundNATS},
		},
		run: cutRow,
	},
	{
		ID: "client-silent", Fault: "a client's network dies silently",
		Saw:      "the others get `client-left` when its heartbeat has run out (settings: 25 s + 20 s)",
		Measures: []Measure{{others, "until all others were told", boundHeartbeat}},
		run:      silentRow,
	},
	{
		ID: "rebuild", Fault: "100,000 members in 25,000 rooms, on 4,000 connections at two gateways; the only rooms instance is killed and started again",
		Saw: "commands wait; everybody is still in, which each of the 100,000 is asked, and nobody was told anything",
		Measures: []Measure{
			{command, "from its start until commands in all partitions are answered", boundReturn},
			{asked, "then: until all 100,000 members were asked who is there", 0},
		},
		Large: true, run: rebuildRow,
	},
}

// Find returns the row of that id.
func Find(id string) (*Row, bool) {
	for i := range Rows {
		if Rows[i].ID == id {
			return &Rows[i], true
		}
	}
	return nil, false
}

// patience bounds each run: more than anything takes.
const patience = 2 * time.Minute

// Run measures the row. What clients saw and were not to see is an error.
func (r *Row) Run(ctx context.Context, runs int, note func(...Value)) error {
	if err := r.run(ctx, runs, note); err != nil {
		return fmt.Errorf("%s: %w", r.ID, err)
	}
	return nil
}

// each does one run after the other in a world, with everything as before between them.
func each(ctx context.Context, l layout, runs int, once func(ctx context.Context, w *world, i int) error) error {
	building, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	w, err := newWorld(building, l)
	if err != nil {
		return err
	}
	defer w.close()
	before := w.lab.Mark()
	for i := range runs {
		running, cancel := context.WithTimeout(ctx, patience)
		err := once(running, w, i)
		if err == nil {
			err = w.restore(running)
		}
		cancel()
		if err != nil {
			return fmt.Errorf("run %d: %w\n%s", i+1, err, w.lab.Tails(before, 10))
		}
		if problems := w.lab.Problems(before); len(problems) > 0 {
			return fmt.Errorf("run %d: %v", i+1, problems)
		}
	}
	return nil
}
