package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"signalling/api/client"
)

// payload is a signal's data of about n bytes. A stamp in front says when it should have been sent, in ns.
func payload(n int, stamp int64) []byte {
	head := `{"t":"` + fmt.Sprintf("%020d", stamp) + `","sdp":"`
	return append([]byte(head+strings.Repeat("x", max(n-len(head)-2, 0))), `"}`...)
}

var stampMark = []byte(`"t":"`)

// stampOf reads the stamp of an event that carries a payload.
func stampOf(args []byte) (int64, bool) {
	i := bytes.Index(args, stampMark)
	if i < 0 || len(args) < i+len(stampMark)+20 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(args[i+len(stampMark):i+len(stampMark)+20]), 10, 64)
	return n, err == nil
}

// window is how many signals each sender has on their way in closed loop.
const window = 8

// relay measures signals between pairs: at a rate (open loop, latency counted from when a signal was due), or as fast as
// they come back (closed loop).
func relay(ctx context.Context, l *load) (r Result, err error) {
	pairs := l.clients / 2
	type pair struct {
		got   chan struct{}
		mu    sync.Mutex
		times *hdrhistogram.Histogram
	}
	all := make([]pair, pairs)
	var received atomic.Int64
	peers, err := l.open(ctx, 2*pairs, func(i int, p *peer) {
		pr := &all[i/2]
		if i%2 == 0 {
			pr.got, pr.times = make(chan struct{}, window), newHistogram()
			return
		}
		p.on = func(name string, args []byte) {
			if name != client.SignalReceiveName {
				return
			}
			received.Add(1)
			if t, ok := stampOf(args); ok {
				pr.mu.Lock()
				_ = pr.times.RecordValue(max(1, (time.Now().UnixNano()-t)/1000))
				pr.mu.Unlock()
			}
			select {
			case pr.got <- struct{}{}:
			default:
			}
		}
	})
	defer closeAll(peers)
	if err != nil {
		return r, err
	}
	if err = l.gather(ctx, peers, 2); err != nil {
		return r, err
	}
	before, err := measure(l.pids)
	if err != nil {
		return r, err
	}
	defer l.watch("signals", &received)()
	began := time.Now()
	err = l.send(ctx, peers, func(i int) <-chan struct{} { return all[i].got }, began)
	took := time.Since(began)
	after, merr := measure(l.pids)
	if err == nil {
		err = merr
	}
	r.set(received.Load(), took, before, after)
	r.Unit = "signals"
	sum := newHistogram()
	for i := range all {
		all[i].mu.Lock()
		sum.Merge(all[i].times)
		all[i].mu.Unlock()
	}
	r.Latency = latencyOf(sum)
	return r, err
}

// send lets each pair's first client send to its second until the time is over.
func (l *load) send(ctx context.Context, peers []*peer, got func(i int) <-chan struct{}, began time.Time) error {
	if l.rate > 0 {
		return l.sendAtRate(ctx, peers, began)
	}
	pairs := len(peers) / 2
	errs := make(chan error, pairs)
	for i := range pairs {
		go func() { errs <- l.sendPair(ctx, peers[2*i], peers[2*i+1], got(i), began) }()
	}
	var err error
	for range pairs {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}

// sendPair sends as fast as signals arrive.
func (l *load) sendPair(ctx context.Context, from, to *peer, got <-chan struct{}, began time.Time) error {
	c := client.Command{Op: client.SignalSend, Room: []byte(from.room), TargetID: []byte(to.id)}
	end := began.Add(l.duration)
	for sent := 0; time.Now().Before(end) && ctx.Err() == nil; sent++ {
		if sent >= window {
			select {
			case <-got:
			case <-time.After(patience):
				return fmt.Errorf("a signal did not arrive in %s", patience)
			}
		}
		c.Data = payload(l.bytes, time.Now().UnixNano())
		if err := from.send(&c); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sendAtRate lets the pairs send in turn. What is late counts from when it was due. One thread sends for all, because the
// runtime's timers are up to a millisecond late, which would be added to every latency.
func (l *load) sendAtRate(ctx context.Context, peers []*peer, began time.Time) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pairs, end := len(peers)/2, began.Add(l.duration)
	for n := 0; ctx.Err() == nil; n++ {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(l.rate))
		if !due.Before(end) {
			return nil
		}
		doze(time.Until(due))
		from, to := peers[2*(n%pairs)], peers[2*(n%pairs)+1]
		c := client.Command{Op: client.SignalSend, Room: []byte(from.room), TargetID: []byte(to.id)}
		c.Data = payload(l.bytes, due.UnixNano())
		if err := from.send(&c); err != nil {
			return err
		}
	}
	return ctx.Err()
}

const (
	sdpBytes   = 3000
	candidates = 10
	candBytes  = 160
)

// mesh measures calls: rooms in which every pair exchanges an offer, an answer and ten candidates each way, as a mesh of
// WebRTC peers does. An operation is one signal.
func mesh(ctx context.Context, l *load) (r Result, err error) {
	counts := make([]atomic.Int64, l.clients)
	peers, err := l.open(ctx, l.clients-l.clients%l.room, func(i int, p *peer) {
		p.on = func(name string, _ []byte) {
			if name == client.SignalReceiveName {
				counts[i].Add(1)
			}
		}
	})
	defer closeAll(peers)
	if err != nil {
		return r, err
	}
	each := int64((l.room - 1) * (1 + candidates))
	return l.closedLoop(ctx, "signals", len(peers)/l.room, func(ctx context.Context, n int) (int64, error) {
		call, count := peers[n*l.room:(n+1)*l.room], counts[n*l.room:(n+1)*l.room]
		room := l.roomName(int(l.next.Add(1)))
		for i := range count {
			count[i].Store(0)
		}
		if err := meet(ctx, call, room); err != nil {
			return 0, err
		}
		if err := exchange(call, room); err != nil {
			return 0, err
		}
		for i := range count {
			if err := until(ctx, func() bool { return count[i].Load() == each }); err != nil {
				return 0, err
			}
		}
		for _, p := range slices.Backward(call) {
			if err := p.leave(ctx, room); err != nil {
				return 0, err
			}
		}
		return each * int64(l.room), nil
	})
}

func exchange(call []*peer, room string) error {
	sdp, cand := payload(sdpBytes, 0), payload(candBytes, 0)
	for round := range 1 + candidates {
		data := cand
		if round == 0 {
			data = sdp
		}
		for i, from := range call {
			for j, to := range call {
				if i == j {
					continue
				}
				c := client.Command{Op: client.SignalSend, Room: []byte(room), TargetID: []byte(to.id), Data: data}
				if err := from.send(&c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
