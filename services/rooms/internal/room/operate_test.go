package room

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalling/api/bus"
	"signalling/api/operate"
)

func listed(l operate.RoomList) string {
	all := make([]string, 0, len(l.Rooms))
	for _, r := range l.Rooms {
		all = append(all, r.Name)
	}
	return strings.Join(all, " ")
}

func TestListOfRooms(t *testing.T) {
	p := New(1, Limits{})
	for n := range 20 {
		apply(t, p, bus.Done, create(fmt.Sprintf("r%02d", n), "o", "g", uint64(n+1)))
	}
	apply(t, p, bus.Done, create("other", "o", "g", 30))
	for n, size := range map[int]int{3: 4, 7: 2, 9: 4} {
		for m := range size {
			apply(t, p, bus.Done, join(fmt.Sprintf("r%02d", n), fmt.Sprint("m", m), "h", uint64(40+10*n+m)))
		}
	}
	for _, c := range []struct {
		q     operate.Question
		want  string
		total int
		more  bool
	}{
		{operate.Question{Limit: 100, Prefix: "o"}, "other", 1, false},
		{operate.Question{Limit: 3}, "other r00 r01", 21, true},
		{operate.Question{Limit: 3, Prefix: "r", After: "r16"}, "r17 r18 r19", 20, false},
		{operate.Question{Limit: 2, Prefix: "r", After: "r16"}, "r17 r18", 20, true},
		{operate.Question{Limit: 3, Prefix: "r", After: "r19"}, "", 20, false},
		{operate.Question{Limit: 4, Largest: true}, "r03 r09 r07 other", 21, true},
		{operate.Question{Limit: 3, Prefix: "x"}, "", 0, false},
	} {
		if l := p.List(&c.q); listed(l) != c.want || l.Total != c.total || l.More != c.more {
			t.Errorf("%+v: %q of %d, more %v", c.q, listed(l), l.Total, l.More)
		}
	}
}

// What operators see of a room has none of its secrets, and members come in pages.
func TestLook(t *testing.T) {
	p := New(7, Limits{})
	c := create("r", "owner", "g", 1)
	c.Settings = &bus.Settings{
		Salt: []byte("0123456789abcdef"), Password: "the proof of a password", OwnerKey: "the proof of a key", Capacity: 9,
		Metadata: []byte(`{"a":1}`), SetOwnerLost: true, OwnerLost: bus.Transfer, Lock: true,
	}
	apply(t, p, bus.Done, c)
	policy := p.rooms["r"].policy
	unlock := bus.Command{Op: bus.Update, Room: "r", Client: "owner", Gateway: "g", Seq: 2, Settings: &bus.Settings{Unlock: true}}
	apply(t, p, bus.Done, unlock)
	for n := range 5 {
		j := join("r", fmt.Sprint("m", n), "h", uint64(10+n))
		j.Password, j.Display = "the proof of a password", fmt.Sprint("Member ", n)
		apply(t, p, bus.Done, j)
	}
	q := operate.Question{Room: "r", Limit: 4}
	s, ok := p.Look(&q)
	if !ok || s.Members != 6 || len(s.List) != 4 || s.List[0].Client != "owner" || s.Next == 0 || !s.Password || !s.OwnerKey || s.Locked ||
		s.OnOwnerLost != "transfer" || s.Capacity != 9 || string(s.Metadata) != `{"a":1}` || s.Epoch != 7 || s.Owner != "owner" {
		t.Errorf("%+v", s)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"proof", policy.Password, policy.OwnerKey} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%q is in %s", secret, text)
		}
	}
	q.Since = s.Next
	if s, _ := p.Look(&q); len(s.List) != 2 || s.List[1].Client != "m4" || s.List[1].Display != "Member 4" || s.Next != 0 {
		t.Errorf("the second page: %+v", s)
	}
	if _, ok := p.Look(&operate.Question{Room: "s"}); ok {
		t.Error("there is a room s")
	}
}

func TestMemberships(t *testing.T) {
	p := New(1, Limits{})
	apply(t, p, bus.Done, create("b", "x", "g", 1))
	apply(t, p, bus.Done, create("a", "y", "h", 1))
	apply(t, p, bus.Done, join("a", "x", "g", 2))
	all := p.Memberships("x", 10)
	if len(all) != 2 || all[0].Room != "a" || all[0].Owner || all[1].Room != "b" || !all[1].Owner || all[0].Gateway != "g" {
		t.Errorf("%+v", all)
	}
	if all := p.Memberships("x", 1); len(all) != 1 {
		t.Errorf("one at most: %+v", all)
	}
	if all := p.Memberships("z", 10); len(all) != 0 {
		t.Errorf("a stranger: %+v", all)
	}
}

func TestAnOperatorRemovesAMember(t *testing.T) {
	for _, c := range []struct {
		lost   bus.OwnerLost
		client string
		want   bus.Kind
		owner  string // of the event
	}{
		{bus.CloseOnLoss, "m", bus.Left, ""},
		{bus.CloseOnLoss, "owner", bus.Closed, ""},
		{bus.AwaitOwner, "owner", bus.Closed, ""}, // it is not waited for: it could not come back
		{bus.Transfer, "owner", bus.Left, "m"},
		{bus.Transfer, "m", bus.Left, ""},
	} {
		p := New(1, Limits{})
		cr := create("r", "owner", "g", 1)
		cr.Settings = &bus.Settings{SetOwnerLost: true, OwnerLost: c.lost}
		apply(t, p, bus.Done, cr)
		apply(t, p, bus.Done, join("r", "m", "h", 1))
		e, ok := p.Remove("r", c.client)
		if !ok || e.Kind != c.want || e.Client != c.client || e.Owner != c.owner {
			t.Errorf("%+v: %+v, %v", c, e, ok)
		}
		if again, ok := p.Remove("r", c.client); ok {
			t.Errorf("%+v: twice: %+v", c, again)
		}
		if c.want == bus.Closed {
			if p.Rooms() != 0 || p.Members() != 0 || p.Count("r") != 0 {
				t.Errorf("%+v: something is left", c)
			}
			continue
		}
		if e.Policy == nil || !slices.Equal(e.Policy.Banned, []string{c.client}) || e.Policy.Since != e.Stamp || p.Count("r") != 1 {
			t.Errorf("%+v: the policy %+v", c, e.Policy)
		}
		if a := apply(t, p, bus.Refused, join("r", c.client, "h", 9)); a.Code != CodeForbidden {
			t.Errorf("%+v: comes back: %+v", c, a)
		}
	}
	p := New(1, Limits{})
	if _, ok := p.Remove("r", "x"); ok {
		t.Error("from no room")
	}
}
