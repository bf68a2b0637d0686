// Package peers lets WebRTC peers meet through the running product. It has no code outside of its tests.
package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"signalling/pkg/client/examples/peer"
	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// Two pion peers through two different gateway processes, and through one: the data channel opens, bytes are exchanged.
func TestTwoPeersOpenADataChannel(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		room := s.Room()
		alice, bob := enter(t, s.URLOf(0), room, "alice"), enter(t, s.URLOf(1), room, "bob")
		exchange(t, next(t, alice), next(t, bob))
	})
}

// Each with each of four: who comes later makes the offer, so nobody offers twice.
func TestFourPeersReachEachOther(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		room := s.Room()
		var all []*peer.Peer
		for i := range 4 {
			all = append(all, enter(t, s.URLOf(i), room, fmt.Sprint("peer ", i)))
		}
		channels := map[[2]string]*peer.Channel{}
		for _, p := range all {
			for range len(all) - 1 {
				c := next(t, p)
				channels[[2]string{p.ID(), c.Remote}] = c
			}
		}
		for i, a := range all {
			for _, b := range all[:i] {
				from, to := channels[[2]string{a.ID(), b.ID()}], channels[[2]string{b.ID(), a.ID()}]
				if from == nil || to == nil {
					t.Fatalf("%s and %s have no channel", a.ID(), b.ID())
				}
				exchange(t, from, to)
			}
		}
	})
}

func enter(t *testing.T, url, room, name string) *peer.Peer {
	t.Helper()
	p, err := peer.Enter(labtest.Context(t), peer.Config{URL: url, Room: room, Step: func(format string, args ...any) {
		if t.Context().Err() == nil { // the end of the connections comes after the end of the test
			t.Logf("%s: %s", name, fmt.Sprintf(format, args...))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// next waits for the peer's next open channel.
func next(t *testing.T, p *peer.Peer) *peer.Channel {
	t.Helper()
	select {
	case c, ok := <-p.Channels():
		if !ok {
			t.Fatalf("the peer has ended: %v", p.Err())
		}
		return c
	case <-labtest.Context(t).Done():
		t.Fatal("no data channel was opened")
	}
	return nil
}

// exchange sends bytes both ways.
func exchange(t *testing.T, a, b *peer.Channel) {
	t.Helper()
	ctx := labtest.Context(t)
	for _, way := range [][2]*peer.Channel{{a, b}, {b, a}} {
		sent := make([]byte, 1000)
		_, _ = rand.Read(sent)
		if err := way[0].Send(sent); err != nil {
			t.Fatal(err)
		}
		if got := receive(ctx, t, way[1]); !bytes.Equal(got, sent) {
			t.Errorf("received %d bytes, and not those that were sent", len(got))
		}
	}
}

func receive(ctx context.Context, t *testing.T, c *peer.Channel) []byte {
	t.Helper()
	got, err := c.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
