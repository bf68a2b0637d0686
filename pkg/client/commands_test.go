package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalling/pkg/client"
)

func TestCommands(t *testing.T) {
	create := func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Create(ctx, "a b") }
	join := func(ctx context.Context, c *client.Client) (any, error) { return c.Join(ctx, "a b") }
	leave := func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Leave(ctx, "a b") }
	unavailable := &client.Error{Message: "later", Code: client.Unavailable}
	for _, tt := range []struct {
		name, frame, answer string
		call                func(context.Context, *client.Client) (any, error)
		result              any
		err                 error
	}{
		{
			"room-create", `{"event":"room-create","id":1,"room":"a b"}`,
			`{"event":"room-created","id":1,"room":"a b"}`, create, nil, nil,
		},
		{
			"room-create, taken", `{"event":"room-create","id":1,"room":"a b"}`,
			`{"event":"room-exists","id":1,"room":"a b"}`, create, nil, client.ErrRoomExists,
		},
		{
			"room-join", `{"event":"room-join","id":1,"room":"a b"}`,
			`{"event":"room-joined","id":1,"room":"a b","ownerId":"o","clients":["o","p"]}`, join,
			&client.RoomJoined{Room: "a b", OwnerID: "o", Clients: []string{"o", "p"}}, nil,
		},
		{
			"room-join, no such room", `{"event":"room-join","id":1,"room":"a b"}`,
			`{"event":"room-not-exists","id":1,"room":"a b"}`, join, (*client.RoomJoined)(nil), client.ErrRoomNotExists,
		},
		{
			"room-leave", `{"event":"room-leave","id":1,"room":"a b"}`,
			`{"event":"room-left","id":1,"room":"a b","kicked":false}`, leave, nil, nil,
		},
		{
			"room-leave, not in it", `{"event":"room-leave","id":1,"room":"a b"}`,
			`{"event":"not-in-room","id":1,"room":"a b"}`, leave, nil, client.ErrNotInRoom,
		},
		{
			"token-refresh", `{"event":"token-refresh","id":1,"token":"a.b"}`,
			`{"event":"token-refreshed","id":1,"expiresIn":90000}`,
			func(ctx context.Context, c *client.Client) (any, error) { return c.RefreshToken(ctx, "a.b") }, 90 * time.Second, nil,
		},
		{
			"ice-servers", `{"event":"ice-servers","id":1}`,
			`{"event":"ice-servers","id":1,"iceServers":[{"urls":["stun:x"]}],"expiresIn":7}`,
			func(ctx context.Context, c *client.Client) (any, error) { return c.ICEServers(ctx) },
			&client.ICEServers{ICEServers: json.RawMessage(`[{"urls":["stun:x"]}]`), ExpiresIn: 7}, nil,
		},
		{
			"room-create with options", `{"event":"room-create","id":1,"room":"a b","options":{"onOwnerLost":"transfer","capacity":3}}`,
			`{"event":"room-created","id":1,"room":"a b"}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				return nil, c.CreateWith(ctx, "a b", &client.RoomOptions{OnOwnerLost: client.TransferRoom, Capacity: 3})
			}, nil, nil,
		},
		{
			"room-join with a key", `{"event":"room-join","id":1,"room":"a b","ownerKey":"k"}`,
			`{"event":"room-joined","id":1,"room":"a b","ownerId":"o","clients":[],"options":{"onOwnerLost":"grace","locked":true,"password":true}}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.JoinWith(ctx, "a b", client.Entry{OwnerKey: "k"})
			},
			&client.RoomJoined{Room: "a b", OwnerID: "o", Clients: []string{}, Options: &client.RoomState{
				OnOwnerLost: client.AwaitOwner, Locked: true, Password: true,
			}}, nil,
		},
		{
			"room-join with a wrong password", `{"event":"room-join","id":1,"room":"a b","password":"p"}`,
			`{"event":"error","id":1,"message":"later","code":"unavailable"}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.JoinWith(ctx, "a b", client.Entry{Password: "p"})
			}, (*client.RoomJoined)(nil), unavailable,
		},
		{
			"room-update", `{"event":"room-update","id":1,"room":"a b","options":{"capacity":null,"locked":true}}`,
			`{"event":"room-updated","id":1,"room":"a b","options":{"onOwnerLost":"close","locked":true,"password":false}}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				locked := true
				return c.Update(ctx, "a b", client.RoomOptions{Locked: &locked, Capacity: client.NoLimit})
			}, &client.RoomState{OnOwnerLost: client.CloseRoom, Locked: true}, nil,
		},
		{
			"room-kick", `{"event":"room-kick","id":1,"room":"a b","targetId":"t"}`,
			`{"event":"client-kicked","id":1,"room":"a b","clientId":"t"}`,
			func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Kick(ctx, "a b", "t") }, nil, nil,
		},
		{
			"room-kick of nobody", `{"event":"room-kick","id":1,"room":"a b","targetId":"t"}`,
			`{"event":"target-not-found","id":1,"room":"a b","targetId":"t"}`,
			func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Kick(ctx, "a b", "t") },
			nil, client.ErrTargetNotFound,
		},
		{
			"error", `{"event":"room-join","id":1,"room":"a b"}`,
			`{"event":"error","id":1,"message":"later","code":"unavailable"}`, join, (*client.RoomJoined)(nil), unavailable,
		},
		{
			"an answer to something else", `{"event":"room-leave","id":1,"room":"a b"}`,
			`{"event":"room-created","id":1,"room":"a b"}`, leave, nil, client.ErrProtocol,
		},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			c := dial(t, func(p *peer) {
				p.expect(tt.frame)
				p.send(tt.answer)
				p.drain()
			})
			result, err := tt.call(soon(t), c)
			if diff := cmp.Diff(tt.result, result); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if coded, ok := errors.AsType[*client.Error](tt.err); ok {
				if !errors.As(err, &coded) || !cmp.Equal(coded, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
			} else {
				want(t, err, tt.err)
			}
			// The answer is among the events too, and was there before the command returned.
			if len(c.Events()) != 2 {
				t.Fatalf("%d events wait, want the welcome and the answer", len(c.Events()))
			}
			<-c.Events()
			m := <-c.Events()
			if !m.Answer || string(m.Raw) != tt.answer || m.Name != m.Event.Name() {
				t.Errorf("event %+v", m)
			}
		}))
	}
}

