package ownership

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"signalling/api/bus"
)

// slot is a partition as this instance sees it.
type slot struct {
	partition int
	// The record with the highest revision that we know, and when we first saw it. Our fresh starts count, and failures of
	// the bucket.
	record
	revision uint64
	since    time.Time
	// confirmed is when the bucket last showed this record; older is since when it shows older ones, zero if it does not.
	confirmed, older time.Time
	// top is the highest epoch that we have met.
	top uint64

	// epoch is the one at which we own the partition, 0 if we do not; until is the end of our lease.
	epoch uint64
	until time.Time
	// leaving: we own it and are about to release it; stopped: the engine does not serve it any more.
	leaving, stopped bool
	// doubt: others may have taken it since we last knew; due is when to look at the bucket again.
	doubt bool
	due   time.Time
	// busy: an operation is under way; writing: it is a write.
	busy, writing bool
	// claiming is the epoch that is being written.
	claiming uint64
	// open is since when the partition is free to be claimed, zero if it is not.
	open time.Time
}

// op is an operation on the bucket; without a write it reads.
type op struct {
	partition int
	write     *record
	revision  uint64
	asked     time.Time
}

// result is what came of it.
type result struct {
	op
	record
	revision uint64
	err      error
}

// start hands an operation to the workers. There is never more than one for a slot.
func (k *KV) start(s *slot, write *record) {
	s.busy, s.writing = true, write != nil
	if write != nil {
		s.claiming = write.Epoch
	}
	k.ops <- op{s.partition, write, s.revision, k.now} // has room for one of each slot
}

// work carries out operations.
func (k *KV) work() {
	for {
		select {
		case o := <-k.ops:
			k.results <- k.perform(o) // has room for one of each slot
		case <-k.hard.Done():
			return
		}
	}
}

func (k *KV) perform(o op) result {
	ctx, cancel := context.WithTimeout(k.hard, opTimeout)
	defer cancel()
	r := result{op: o}
	if o.write != nil {
		r.record = *o.write
		r.revision, r.err = k.bucket.swap(ctx, o.partition, *o.write, o.revision)
	} else {
		r.record, r.revision, r.err = k.bucket.read(ctx, o.partition)
	}
	return r
}

// advance starts what a slot needs next, if anything.
func (k *KV) advance(s *slot) {
	if s.busy || k.now.Before(s.due) || k.deaf() {
		return
	}
	switch {
	case s.stopped:
		k.start(s, &record{"", s.epoch})
	case s.leaving: // not yet
	case s.epoch != 0 && s.top > s.epoch:
		// Somebody has met a higher epoch, though the record is still ours: it must be higher yet.
		k.claim(s)
	case s.epoch != 0:
		k.start(s, &record{k.opts.Instance, s.epoch})
	default:
		k.start(s, nil)
	}
}

// claim tries to become the owner at a new epoch.
func (k *KV) claim(s *slot) {
	k.start(s, &record{k.opts.Instance, max(s.top, s.Epoch) + 1})
}

// finish deals with the result of an operation.
func (k *KV) finish(r result) {
	s := &k.slots[r.partition]
	s.busy, s.writing = false, false
	switch {
	case r.err != nil:
		k.failed(s, &r)
	case r.write == nil:
		k.wasRead(s, &r)
	default:
		k.wrote(s, &r)
	}
	k.advance(s)
	k.claimFree()
}

// failed looks again before it believes anything: an error does not say that nothing was written, and a replicated stream
// says "wrong last sequence" also when there is none.
func (k *KV) failed(s *slot, r *result) {
	if r.write != nil {
		conflict := errors.Is(r.err, jetstream.ErrKeyRevisionMismatch) || errors.Is(r.err, jetstream.ErrKeyExists)
		k.log.Debug("a record was not written", "partition", s.partition, "epoch", r.write.Epoch, "error", r.err)
		if conflict {
			k.start(s, nil)
			return
		}
	}
	// Its owner cannot renew a lease in a bucket that does not answer: such a time says nothing against it.
	s.since = k.now
	s.due = k.now.Add(retryInterval + rand.N(retryInterval)) // #nosec G404 -- jitter
}

