package ask

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalling/api/bus"
	"signalling/api/operate"
)

// Hop is a part of a test signal's way, with its time in microseconds.
type Hop struct {
	// Name is one of the constants below.
	Name string `json:"name"`
	// From and To are ids of gateways or rooms instances; From is "signalctl" for our own.
	From string `json:"from"`
	To   string `json:"to"`
	// Micros is the time there and back; the median if there are several, with the shortest and longest.
	Micros float64 `json:"micros"`
	Min    float64 `json:"min,omitempty"`
	Max    float64 `json:"max,omitempty"`
}

// The names of hops.
const (
	HopAsk         = "ask"         // a question to a gateway and its answer
	HopCreate      = "create"      // a gateway's command to the owner of a partition, and its answer
	HopJoin        = "join"        // likewise
	HopSignal      = "signal"      // a signal from gateway to gateway, and one back, without the time at the other end
	HopEcho        = "echo"        // the time at the other end
	HopAcknowledge = "acknowledge" // until the other gateway's word is here that a signal has arrived
	HopLeave       = "leave"       // as create
)

// Test is the outcome of a test signal.
type Test struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Rooms     string `json:"rooms"`
	Partition int    `json:"partition"`
	Signals   int    `json:"signals"`
	Hops      []Hop  `json:"hops"`
}

// ErrTest is wrapped where a test signal has not come through.
var ErrTest = errors.New("the test has failed")

// Probe sends count test signals from one gateway to another one, or the same: a client at each meets the other in a room of
// their own, and the one sends back what it gets. What is measured until something fails is returned with the error, which is
// an ErrTest.
func (c *Client) Probe(ctx context.Context, from, to string, count int) (*Test, error) {
	t := &Test{From: from, To: to, Partition: -1, Hops: []Hop{}}
	if err := c.probe(ctx, t, count); err != nil {
		return t, fmt.Errorf("%w: %w", ErrTest, err)
	}
	return t, nil
}

func (c *Client) probe(ctx context.Context, t *Test, count int) error {
	from, to := t.From, t.To
	gateways := []string{from, to}
	if from == to {
		gateways = gateways[:1]
	}
	for _, g := range gateways {
		if err := c.timeAsk(ctx, t, g); err != nil {
			return err
		}
	}
	var opened, echo, run operate.Probe
	if err := c.Gateway(ctx, bus.Do, from, operate.Question{Op: operate.ProbeOpen}, &opened); err != nil {
		return fmt.Errorf("opening a room at gateway %s: %w", from, err)
	}
	t.Partition = bus.Partition(opened.Room)
	_, owner, err := c.Room(ctx, opened.Room, 1)
	if err != nil {
		return fmt.Errorf("asking for the room at its owner: %w", err)
	}
	t.Rooms = owner
	t.add(HopCreate, from, owner, opened.Entered)
	q := operate.Question{Op: operate.ProbeEcho, Room: opened.Room}
	if err := c.Gateway(ctx, bus.Do, to, q, &echo); err != nil {
		return fmt.Errorf("joining the room at gateway %s: %w", to, err)
	}
	t.add(HopJoin, to, owner, echo.Entered)
	q = operate.Question{Op: operate.ProbeRun, Room: opened.Room, Client: echo.Client, Count: count}
	if err := c.Gateway(ctx, bus.Do, from, q, &run); err != nil {
		return fmt.Errorf("sending from gateway %s to %s: %w", from, to, err)
	}
	t.Signals = len(run.Signals)
	var ways, ats, acks []float64
	for _, e := range run.Signals {
		ways, ats, acks = append(ways, e.RoundTrip-e.At), append(ats, e.At), append(acks, e.Acknowledged)
	}
	t.add(HopSignal, from, to, ways...)
	t.add(HopEcho, to, to, ats...)
	t.add(HopAcknowledge, to, from, acks...)
	t.add(HopLeave, from, owner, run.Left)
	return nil
}

// askTimes is how often a gateway is asked to see how long that takes.
const askTimes = 5

func (c *Client) timeAsk(ctx context.Context, t *Test, gateway string) error {
	var times []float64
	for range askTimes {
		var g operate.Gateway
		start := time.Now()
		if err := c.Gateway(ctx, bus.Ask, gateway, operate.Question{Op: operate.Status}, &g); err != nil {
			return fmt.Errorf("asking gateway %s: %w", gateway, err)
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/1e3)
	}
	t.add(HopAsk, "signalctl", gateway, times...)
	return nil
}

func (t *Test) add(name, from, to string, times ...float64) {
	h := Hop{Name: name, From: from, To: to, Micros: median(times)}
	if len(times) > 1 {
		h.Min, h.Max = slices.Min(times), slices.Max(times)
	}
	t.Hops = append(t.Hops, h)
}

func median(times []float64) float64 {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
