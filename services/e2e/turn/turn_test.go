package turn

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"signalling/pkg/client"
	"signalling/pkg/client/examples/peer"
	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// site is a server that tells its clients of a TURN server.
func site(t *testing.T, s *Server, env ...string) *labtest.Site {
	return labtest.PrivateOneProcess(t, append([]string{"GATEWAY_ICE_SERVERS=" + s.URL, "GATEWAY_TURN_SECRET=" + Secret}, env...)...)
}

func enter(t *testing.T, url, room, name string, servers []webrtc.ICEServer) *peer.Peer {
	t.Helper()
	p, err := peer.Enter(labtest.Context(t), peer.Config{
		URL: url, Room: room, RelayOnly: true, ICEServers: servers,
		Step: func(format string, args ...any) {
			if t.Context().Err() == nil {
				t.Logf("%s: %s", name, fmt.Sprintf(format, args...))
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// channel waits for the peer's data channel; nil if there is none in time.
func channel(ctx context.Context, p *peer.Peer) *peer.Channel {
	select {
	case c := <-p.Channels():
		return c
	case <-ctx.Done():
		return nil
	}
}

// Two pion peers that may use relays only talk through coturn, with credentials of the gateway.
func TestARelayedCall(t *testing.T) {
	s := Start(t)
	gateway := site(t, s)
	alice := enter(t, gateway.URLOf(0), "relayed", "alice", nil)
	bob := enter(t, gateway.URLOf(0), "relayed", "bob", nil)
	ctx := labtest.Context(t)
	toBob, toAlice := channel(ctx, alice), channel(ctx, bob)
	if toBob == nil || toAlice == nil {
		t.Fatal("no data channel was opened")
	}
	if err := toBob.Send([]byte("through the relay")); err != nil {
		t.Fatal(err)
	}
	if got, err := toAlice.Receive(ctx); err != nil || string(got) != "through the relay" {
		t.Errorf("%s, %v", got, err)
	}
}

// servers asks the gateway for its ICE servers.
func servers(t *testing.T, url string) []webrtc.ICEServer {
	t.Helper()
	c := labtest.DialURL(t, url, nil)
	e, err := c.ICEServers(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	var list []webrtc.ICEServer
	if err := json.Unmarshal(e.ICEServers, &list); err != nil || len(list) != 1 {
		t.Fatalf("%s, %v", e.ICEServers, err)
	}
	return list
}

// relays counts the relay candidates that somebody gets with these servers.
func relays(t *testing.T, list []webrtc.ICEServer) (n int) {
	t.Helper()
	conn, err := webrtc.NewPeerConnection(webrtc.Configuration{ICEServers: list, ICETransportPolicy: webrtc.ICETransportPolicyRelay})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.GracefulClose() }()
	done := make(chan struct{})
	conn.OnICECandidate(func(c *webrtc.ICECandidate) {
		switch {
		case c == nil:
			close(done)
		case c.Typ == webrtc.ICECandidateTypeRelay:
			n++
		}
	})
	if _, err := conn.CreateDataChannel("x", nil); err != nil {
		t.Fatal(err)
	}
	offer, err := conn.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-labtest.Context(t).Done():
		t.Fatal("candidates have no end")
	}
	return n
}

// coturnLate bounds how late coturn's clock may be: a timer sets it, on a machine that is busy.
const coturnLate = 10 * time.Second

// coturn takes what the gateway gives out, while it is good, and nothing else.
func TestCredentials(t *testing.T) {
	s := Start(t)
	gateway := site(t, s, "GATEWAY_TURN_TTL=8s")
	ctx := labtest.Context(t)
	c := labtest.DialURL(t, gateway.URLOf(0), nil)
	list := servers(t, gateway.URLOf(0))
	for relays(t, list) == 0 { // on a machine that is slow they may end before
		if ctx.Err() != nil {
			t.Fatal("good credentials are refused")
		}
		list = servers(t, gateway.URLOf(0))
	}
	forged := list[0]
	forged.Credential = "AAAA" + list[0].Credential.(string)[4:]
	if n := relays(t, []webrtc.ICEServer{forged}); n != 0 {
		t.Errorf("forged credentials got %d relays", n)
	}
	later := list[0]
	end, user, _ := strings.Cut(later.Username, ":")
	later.Username = end + "9:" + user // good for longer, says who has them
	if n := relays(t, []webrtc.ICEServer{later}); n != 0 {
		t.Errorf("credentials with another end got %d relays", n)
	}
	seconds, err := strconv.ParseInt(end, 10, 64)
	left := time.Until(time.Unix(seconds+1, 0))
	if err != nil || left > 10*time.Second {
		t.Fatalf("they are good for %v, %v", left, err)
	}
	<-time.After(left) // their time ends
	for n := relays(t, list); n != 0; n = relays(t, list) {
		if time.Since(time.Unix(seconds, 0)) > coturnLate {
			t.Fatalf("credentials that have ended got %d relays", n)
		}
	}
	// The client is told of new ones, again and again.
	for {
		select {
		case m, ok := <-c.Events():
			if !ok {
				t.Fatalf("the client was dropped: %v", c.Err())
			}
			if e, ok := m.Event.(*client.ICEServers); ok {
				var fresh []webrtc.ICEServer
				if err := json.Unmarshal(e.ICEServers, &fresh); err != nil || len(fresh) != 1 {
					t.Fatalf("%s, %v", e.ICEServers, err)
				}
				if relays(t, fresh) > 0 {
					return
				}
			}
		case <-ctx.Done():
			t.Fatal("the renewed credentials are refused")
		}
	}
}
