package client_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"signalling/pkg/client"
)

func TestEventsAreInTheServersOrder(t *testing.T) {
	bubble(func(t *testing.T) {
		sent := []string{
			welcome,
			`{"event":"client-joined","room":"r","clientId":"x"}`,
			`{"event":"signal-receive","room":"r","senderId":"x","data":{ }}`,
			`{"event":"error","message":"no","code":"bad-request"}`,
			`{"event":"target-not-found","room":"r","targetId":"y"}`,
			`{"event":"not-in-room","room":"r"}`,
			`{"event":"weather","of":"tomorrow"}`,
			`{"event":"room-left","room":"r","kicked":true}`,
		}
		c := dial(t, func(p *peer) {
			p.send(sent[1:]...)
			p.close(1001, "")
		})
		var raw, names []string
		var events []client.Event
		var errs []error
		for m := range c.Events() {
			raw, names, events = append(raw, string(m.Raw)), append(names, m.Name), append(events, m.Event)
			errs = append(errs, m.Err())
			if m.Answer {
				t.Errorf("%s answers nothing", m.Raw)
			}
		}
		if diff := cmp.Diff(sent, raw); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]client.Event{
			&client.Welcome{ClientID: "me", Protocol: 1, MaxMessageBytes: 1000},
			&client.ClientJoined{Room: "r", ClientID: "x"},
			&client.SignalReceive{Room: "r", SenderID: "x", Data: []byte("{ }")},
			&client.Error{Message: "no", Code: client.BadRequest},
			&client.TargetNotFound{Room: "r", TargetID: "y"},
			&client.NotInRoom{Room: "r"},
			nil,
			&client.RoomLeft{Room: "r", Kicked: true},
		}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if names[6] != "weather" {
			t.Errorf("name of the unknown event %q", names[6])
		}
		var coded *client.Error
		if !errors.As(errs[3], &coded) || coded.Code != client.BadRequest {
			t.Errorf("error %v", errs[3])
		}
		want(t, errs[4], client.ErrTargetNotFound)
		want(t, errs[5], client.ErrNotInRoom)
		for _, i := range []int{0, 1, 2, 6, 7} {
			want(t, errs[i], nil)
		}
	})(t)
}

func TestUnreadEventsEndTheClient(t *testing.T) {
	bubble(func(t *testing.T) {
		c := dial(t, func(p *peer) {
			p.send(frames(7)...)
			p.untilClosed(1000)
		}, func(o *client.Options) { o.EventQueue = 8 })
		synctest.Wait()
		if err := c.Err(); err != nil || len(c.Events()) != 8 {
			t.Fatalf("at the bound: error %v, %d events", err, len(c.Events()))
		}
		_ = c.Close()
		want(t, c.Err(), client.ErrClosed)

		c = dial(t, func(p *peer) {
			p.send(frames(8)...)
			p.untilClosed(1000)
		}, func(o *client.Options) { o.EventQueue = 8 })
		<-c.Done()
		want(t, c.Err(), client.ErrEventsUnread)
		want(t, c.Leave(soon(t), "r"), client.ErrEventsUnread)
		if diff := cmp.Diff(append([]string{welcome}, frames(7)...), rest(c)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})(t)
}
