package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/api/operate"
)

// An operator's test signal takes the way of all signals: clients without a connection, one at each of two gateways, meet in
// a room of their own. The one opens the room, the other joins it and sends back what it gets, then the first sends.

const (
	// probeLife is how long a client of a test stays if nobody goes on with it.
	probeLife = 10 * time.Second
	// maxProbes bounds the clients of tests at a gateway.
	maxProbes = 8
	// probeQueue bounds what waits for one of them; more is lost.
	probeQueue = 64
	// probePrefix begins the names of their rooms, which nobody can guess.
	probePrefix = "signalctl test "
)

// probe is a client of a test.
type probe struct {
	s    *Session
	room string
	in   chan heard
	end  *time.Timer
}

// heard is something that the hub has told it: one of an event, a signal, and the word that its own signal has arrived.
type heard struct {
	at        time.Time
	event     client.Event
	sender    string
	data      []byte
	delivered []byte
	closed    bool
}

func (p *probe) hear(h heard) {
	h.at = time.Now()
	select {
	case p.in <- h:
	default:
	}
}

// Deliver implements Conn.
func (p *probe) Deliver(b *Broadcast) { p.hear(heard{event: b.Event}) }

// Answer implements Conn.
func (p *probe) Answer(_ []byte, e client.Event) { p.hear(heard{event: e}) }

// Delivered implements Conn.
func (p *probe) Delivered(ref []byte) { p.hear(heard{delivered: bytes.Clone(ref)}) }

// Signal implements Conn.
func (p *probe) Signal(_, sender string, data []byte) {
	p.hear(heard{sender: strings.Clone(sender), data: bytes.Clone(data)})
}

// Flush implements Conn.
func (p *probe) Flush() {}

// Pending implements Conn.
func (p *probe) Pending() (frames, bytes int) { return 0, 0 }

// Close implements Conn.
func (p *probe) Close(client.CloseCode) { p.hear(heard{closed: true}) }

// do sends a command of the client. The reference makes signals answered.
func (p *probe) do(c client.Command, ref string) {
	c.Room = []byte(p.room)
	p.s.Handle(&c, []byte(ref))
	p.s.Flush()
}

// await waits until something is heard that done recognises.
func (p *probe) await(ctx context.Context, what string, done func(*heard) bool) (time.Time, error) {
	for {
		select {
		case h := <-p.in:
			if failure := h.failure(); failure != "" {
				return h.at, operate.Errorf(operate.Failed, "%s: %s", what, failure)
			}
			if done(&h) {
				return h.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, operate.Errorf(operate.Failed, "%s: no answer came in time", what)
		}
	}
}

// failure says what went wrong, for people; "" if nothing did.
func (h *heard) failure() string {
	if h.closed {
		return "the gateway sends its clients away"
	}
	switch e := h.event.(type) {
	case *client.Error:
		return e.Message
	case *client.TargetNotFound:
		return "the other gateway's client is not in the room any more"
	case *client.NotInRoom, *client.RoomNotExists:
		return "the room has ended"
	}
	return ""
}

// enterProbe makes a client and lets it create or join the room.
func (h *Hub) enterProbe(ctx context.Context, op client.Op, room string) (*probe, operate.Probe, error) {
	p := &probe{room: room, in: make(chan heard, probeQueue)}
	p.s = h.Connect(bus.NewClientID(), "", p)
	start := time.Now()
	p.do(client.Command{Op: op}, "enter")
	at, err := p.await(ctx, op.String(), func(h *heard) bool {
		switch h.event.(type) {
		case *client.RoomCreated, *client.RoomJoined:
			return true
		}
		return false
	})
	if err != nil {
		p.s.End()
		return nil, operate.Probe{}, err
	}
	return p, operate.Probe{Room: room, Client: p.s.id, Entered: micros(at.Sub(start))}, nil
}

// OpenProbe makes a client that opens a room, and waits for RunProbe.
func (h *Hub) OpenProbe(ctx context.Context) (operate.Probe, error) {
	p, answer, err := h.enterProbe(ctx, client.RoomCreate, probePrefix+bus.NewClientID())
	if err != nil {
		return answer, err
	}
	if !h.keepProbe(p) {
		p.s.End()
		return operate.Probe{}, errManyProbes
	}
	return answer, nil
}

var errManyProbes = operate.Errorf(operate.Busy, "there are too many tests at once")

// keepProbe lets it wait for RunProbe. It returns false if too many do, and when the gateway sends its clients away.
func (h *Hub) keepProbe(p *probe) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped || h.closing != 0 || len(h.probes) >= maxProbes {
		return false
	}
	h.probes[p.room] = p
	p.end = time.AfterFunc(probeLife, func() {
		if h.takeProbe(p.room) != nil {
			p.s.End()
		}
	})
	return true
}

