package socketio_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"

	"signalling/pkg/socketio"
)

// echo sends every event back, as the acknowledgement where the client wants one.
type echo struct{}

func (echo) Connect(_ *socketio.Session, auth json.RawMessage, _ *http.Request) error {
	if string(auth) == `{"token":"wrong"}` {
		return &socketio.ConnectError{Message: "wrong token"}
	}
	return nil
}

func (echo) Event(s *socketio.Session, ack socketio.AckID, payload []byte, attachments [][]byte) error {
	if !json.Valid(payload) { // a real handler finds out while it decodes
		return fmt.Errorf("event of %d bytes is not JSON", len(payload))
	}
	if ack.Wanted() {
		return s.Ack(ack, payload, attachments...)
	}
	return s.Send(socketio.NewEvent(payload, attachments...))
}

func (echo) Disconnect(*socketio.Session, socketio.Reason) {}

// A server is an http.Handler. The client is by hand here: it joins the namespace and sends two events.
func Example() {
	server := socketio.NewServer(socketio.Config{Polling: true}, echo{})
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", server)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer func() { _ = server.Shutdown(context.Background()) }()

	url := "ws" + strings.TrimPrefix(web.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
	ws, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		panic(err)
	}
	defer func() { _ = ws.Close() }()
	for _, packet := range []string{"40", `42["hello",1]`, `427["hello",2]`} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
			panic(err)
		}
	}
	for range 4 {
		_, b, err := ws.ReadMessage()
		if err != nil {
			panic(err)
		}
		kind, _, _ := strings.Cut(string(b), `"sid"`) // ids differ from run to run
		fmt.Println(kind)
	}
	// Output:
	// 0{
	// 40{
	// 42["hello",1]
	// 437["hello",2]
}
