package peer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/webrtc/v4"
)

// endOfCandidates is sent after the last candidate. Browsers send {} or null; both are understood.
var endOfCandidates = json.RawMessage("{}")

// remote is the connection to one other member.
type remote struct {
	peer *Peer
	id   string
	conn *webrtc.PeerConnection // nil before the first offer
	// early are candidates that came before the description they belong to.
	early []webrtc.ICECandidateInit

	// described is held while a description is on its way out: candidates of it must follow, not lead.
	described sync.Mutex
}

func (r *remote) open() error {
	conn, err := r.peer.api.NewPeerConnection(r.peer.configuration())
	if err != nil {
		return err
	}
	conn.OnICECandidate(func(c *webrtc.ICECandidate) { r.sendCandidate(c) })
	conn.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { r.step("connection is %s", s) })
	conn.OnDataChannel(r.announce)
	r.conn = conn
	return nil
}

// step tells what happens on this connection.
func (r *remote) step(format string, args ...any) {
	r.peer.cfg.Step("%s: %s", r.id, fmt.Sprintf(format, args...))
}

// offer starts the connection: this side makes the data channel.
func (r *remote) offer() error {
	if err := r.open(); err != nil {
		return err
	}
	channel, err := r.conn.CreateDataChannel("data", nil)
	if err != nil {
		return err
	}
	r.announce(channel)
	description, err := r.conn.CreateOffer(nil)
	if err != nil {
		return err
	}
	return r.describe(description)
}

// describe applies a description of this side and sends it. From then on candidates are found.
func (r *remote) describe(d webrtc.SessionDescription) error {
	r.described.Lock()
	defer r.described.Unlock()
	if err := r.conn.SetLocalDescription(d); err != nil {
		return err
	}
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	r.step("sending %s", d.Type)
	return r.peer.signal(r.id, data)
}

func (r *remote) sendCandidate(c *webrtc.ICECandidate) {
	r.described.Lock()
	defer r.described.Unlock()
	data := endOfCandidates
	if c != nil {
		var err error
		if data, err = json.Marshal(c.ToJSON()); err != nil {
			r.step("candidate: %v", err)
			return
		}
	}
	if err := r.peer.signal(r.id, data); err != nil && r.peer.ctx.Err() == nil {
		r.step("sending a candidate: %v", err)
	}
}

// receive takes a signal from the other side.
func (r *remote) receive(data json.RawMessage) error {
	var description webrtc.SessionDescription
	var candidate webrtc.ICECandidateInit
	var kind struct {
		Type *string `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return err
	}
	if kind.Type != nil {
		if err := json.Unmarshal(data, &description); err != nil {
			return err
		}
		return r.receiveDescription(description)
	}
	if !bytes.Equal(data, []byte("null")) {
		if err := json.Unmarshal(data, &candidate); err != nil {
			return err
		}
	}
	return r.receiveCandidate(candidate)
}

func (r *remote) receiveDescription(d webrtc.SessionDescription) error {
	r.step("got %s", d.Type)
	switch {
	case d.Type == webrtc.SDPTypeOffer && r.conn == nil:
		if err := r.open(); err != nil {
			return err
		}
	case d.Type == webrtc.SDPTypeAnswer && r.conn != nil:
	default:
		return fmt.Errorf("a %s is out of place", d.Type)
	}
	if err := r.conn.SetRemoteDescription(d); err != nil {
		return err
	}
	if d.Type == webrtc.SDPTypeOffer {
		answer, err := r.conn.CreateAnswer(nil)
		if err != nil {
			return err
		}
		if err := r.describe(answer); err != nil {
			return err
		}
	}
	var errs []error
	for _, c := range r.early {
		errs = append(errs, r.conn.AddICECandidate(c))
	}
	r.early = nil
	return errors.Join(errs...)
}

// receiveCandidate takes a candidate; one without text means that no more come (RFC 8838 section 8.2), for which pion's
// empty candidate stands.
func (r *remote) receiveCandidate(c webrtc.ICECandidateInit) error {
	if r.conn == nil || r.conn.RemoteDescription() == nil {
		r.early = append(r.early, c)
		return nil
	}
	if c.Candidate == "" {
		r.step("has no more candidates")
	}
	return r.conn.AddICECandidate(c)
}

// announce hands the data channel out when it is open.
func (r *remote) announce(d *webrtc.DataChannel) {
	channel := newChannel(r.id, d)
	d.OnOpen(func() {
		r.step("data channel is open")
		select {
		case r.peer.channels <- channel:
		case <-r.peer.ctx.Done():
		}
	})
}

func (r *remote) close() {
	if r.conn != nil {
		_ = r.conn.GracefulClose()
	}
}
