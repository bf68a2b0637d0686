package ownership

import (
	"context"
	"math/rand/v2"
	"time"

	"signalling/api/bus"
)

// claimFree claims what is free, up to our share. What nobody has claimed after a while is claimed regardless of shares.
func (k *KV) claimFree() {
	if k.stopping || k.deaf() || k.now.Before(k.fresh.Add(listenFirst)) {
		return
	}
	mine, fair := k.owned(), k.fair()
	first := rand.N(bus.Partitions) // #nosec G404 -- so that instances that claim at the same time begin elsewhere
	for i := range k.slots {
		s := &k.slots[i]
		if s.epoch == 0 && s.writing {
			mine++ // being claimed
		}
	}
	for i := range k.slots {
		s := &k.slots[(first+i)%bus.Partitions]
		if s.epoch != 0 || s.busy || !k.known(s) {
			continue
		}
		if !k.free(s) {
			s.open = time.Time{}
			continue
		}
		if s.open.IsZero() {
			s.open = k.now.Add(rand.N(unclaimedTime / 4)) // #nosec G404 -- jitter
		}
		if mine < fair || k.now.Sub(s.open) > unclaimedTime {
			k.claim(s)
			mine++
		}
	}
}

// shed gives one of the partitions above our share to the others, who have less.
func (k *KV) shed() {
	if k.now.Before(k.nextShed) || k.owned() <= k.fair() || !k.settled() {
		return
	}
	var mine []*slot
	for i := range k.slots {
		if s := &k.slots[i]; s.epoch != 0 {
			mine = append(mine, s)
		}
	}
	k.nextShed = k.now.Add(shedInterval + rand.N(shedInterval)) // #nosec G404 -- jitter
	s := mine[rand.N(len(mine))]                                // #nosec G404 -- any
	k.log.Info("giving a partition to others", "partition", s.partition, "owned", len(mine), "share", k.fair())
	k.leave(s)
}

// settled says that nothing is on the move: all partitions have owners that live, and no instance has only just come.
func (k *KV) settled() bool {
	for i := range k.slots {
		if s := &k.slots[i]; s.leaving || !k.known(s) || s.Owner == "" || k.gone(s.Owner) {
			return false
		}
	}
	for _, p := range k.peers {
		if k.now.Sub(p.since) < newcomer {
			return false
		}
	}
	return true
}

// leave has the engine stop serving a partition; vacate follows.
func (k *KV) leave(s *slot) {
	s.leaving = true
	partition := s.partition
	k.lose(s, func() { k.released <- partition }) // has room for one of each slot
}

// vacate releases a partition that the engine does not serve any more, so that others can claim it at once.
func (k *KV) vacate(s *slot) {
	if !s.leaving {
		return // it was taken from us
	}
	s.stopped, s.due = true, k.now
	k.advance(s)
}

// release gives up everything before the end.
func (k *KV) release() {
	ctx, cancel := context.WithTimeout(k.hard, k.opts.ReleaseTimeout)
	defer cancel()
	k.now, k.stopping = time.Now(), true
	k.tell(peerMessage{Kind: bye})
	for k.leaveAll() > 0 {
		select {
		case r := <-k.results:
			k.begin()
			k.finish(r)
		case p := <-k.released:
			k.begin()
			k.vacate(&k.slots[p])
		case <-ctx.Done():
			k.log.Warn("stopped without releasing all partitions", "partitions", k.leaveAll())
			return
		}
	}
}

// leaveAll leaves what is ours, also what we have only just got, and returns how many partitions are left to release.
func (k *KV) leaveAll() (n int) {
	for i := range k.slots {
		s := &k.slots[i]
		if s.epoch != 0 && !s.leaving {
			k.leave(s)
		}
		if s.epoch != 0 || s.writing {
			n++
		}
	}
	return n
}
