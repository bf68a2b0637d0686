package door

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"signalling/api/client"
	"signalling/pkg/wsock"
	"signalling/services/gateway/internal/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// accepted is a client of the native door without a session, and its other end.
func accepted(t *testing.T) (*native, *websocket.Conn) {
	t.Helper()
	conns := make(chan *wsock.Conn, 1)
	u := wsock.NewUpgrader(wsock.Options{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := u.Upgrade(w, r)
		if err != nil {
			t.Error(err)
		}
		ws.Flush()
		conns <- ws
	}))
	t.Cleanup(srv.Close)
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+srv.URL[len("http"):], nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	c := &native{door: &Native{cfg: Config{Logger: slog.New(slog.DiscardHandler)}}, ws: <-conns}
	t.Cleanup(func() {
		_ = ws.Close()
		_, _, err := c.ws.ReadMessage()
		if err == nil {
			t.Error("the connection goes on")
		}
		c.ws.Finish()
	})
	return c, ws
}

func TestABroadcastIsEncodedOnce(t *testing.T) {
	b := &hub.Broadcast{Event: &client.ClientJoined{Room: "lobby", ClientID: "bob"}}
	want := client.AppendObject(nil, b.Event, nil)
	var first wsock.Frame
	for range 3 {
		c, ws := accepted(t)
		c.Deliver(b)
		c.Flush()
		if first == nil {
			first = b.Native
		}
		if &b.Native[0] != &first[0] {
			t.Fatal("it was encoded again")
		}
		if _, got, err := ws.ReadMessage(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %s, %v", got, err)
		}
	}
}
