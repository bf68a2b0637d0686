package contract

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"signalling/services/e2e/labtest"
)

// Section 3: subprotocol signalling.v1 is accepted where offered, and may be absent.
func TestTheSubprotocolIsAcceptedWhereOffered(t *testing.T) {
	for name, tt := range map[string]struct {
		offered []string
		chosen  string
	}{
		"absent":       {nil, ""},
		"offered":      {[]string{"signalling.v1"}, "signalling.v1"},
		"among others": {[]string{"chat", "signalling.v1", "x"}, "signalling.v1"},
		"unknown":      {[]string{"chat"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				c := labtest.Open(t, s.NextURL(), &websocket.Dialer{Subprotocols: tt.offered})
				if got := c.Subprotocol(); got != tt.chosen {
					t.Errorf("the server chose %q, want %q", got, tt.chosen)
				}
				room := s.Room()
				ask(t, c, create(room), created(room))
			})
		})
	}
}

func TestARequestThatIsNoWebSocketIsRefused(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		url := "http" + strings.TrimPrefix(s.NextURL(), "ws")
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
			req, err := http.NewRequestWithContext(labtest.Context(t), method, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode < 400 || resp.StatusCode >= 500 {
				t.Errorf("%s: status %d, want one that says that the client is wrong", method, resp.StatusCode)
			}
		}
		s.Connect().ExpectNothing()
	})
}
