package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// stage is what the examples talk to: just enough of a server to answer them. What the real one does is tested with the
// real one, in services/e2e.
type stage struct {
	mu    sync.Mutex // guards all below, and writing
	conns []*websocket.Conn
	rooms map[string][]int // members, by their index in conns
	left  sync.WaitGroup
}

// demo starts a stage. stop closes its connections as a server that goes away.
func demo() (url string, stop func()) {
	s := &stage{rooms: map[string][]int{}}
	srv := httptest.NewServer(http.HandlerFunc(s.serve))
	return "ws" + strings.TrimPrefix(srv.URL, "http") + "/ws", sync.OnceFunc(func() {
		s.mu.Lock()
		for _, c := range s.conns {
			bye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "going away")
			_ = c.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
		}
		s.mu.Unlock()
		s.left.Wait()
		srv.Close()
	})
}

func (s *stage) serve(w http.ResponseWriter, r *http.Request) {
	ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	s.mu.Lock()
	s.left.Add(1)
	defer s.left.Done()
	me := len(s.conns)
	s.conns = append(s.conns, ws)
	s.tell(me, `{"event":"welcome","clientId":%q,"protocol":1,"maxMessageBytes":262144}`, name(me))
	s.mu.Unlock()
	for {
		var cmd demoCommand
		if ws.ReadJSON(&cmd) != nil {
			return
		}
		s.mu.Lock()
		s.answer(me, &cmd)
		s.mu.Unlock()
	}
}

type demoCommand struct {
	Event, Room, TargetID string
	ID, Data              json.RawMessage
}

func (s *stage) answer(me int, cmd *demoCommand) {
	switch members, exists := s.rooms[cmd.Room]; {
	case cmd.Event == "signal-send":
		var target int
		_, _ = fmt.Sscanf(cmd.TargetID, "client-%d", &target)
		s.tell(target-1, `{"event":"signal-receive","room":%q,"senderId":%q,"data":%s}`, cmd.Room, name(me), cmd.Data)
	case cmd.Event == "room-create" && exists:
		s.tell(me, `{"event":"room-exists","id":%s,"room":%q}`, cmd.ID, cmd.Room)
	case cmd.Event == "room-create":
		s.rooms[cmd.Room] = []int{me}
		s.tell(me, `{"event":"room-created","id":%s,"room":%q}`, cmd.ID, cmd.Room)
	case cmd.Event == "room-join":
		for _, other := range members {
			s.tell(other, `{"event":"client-joined","room":%q,"clientId":%q}`, cmd.Room, name(me))
		}
		s.rooms[cmd.Room] = append(members, me)
		s.tell(me, `{"event":"room-joined","id":%s,"room":%q,"ownerId":%q,"clients":[%q]}`,
			cmd.ID, cmd.Room, name(members[0]), name(members[0]))
	case cmd.Event == "room-leave":
		s.rooms[cmd.Room] = slices.DeleteFunc(members, func(m int) bool { return m == me })
		for _, other := range s.rooms[cmd.Room] {
			s.tell(other, `{"event":"client-left","room":%q,"clientId":%q}`, cmd.Room, name(me))
		}
		s.tell(me, `{"event":"room-left","id":%s,"room":%q,"kicked":false}`, cmd.ID, cmd.Room)
	}
}

func (s *stage) tell(who int, format string, args ...any) {
	_ = s.conns[who].WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...))
}

func name(i int) string { return fmt.Sprintf("client-%d", i+1) }
