package hub

import (
	"context"
	"math/rand/v2"
	"time"

	"signalling/api/client"
)

// maxDrainPause is the longest pause between two clients that are told to go: a few clients need not wait for each other.
const maxDrainPause = 10 * time.Millisecond

// CloseAll is Drain without delay.
func (h *Hub) CloseAll(code client.CloseCode) { h.Drain(h.ctx, code, 0) }

// Drain closes the connections of all clients, one after the other and spread over a time, so that they do not come to the
// other gateways together; and at once those that still come. When ctx ends the rest is closed together.
func (h *Hub) Drain(ctx context.Context, code client.CloseCode, spread time.Duration) {
	h.mu.Lock()
	h.closing = code
	h.mu.Unlock()
	h.endProbes() // nobody waits for a test that nobody goes on with
	h.mu.Lock()
	all := make([]*Session, 0, len(h.sessions))
	for s := range h.sessions {
		all = append(all, s)
	}
	h.mu.Unlock()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] }) // #nosec G404 -- any order
	pause := min(spread/time.Duration(len(all)+1), maxDrainPause)
	timer := time.NewTimer(0)
	defer timer.Stop()
	start := time.Now()
	for i, s := range all {
		jitter := time.Duration(rand.Int64N(int64(pause) + 1)) // #nosec G404 -- jitter
		if wait := time.Until(start.Add(time.Duration(i)*pause + jitter)); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		s.close(code)
	}
}

// awayCheck is how often Away looks.
const awayCheck = 10 * time.Millisecond

// Away waits until the sessions of all clients are at other gateways and have been heard of there, and the other gateways
// know what has become of their signals, or ctx ends.
func (h *Hub) Away(ctx context.Context) {
	every := time.NewTicker(awayCheck)
	defer every.Stop()
	for before := false; ; {
		s := h.Stats()
		now := s.Sessions == 0 && s.Parting == 0 && s.Held == 0 && s.Unacked == 0 && h.links.acknowledged()
		if now && before { // twice, because an acknowledgement may just have been on its way out
			return
		}
		before = now
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}