func (h *Hub) takeProbe(room string) *probe {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.probes[room]
	delete(h.probes, room)
	return p
}

// endProbes ends those that wait.
func (h *Hub) endProbes() {
	for _, p := range h.takeProbes() {
		p.s.End()
	}
}

// takeProbes takes all that wait. They are the caller's to end, as long as the hub works.
func (h *Hub) takeProbes() (all []*probe) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for room, p := range h.probes {
		p.end.Stop()
		delete(h.probes, room)
		all = append(all, p)
	}
	return all
}

// EchoProbe makes a client that joins a room and sends signals back until the room ends or its time is over.
func (h *Hub) EchoProbe(ctx context.Context, room string) (operate.Probe, error) {
	if !strings.HasPrefix(room, probePrefix) {
		return operate.Probe{}, operate.Errorf(operate.BadRequest, "this is no room of a test")
	}
	h.mu.Lock()
	if h.stopped || h.echoes >= maxProbes {
		h.mu.Unlock()
		return operate.Probe{}, errManyProbes
	}
	h.echoes++
	h.wg.Add(1) // before Stop waits
	h.mu.Unlock()
	p, answer, err := h.enterProbe(ctx, client.RoomJoin, room)
	go func() {
		defer h.wg.Done()
		if err == nil {
			p.echo(h.ctx)
		}
		h.mu.Lock()
		h.echoes--
		h.mu.Unlock()
	}()
	return answer, err
}

// echoed is the data of a test's signals.
type echoed struct {
	N int `json:"n"`
	// At is how long it was at the client that sends it back, in microseconds.
	At float64 `json:"at,omitempty"`
}

// echo sends signals back.
func (p *probe) echo(ctx context.Context) {
	defer p.s.End()
	ctx, cancel := context.WithTimeout(ctx, probeLife)
	defer cancel()
	for {
		select {
		case h := <-p.in:
			if _, left := h.event.(*client.RoomLeft); left || h.closed {
				return
			}
			var e echoed
			if h.data == nil || json.Unmarshal(h.data, &e) != nil {
				continue
			}
			e.At = micros(time.Since(h.at))
			data, err := json.Marshal(e)
			if err != nil {
				return
			}
			p.do(client.Command{Op: client.SignalSend, TargetID: []byte(h.sender), Data: data}, "")
		case <-ctx.Done():
			return
		}
	}
}

// RunProbe sends count signals from the client that OpenProbe made to a client that sends them back, and ends the test.
func (h *Hub) RunProbe(ctx context.Context, room, target string, count int) (operate.Probe, error) {
	p := h.takeProbe(room)
	if p == nil {
		return operate.Probe{}, operate.Errorf(operate.NotFound, "there is no such test; it may have run out of time")
	}
	p.end.Stop()
	defer p.s.End()
	answer := operate.Probe{Room: room, Client: p.s.id}
	_, err := p.await(ctx, "the news that the other gateway's client has joined", func(h *heard) bool {
		e, ok := h.event.(*client.ClientJoined)
		return ok && e.ClientID == target
	})
	for n := 1; err == nil && n <= count; n++ {
		var e operate.Echo
		if e, err = p.signal(ctx, target, n); err == nil {
			answer.Signals = append(answer.Signals, e)
		}
	}
	if err != nil {
		return answer, err
	}
	start := time.Now()
	p.do(client.Command{Op: client.RoomLeave}, "leave")
	at, err := p.await(ctx, "leaving", func(h *heard) bool { _, ok := h.event.(*client.RoomLeft); return ok })
	answer.Left = micros(at.Sub(start))
	return answer, err
}

// signal sends the n-th signal and waits until it is acknowledged and back.
func (p *probe) signal(ctx context.Context, target string, n int) (e operate.Echo, err error) {
	data, err := json.Marshal(echoed{N: n})
	if err != nil {
		return e, err
	}
	start := time.Now()
	p.do(client.Command{Op: client.SignalSend, TargetID: []byte(target), Data: data}, "signal")
	back, acknowledged := false, false
	_, err = p.await(ctx, "a signal", func(h *heard) bool {
		var got echoed
		if h.delivered != nil {
			acknowledged, e.Acknowledged = true, micros(h.at.Sub(start))
		} else if h.sender == target && json.Unmarshal(h.data, &got) == nil && got.N == n {
			back, e.RoundTrip, e.At = true, micros(h.at.Sub(start)), got.At
		}
		return back && acknowledged
	})
	return e, err
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
