package ownership

import (
	"slices"
	"time"

	"signalling/api/bus"
)

// inquiry asks the other instances whether they have taken partitions of ours while we were cut off. The bucket knows
// better, but compare-and-swap can stop for seconds, when the JetStream leader has died, which may be what cut us off.
// Somebody who has claimed a partition has told everybody; so if all whom we know to live answer that they know of no
// higher epoch than ours, we go on, though not beyond the lease that the bucket gave us last. Should that be wrong after
// all, the claimant's epoch is higher, and gateways do not listen to ours.
type inquiry struct {
	number uint64
	// asked is when the question was put first, repeated when last.
	asked, repeated time.Time
	// silent are those who have not answered.
	silent map[string]struct{}
	// highest are the highest epochs that the others know, or are about to claim.
	highest [bus.Partitions]uint64
	done    bool
}

// inquiryTime is how long those are given to answer of whom we do not know.
const inquiryTime = 100 * time.Millisecond

// ask starts an inquiry, which ends the one before.
func (k *KV) ask() {
	k.inquiry = inquiry{number: k.inquiry.number + 1, asked: k.now, repeated: k.now, silent: map[string]struct{}{}}
	for id, p := range k.peers {
		if !p.dead && !p.leaving {
			k.inquiry.silent[id] = struct{}{}
		}
	}
	k.tell(peerMessage{Kind: who, Number: k.inquiry.number})
}

// answer tells which epochs we know, those included that we are about to claim.
func (k *KV) answer(m *peerMessage) {
	reply := peerMessage{Kind: here, To: m.From, Number: m.Number, Epochs: make([]uint64, len(k.slots))}
	for i := range k.slots {
		s := &k.slots[i]
		if reply.Epochs[i] = s.top; s.writing {
			reply.Epochs[i] = max(s.top, s.claiming)
		}
	}
	k.tell(reply)
}

// answered takes the answer of another instance.
func (k *KV) answered(m *peerMessage) {
	if m.To != k.opts.Instance || m.Number != k.inquiry.number || len(m.Epochs) != len(k.slots) {
		return
	}
	delete(k.inquiry.silent, m.From)
	for i, epoch := range m.Epochs {
		k.inquiry.highest[i] = max(k.inquiry.highest[i], epoch)
	}
}

// askAgainInterval is how long the others may take before the question is repeated: they may have been cut off too, and not
// have been there to hear it.
const askAgainInterval = 300 * time.Millisecond

// conclude ends the inquiry if everybody has answered.
func (k *KV) conclude() {
	q := &k.inquiry
	switch {
	case q.done || q.asked.Before(k.asOf) || k.now.Sub(q.asked) < inquiryTime:
		return
	case len(q.silent) > 0:
		k.askAgain()
		return
	}
	q.done = true
	for i := range k.slots {
		s := &k.slots[i]
		if s.epoch == 0 || s.leaving || !s.doubt || max(s.top, q.highest[i]) > s.epoch || !k.now.Before(s.until) {
			continue
		}
		k.grant(Grant{Partition: s.partition, Epoch: s.epoch, Until: s.until, Asked: q.asked})
	}
}

// askAgain repeats the question while it matters.
func (k *KV) askAgain() {
	q := &k.inquiry
	doubt := func(s slot) bool { return s.epoch != 0 && s.doubt }
	if k.now.Sub(q.repeated) >= askAgainInterval && slices.ContainsFunc(k.slots[:], doubt) {
		q.repeated = k.now
		k.tell(peerMessage{Kind: who, Number: q.number})
	}
}
