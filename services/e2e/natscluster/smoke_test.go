package natscluster_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"signalling/pkg/client"
	"signalling/services/e2e/labtest"
)

// smoke lets two clients do everything once.
func smoke(t *testing.T, ownerURL, memberURL string) {
	t.Helper()
	ctx := labtest.Context(t)
	owner, member := labtest.DialURL(t, ownerURL, nil), labtest.DialURL(t, memberURL, nil)
	room := labtest.Room(t)
	if _, err := member.Join(ctx, room); !errors.Is(err, client.ErrRoomNotExists) {
		t.Fatalf("joining a room that does not exist: %v", err)
	}
	if err := owner.Create(ctx, room); err != nil {
		t.Fatal(err)
	}
	if err := member.Create(ctx, room); !errors.Is(err, client.ErrRoomExists) {
		t.Fatalf("creating a room that exists: %v", err)
	}
	joined, err := member.Join(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	if joined.OwnerID != owner.ID() || !slices.Equal(joined.Clients, []string{owner.ID()}) {
		t.Fatalf("joined: %+v, want the owner %s alone", joined, owner.ID())
	}
	labtest.Expect(t, owner, func(e *client.ClientJoined) bool { return e.Room == room && e.ClientID == member.ID() })
	for from, to := range map[*client.Client]*client.Client{owner: member, member: owner} {
		if err := from.Signal(ctx, room, to.ID(), json.RawMessage(`{"n":1}`)); err != nil {
			t.Fatal(err)
		}
		labtest.Expect(t, to, func(e *client.SignalReceive) bool {
			return e.Room == room && e.SenderID == from.ID() && string(e.Data) == `{"n":1}`
		})
	}
	if err := member.Leave(ctx, room); err != nil {
		t.Fatal(err)
	}
	labtest.Expect(t, owner, func(e *client.ClientLeft) bool { return e.Room == room && e.ClientID == member.ID() })
	if _, err := member.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	labtest.Expect(t, member, func(e *client.RoomLeft) bool { return e.Room == room && e.Kicked })
}
