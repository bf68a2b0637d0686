package abuse

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"signalling/pkg/client"
	"signalling/services/e2e/labtest"
)

// A client that creates room after room is refused, and closed when it goes on.
func TestRoomFloodMeetsTheRate(t *testing.T) {
	t.Parallel()
	v := attack(t, "GATEWAY_QUEUE_FRAMES=8192") // more than it is answered, should it read slowly
	v.during(func() {
		c := labtest.Open(t, v.URLOf(0), nil)
		for i := range 100_000 {
			if c.TrySend(websocket.TextMessage, create(i)) != nil {
				break
			}
		}
		c.ExpectCloseAfterFrames(4004)
	})
	v.holds(64, slack, slack)
	v.eventually("the rooms are gone", func() bool { return v.metric("signalling_gateway_rooms") == 1 })
}

func create(i int) string {
	return fmt.Sprintf(`{"event":"room-create","id":%d,"room":"flood %d"}`, i, i)
}

// Without a rate, a client that creates 100,000 rooms has 256.
func TestRoomFloodMeetsTheNumber(t *testing.T) {
	t.Parallel()
	v := attack(t, "GATEWAY_RATE_COMMANDS=0", "GATEWAY_RATE_BYTES=0")
	const n = 100_000
	v.during(func() {
		c := labtest.Open(t, v.URLOf(0), nil)
		var sender sync.WaitGroup
		window := make(chan struct{}, 500) // less than may wait to be read
		sender.Go(func() {
			for i := range n {
				window <- struct{}{}
				if err := c.TrySend(websocket.TextMessage, create(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		created, refused := 0, 0
		for range n {
			if frame := c.NextText(); strings.HasPrefix(frame, `{"event":"room-created"`) {
				created++
			} else if strings.Contains(frame, `"code":"rate-limited"`) {
				refused++
			}
			<-window
		}
		sender.Wait()
		if created != 256 || refused != n-256 {
			t.Errorf("%d created, %d refused", created, refused)
		}
		if rooms := v.metric("signalling_gateway_rooms"); rooms != 257 {
			t.Errorf("%v rooms", rooms)
		}
		v.holds(64, slack, slack)
		c.Close()
	})
	v.eventually("the rooms are gone", func() bool { return v.metric("signalling_gateway_rooms") == 1 })
}

// Many join and leave a room as fast as they may; who is in it knows in the end who is.
func TestJoinAndLeaveStorm(t *testing.T) {
	t.Parallel()
	v := attack(t, "GATEWAY_RATE_COMMANDS=0")
	owner := v.Dial()
	ctx := labtest.Context(t)
	if err := owner.Create(ctx, "storm"); err != nil {
		t.Fatal(err)
	}
	counted := make(chan int)
	go func() { // the owner folds what it is told
		members := 0
		for m := range owner.Events() {
			switch e := m.Event.(type) {
			case *client.ClientJoined:
				members++
			case *client.ClientLeft:
				members--
			case *client.RoomExists:
				if e.Room == "storm" {
					counted <- members
				}
			}
		}
		close(counted)
	}()
	v.during(func() {
		var all sync.WaitGroup
		for range 10 {
			c := v.In(t).Dial()
			all.Go(func() {
				go func() {
					for range c.Events() {
					}
				}()
				for range 100 {
					if _, err := c.Join(ctx, "storm"); err != nil {
						t.Error(err)
						return
					}
					if err := c.Leave(ctx, "storm"); err != nil {
						t.Error(err)
						return
					}
				}
				_ = c.Close()
			})
		}
		all.Wait()
	})
	_ = owner.Create(ctx, "storm") // its answer comes behind all events of the room
	if n := <-counted; n != 0 {
		t.Errorf("%d members are left", n)
	}
	v.holds(64, 10+slack, 10+slack)
	v.recovers()
}

// A room takes so many and no more; the roster of each answer is bounded by that.
func TestGiantRoster(t *testing.T) {
	t.Parallel()
	v := attack(t, "ROOMS_MAX_MEMBERS=100")
	owner := v.Dial()
	ctx := labtest.Context(t)
	if err := owner.Create(ctx, "giant"); err != nil {
		t.Fatal(err)
	}
	joined, full := 0, 0
	v.during(func() {
		for range 150 {
			c := v.In(t).Dial()
			go func() {
				for range c.Events() {
				}
			}()
			_, err := c.Join(ctx, "giant")
			e, refused := errors.AsType[*client.Error](err)
			switch {
			case err == nil:
				joined++
			case refused && e.Code == client.RoomFull:
				full++
			default:
				t.Errorf("%v", err)
			}
		}
	})
	if joined != 99 || full != 51 {
		t.Errorf("%d joined, %d were refused", joined, full)
	}
	v.holds(64, 151*2+slack, 151+slack)
}

// JSON that is nested without end is refused, by both doors, and costs no stack.
func TestDeepJSON(t *testing.T) {
	t.Parallel()
	v := attack(t)
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	objects := strings.Repeat(`{"a":`, 30_000) + "1" + strings.Repeat("}", 30_000)
	v.during(func() {
		for range 5 {
			c := labtest.Open(t, v.URLOf(0), nil)
			for _, data := range []string{deep, objects, deep[:100_000]} {
				c.Send(`{"event":"signal-send","room":"r","targetId":"t","data":` + data + `}`)
				c.Expect(labtest.J{"event": "error", "code": "bad-request", "message": labtest.AnyText})
			}
			c.Close()
			sio := labtest.OpenUnread(t, "ws://"+v.addr()+"/socket.io/?EIO=4&transport=websocket", nil)
			sio.Read()
			sio.NextText()
			sio.Send("40")
			sio.NextText()
			sio.Send(`42["signal-send","r","t",` + deep + `]`)
			sio.ExpectCloseAfterFrames(1002)
		}
	})
	v.holds(64, 10+slack, 10+slack)
	v.recovers()
}