func TestAnswersFindTheirCommandsById(t *testing.T) {
	bubble(func(t *testing.T) {
		c := dial(t, func(p *peer) {
			p.expect(`{"event":"room-join","id":1,"room":"slow"}`)
			p.expect(`{"event":"room-join","id":2,"room":"fast"}`)
			p.send(`{"event":"room-joined","id":2,"room":"fast","ownerId":"f","clients":[]}`)
			p.send(`{"event":"room-joined","id":1,"room":"slow","ownerId":"s","clients":[]}`)
			p.drain()
		})
		var both sync.WaitGroup
		for _, room := range []string{"slow", "fast"} {
			both.Go(func() {
				got, err := c.Join(soon(t), room)
				if err != nil || got.OwnerID != room[:1] {
					t.Errorf("joining %s: %+v, %v", room, got, err)
				}
			})
			synctest.Wait() // the first is sent before the second starts
		}
		both.Wait()
	})(t)
}

func TestACommandEndsWithItsContext(t *testing.T) {
	bubble(func(t *testing.T) {
		late := `{"event":"room-created","id":1,"room":"r"}`
		c := dial(t, func(p *peer) {
			p.expect(`{"event":"room-create","id":1,"room":"r"}`)
			time.Sleep(10 * time.Second)
			p.send(late)
			p.expect(`{"event":"room-leave","id":3,"room":"r"}`)
			p.send(`{"event":"room-left","id":3,"room":"r","kicked":false}`)
			p.drain()
		})
		ctx, cancel := context.WithTimeout(soon(t), time.Second)
		defer cancel()
		want(t, c.Create(ctx, "r"), context.DeadlineExceeded)
		want(t, c.Create(ctx, "nothing is sent any more"), context.DeadlineExceeded)
		<-c.Events()
		if m := <-c.Events(); string(m.Raw) != late {
			t.Errorf("event %s, want the late answer", m.Raw)
		}
		// The connection is as good as before.
		if err := c.Leave(soon(t), "r"); err != nil {
			t.Error(err)
		}
	})(t)
}

func TestSignalSendsDataByteForByte(t *testing.T) {
	for _, tt := range []struct {
		name string
		data any
		sent string
	}{
		{"raw", json.RawMessage("{ \"a\" : 1e400,\t\"b\":\"\\u00e9<\"}"), "{ \"a\" : 1e400,\t\"b\":\"\\u00e9<\"}"},
		{"value", map[string]int{"x": 1}, `{"x":1}`},
		{"nil", nil, `null`},
		{"empty raw", json.RawMessage{}, `null`},
		{"end of candidates", struct{}{}, `{}`},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			c := dial(t, func(p *peer) {
				p.expect(`{"event":"signal-send","room":"r","targetId":"you","data":` + tt.sent + `}`)
				p.untilClosed(1000)
			})
			if err := c.Signal(soon(t), "r", "you", tt.data); err != nil {
				t.Error(err)
			}
			_ = c.Close()
		}))
	}
}

func TestNothingIsSentThatTheServerWouldPunish(t *testing.T) {
	bubble(func(t *testing.T) {
		c := dial(t, func(p *peer) {
			_, got, _ := p.ws.ReadMessage()
			if len(got) != 1000 {
				t.Errorf("server: received %d bytes, want 1000: %.40s", len(got), got)
			}
			p.untilClosed(1000)
		})
		ctx := soon(t)
		want(t, c.Create(ctx, "\xff"), client.ErrInvalidName)
		want(t, c.Signal(ctx, "r", "\xff", nil), client.ErrInvalidName)
		want(t, c.Signal(ctx, "r", "you", json.RawMessage(`{"a":`)), client.ErrInvalidData)
		want(t, c.Signal(ctx, "r", "you", func() {}), client.ErrInvalidData)
		around := len(`{"event":"signal-send","room":"r","targetId":"you","data":""}`)
		want(t, c.Signal(ctx, "r", "you", strings.Repeat("x", 1001-around)), client.ErrMessageTooBig)
		want(t, c.Signal(ctx, "r", "you", strings.Repeat("x", 1000-around)), nil)
		_ = c.Close()
	})(t)
}
