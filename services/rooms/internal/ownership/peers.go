package ownership

import (
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

// peer is another instance.
type peer struct {
	id string
	// since is when it was first heard, heard when last. Our fresh starts count.
	since, heard time.Time
	// answered is when it last answered a ping, or owned nothing yet. Who speaks without answering does not serve.
	answered time.Time
	// refused is when NATS first said that nobody listens to its pings, zero since it answered.
	refused time.Time
	// spoke: it was heard at all, and is not only named by a record. dead: whatever it owns can be claimed. leaving: it has
	// said so itself.
	spoke, dead, leaving bool
	// owns is how many partitions it owns.
	owns int
}

// The kinds of peerMessage.
const (
	here    = "here"    // the sender is there
	who     = "who"     // as here; everyone is asked to answer
	bye     = "bye"     // the sender is about to end: it claims nothing any more, and releases what it has
	changed = "changed" // the sender has changed records
	probe   = "probe"   // the sender hears nothing: for itself alone
)

// peerMessage is what instances tell each other on bus.PeersSubject.
type peerMessage struct {
	From    string   `json:"from"`
	Kind    string   `json:"kind"`
	Changes []change `json:"changes,omitempty"`
	// Number is that of the sender's question in who. In the answer it is that of To, with all Epochs that the sender knows.
	Number uint64   `json:"number,omitempty"`
	To     string   `json:"to,omitempty"`
	Epochs []uint64 `json:"epochs,omitempty"`
}

// change is a record that was written.
type change struct {
	Partition int    `json:"partition"`
	Revision  uint64 `json:"revision"`
	record
}

func (k *KV) tell(m peerMessage) {
	m.From = k.opts.Instance
	data, err := json.Marshal(m)
	if err == nil {
		err = k.nc.Publish(bus.PeersSubject, data)
	}
	if err != nil {
		k.log.Debug("other instances were not told", "kind", m.Kind, "error", err)
	}
}

// sayHere tells the others that we are there; we hear it too, so that a living link is never silent.
func (k *KV) sayHere() {
	if k.now.Before(k.nextHere) {
		return
	}
	k.nextHere = k.now.Add(hereInterval)
	if k.deaf() {
		k.tell(peerMessage{Kind: probe})
		return
	}
	k.tell(peerMessage{Kind: here})
}

func (k *KV) handlePeer(m *peerMessage) {
	if m.From == k.opts.Instance || m.From == "" || m.Kind == probe {
		return
	}
	p := k.peer(m.From)
	k.hear(p)
	switch m.Kind {
	case who:
		k.answer(m)
	case here:
		k.answered(m)
	case bye:
		p.leaving = true
		k.claimFree()
	case changed:
		for _, c := range m.Changes {
			if c.Partition < 0 || c.Partition >= bus.Partitions {
				continue
			}
			s := &k.slots[c.Partition]
			k.observe(s, c.record, c.Revision)
			k.advance(s)
		}
		k.claimFree()
	}
}

func (k *KV) peer(id string) *peer {
	p := k.peers[id]
	if p == nil {
		p = &peer{id: id, since: k.now, heard: k.now, answered: k.now}
		k.peers[id] = p
	}
	return p
}

// hear notes that an instance has spoken.
func (k *KV) hear(p *peer) {
	p.heard, p.spoke = k.now, true
	if p.dead && p.owns == 0 {
		k.revive(p)
	}
}

func (k *KV) revive(p *peer) {
	if p.dead {
		p.since = k.now
		k.log.Info("an instance is back", "peer", p.id)
	}
	p.heard, p.answered, p.refused, p.dead = k.now, k.now, time.Time{}, false
}

// watchPeers asks the owners whether they live, all the time, because that is the quickest way to learn that they do not.
func (k *KV) watchPeers() {
	for _, p := range k.peers {
		p.owns = 0
	}
	for i := range k.slots {
		if o := k.slots[i].Owner; o != "" && o != k.opts.Instance {
			k.peer(o).owns++
		}
	}
	for id, p := range k.peers {
		if p.owns == 0 {
			p.answered = k.now
			if k.now.Sub(p.heard) > Suspicion {
				delete(k.peers, id)
			}
			continue
		}
		if !p.dead && k.now.Sub(p.answered) > Suspicion {
			k.declareDead(p, "it was silent for too long")
		}
		// A failure means that there is no connection: then there is nothing to learn.
		_ = k.nc.PublishRequest(bus.RoomsPingSubject(id), bus.PeerPongSubject(k.opts.Instance, id), nil)
	}
}

// handlePong takes the answer to a ping, the other instance's own or the server's that nobody listens.
func (k *KV) handlePong(m *nats.Msg) {
	p := k.peers[bus.PongPeer(m.Subject)]
	switch {
	case p == nil:
	case m.Header.Get("Status") != noResponders:
		k.revive(p)
	case p.dead || k.now.Before(k.grace):
	case p.refused.IsZero():
		p.refused = k.now
	case k.now.Sub(p.refused) >= refusalGap:
		k.declareDead(p, "nobody listens to its pings")
		k.claimFree()
	}
}

// noResponders is the status of a message with which the server says that nobody has subscribed to a request's subject.
const noResponders = "503"

func (k *KV) declareDead(p *peer, reason string) {
	p.dead = true
	k.log.Warn("an instance is gone", "peer", p.id, "reason", reason, "silent", k.now.Sub(p.answered), "partitions", p.owns)
}

// gone says whether the instance can be taken for dead.
func (k *KV) gone(id string) bool {
	p := k.peers[id]
	return p != nil && p.dead
}
