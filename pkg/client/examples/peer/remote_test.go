package peer

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"
)

func TestSignalsBeforeTheDescription(t *testing.T) {
	r := &remote{id: "other"}
	for _, data := range []string{`{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMid":"0"}`, `{}`, `null`} {
		if err := r.receive(json.RawMessage(data)); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	mid := "0"
	want := []webrtc.ICECandidateInit{{Candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", SDPMid: &mid}, {}, {}}
	if diff := cmp.Diff(want, r.early); diff != "" {
		t.Errorf("kept candidates (-want +got):\n%s", diff)
	}
}

func TestSignalsThatMakeNoSense(t *testing.T) {
	r := &remote{id: "other", peer: &Peer{cfg: Config{Step: t.Logf}}}
	for _, data := range []string{`"x"`, `[]`, `{"type":"answer","sdp":""}`, `{"type":"nonsense","sdp":""}`, `{"type":1}`} {
		if err := r.receive(json.RawMessage(data)); err == nil {
			t.Errorf("%s was taken", data)
		}
	}
}
