package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"signalling/services/e2e/labtest"
)

// Rule 10: one message is at most 256 KiB by default. A longer one ends that connection with WebSocket close code 1009, and
// no other.

const limit = 256 << 10

// signalOf makes a signal-send of exactly size bytes, and the signal-receive that it becomes.
func signalOf(size int, room string, from, to *conn) (sent, got string) {
	head := fmt.Sprintf(`{"event":"signal-send","room":%q,"targetId":%q,"data":"`, room, to.ID)
	data := strings.Repeat("x", size-len(head)-2)
	return head + data + `"}`, fmt.Sprintf(`{"event":"signal-receive","room":%q,"senderId":%q,"data":%q}`, room, from.ID, data)
}

func TestRule10_AMessageOfExactlyTheLimitPasses(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b, c)
		for _, target := range []*conn{a, c} { // at another gateway, and at the same
			sent, got := signalOf(limit, room, b, target)
			b.Send(sent)
			target.ExpectText(got)
			b.SendFragments(split(sent, 60_000)...)
			target.ExpectText(got)
		}
	})
}

func TestRule10_OneByteMoreEndsThatConnectionAndNoOther(t *testing.T) {
	for name, send := range map[string]func(c *conn, text string){
		"one frame": func(c *conn, text string) { c.Send(text) },
		"fragments": func(c *conn, text string) { c.SendFragments(split(text, 60_000)...) },
		"binary":    func(c *conn, text string) { c.SendKind(websocket.BinaryMessage, text) },
	} {
		t.Run(name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
				meet(t, room, a, b, c)
				sent, _ := signalOf(limit+1, room, b, a)
				send(b, sent)
				b.ExpectClose(websocket.CloseMessageTooBig) // 1009
				a.Expect(clientLeft(room, b))
				c.Expect(clientLeft(room, b))
				a.Emit(signal(room, c.ID, "still here"))
				c.Expect(received(room, a, "still here"))
				a.ExpectNothing()
			})
		})
	}
}

func TestRule10_AFarLongerMessageEndsThatConnectionAndNoOther(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		meet(t, room, a, b)
		sent, _ := signalOf(16<<20, room, b, a)
		// The server need not read all of it: the client may find the connection ended while it sends.
		_ = b.TrySend(websocket.TextMessage, sent)
		a.Expect(clientLeft(room, b))
		a.ExpectNothing()
	})
}

// Every close that the server starts has a documented code; these are the ones that a client can bring about.
func TestRule10_ClosesHaveTheirCodes(t *testing.T) {
	for name, tt := range map[string]struct {
		frame string
		code  int
	}{
		"reserved bit":         {"\xf1\x80\x00\x00\x00\x00", websocket.CloseProtocolError},
		"reserved opcode":      {"\x83\x80\x00\x00\x00\x00", websocket.CloseProtocolError},
		"no mask":              {"\x81\x02{}", websocket.CloseProtocolError},
		"stray continuation":   {"\x80\x82\x00\x00\x00\x00{}", websocket.CloseProtocolError},
		"long control frame":   {"\x89\xfe\x00\x7e\x00\x00\x00\x00" + strings.Repeat("x", 126), websocket.CloseProtocolError},
		"fragmented ping":      {"\x09\x80\x00\x00\x00\x00", websocket.CloseProtocolError},
		"good-bye":             {"\x88\x82\x00\x00\x00\x00\x03\xe8", websocket.CloseNormalClosure},
		"good-bye with reason": {"\x88\x84\x00\x00\x00\x00\x0f\xa0ok", 4000},
		"absurd length":        {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00" + strings.Repeat(" ", limit+1), websocket.CloseMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, a, b := s.Room(), s.Connect(), s.Connect()
				meet(t, room, a, b)
				b.SendRaw(tt.frame)
				b.ExpectClose(tt.code)
				a.Expect(clientLeft(room, b))
				a.ExpectNothing()
			})
		})
	}
}

func TestRule10_PingsOfAClientAreAnswered(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		c := s.Connect()
		for _, data := range []string{"", "still there?", strings.Repeat("x", 125)} {
			c.SendKind(websocket.PingMessage, data)
			c.ExpectPong(data)
		}
	})
}