// wasRead takes a record that the bucket has shown.
func (k *KV) wasRead(s *slot, r *result) {
	s.due = k.now.Add(readInterval - rand.N(readInterval/5)) // #nosec G404 -- jitter
	switch {
	case r.revision < s.revision && (s.older.IsZero() || k.now.Sub(s.older) < believeOlder):
		if s.older.IsZero() {
			s.older = k.now
		}
		s.due = k.now.Add(retryInterval)
		return
	case r.revision < s.revision:
		k.log.Error("the bucket of owners has lost a record", "partition", s.partition, "revision", r.revision, "known", s.revision)
		s.revision = 0 // so that the one it has counts
	}
	s.older = time.Time{}
	k.observe(s, r.record, r.revision)
	if !r.asked.Before(k.asOf) {
		s.confirmed = k.now
		s.doubt = s.doubt && s.epoch != 0 // ours is cleared up only by a write
	}
	if s.epoch != 0 {
		s.due = k.now // it is still ours: try again what failed
	}
}

// observe takes a record, unless a newer one is known.
func (k *KV) observe(s *slot, rec record, revision uint64) {
	if revision < s.revision || (revision == s.revision && revision != 0) {
		return
	}
	s.record, s.revision, s.since = rec, revision, k.now
	s.top = max(s.top, rec.Epoch)
	s.open = time.Time{}
	if s.epoch != 0 && (rec.Owner != k.opts.Instance || rec.Epoch != s.epoch) {
		k.log.Warn("a partition was taken from us", "partition", s.partition, "epoch", s.epoch, "owner", rec.Owner, "at", rec.Epoch)
		k.lose(s, nil)
	}
}

// wrote takes the success of a write.
func (k *KV) wrote(s *slot, r *result) {
	if r.revision <= s.revision {
		s.due = k.now // something newer is known already
		return
	}
	renewal := s.epoch != 0 && r.write.Epoch == s.epoch && r.write.Owner == k.opts.Instance
	s.record, s.revision, s.since, s.confirmed, s.older = *r.write, r.revision, k.now, k.now, time.Time{}
	s.top = max(s.top, r.write.Epoch)
	if !renewal {
		k.tell(peerMessage{Kind: changed, Changes: []change{{s.partition, s.revision, s.record}}})
	}
	if r.write.Owner == "" {
		s.epoch, s.leaving, s.stopped = 0, false, false
		s.open, s.due = k.now, k.now.Add(readInterval)
		return
	}
	s.epoch, s.until = r.write.Epoch, r.asked.Add(Lease)
	s.due = k.now.Add(renewInterval - rand.N(renewInterval/5)) // #nosec G404 -- jitter
	if s.leaving {
		s.due = k.now // it was under way when the engine was told to stop, and must not make it start again
		return
	}
	if r.asked.Before(k.asOf) {
		s.due = k.now // what happened since may have ended it
	} else {
		s.doubt = false
	}
	k.grant(Grant{Partition: s.partition, Epoch: s.epoch, Until: s.until, Asked: r.asked})
}

// lose tells the engine that a partition is not ours any more.
func (k *KV) lose(s *slot, released func()) {
	if released == nil {
		s.epoch, s.leaving, s.stopped = 0, false, false
	}
	k.grant(Grant{Partition: s.partition, Released: released})
}

func (k *KV) grant(g Grant) {
	select {
	case k.grants <- g:
	case <-k.hard.Done():
	}
}

// noteSync notes when all records are known since the last fresh start, and all partitions have an owner that lives.
func (k *KV) noteSync() {
	if k.synced.Load() {
		return
	}
	for i := range k.slots {
		s := &k.slots[i]
		if p := k.peers[s.Owner]; s.doubt || (s.epoch == 0 && (p == nil || p.dead || !p.spoke)) {
			return
		}
	}
	k.synced.Store(true)
}

// known says whether the slot's record has been seen since the last fresh start.
func (k *KV) known(s *slot) bool { return !s.doubt && !s.confirmed.Before(k.fresh) }

// free says whether the partition can be claimed: nobody owns it, or whoever did is dead or has let its lease run out.
func (k *KV) free(s *slot) bool {
	switch s.Owner {
	case "", k.opts.Instance:
		return true
	}
	return k.gone(s.Owner) || s.confirmed.Sub(s.since) > Lease+Suspicion
}

// owned counts our partitions, those that we try to get included.
func (k *KV) owned() int {
	n := 0
	for i := range k.slots {
		if s := &k.slots[i]; s.epoch != 0 && !s.leaving {
			n++
		}
	}
	return n
}

// fair is the largest number of partitions that an instance should own.
func (k *KV) fair() int {
	instances := 1
	for _, p := range k.peers {
		if !p.dead && !p.leaving {
			instances++
		}
	}
	return (bus.Partitions + instances - 1) / instances
}
