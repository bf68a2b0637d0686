package operate_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signalling/api/bus"
	"signalling/api/operate"
)

var ops = []operate.Op{
	operate.Status, operate.Rooms, operate.Room, operate.Client, operate.Kick, operate.Close, operate.Drain,
	operate.ProbeOpen, operate.ProbeEcho, operate.ProbeRun,
}

// Whoever may only ask cannot act: an operation is taken on subjects of its verb alone.
func TestAnOperationIsTakenOnItsVerbOnly(t *testing.T) {
	reading := []operate.Op{operate.Status, operate.Rooms, operate.Room, operate.Client}
	for _, op := range append(ops, "", "something new") {
		for _, verb := range []bus.Verb{bus.Ask, bus.Do} {
			want := slices.Contains(reading, op) == (verb == bus.Ask)
			q := operate.Question{Op: op, Room: "r", Client: "c"}
			data, err := q.Encode()
			if err != nil {
				t.Fatal(err)
			}
			for _, subject := range []string{bus.AdminGateway(verb, "x"), bus.AdminRooms(verb, bus.Everyone), bus.AdminPartition(verb, 5)} {
				if _, fault := operate.Decode(subject, data); (fault == nil) != want {
					t.Errorf("%q on %s: %v", op, subject, fault)
				} else if fault != nil && fault.Code != operate.Forbidden {
					t.Errorf("%q on %s: code %s", op, subject, fault.Code)
				}
			}
		}
	}
}

func TestQuestions(t *testing.T) {
	ask, do := bus.AdminPartition(bus.Ask, 1), bus.AdminPartition(bus.Do, 1)
	for text, want := range map[string]operate.Code{
		`{"op":"room"}`:              operate.BadRequest,
		`{"op":"client"}`:            operate.BadRequest,
		`{"op":"rooms","new":1}`:     "",
		`{"op":"rooms","limit":"x"}`: operate.BadRequest,
		`[]`:                         operate.BadRequest,
		``:                           operate.BadRequest,
		`{"op":"room","room":"` + strings.Repeat("r", 257) + `"}`:     operate.BadRequest,
		`{"op":"rooms","prefix":"` + strings.Repeat("r", 5000) + `"}`: operate.BadRequest,
	} {
		_, fault := operate.Decode(ask, []byte(text))
		if got := codeOf(fault); got != want {
			t.Errorf("%.40s: %q, want %q", text, got, want)
		}
	}
	if _, fault := operate.Decode(do, []byte(`{"op":"kick","room":"r"}`)); codeOf(fault) != operate.BadRequest {
		t.Errorf("a kick of nobody: %v", fault)
	}
	for text, want := range map[string][2]int{
		`{"op":"rooms"}`:                                 {operate.DefaultLimit, 1},
		`{"op":"rooms","limit":-1,"count":-1}`:           {operate.DefaultLimit, 1},
		`{"op":"rooms","limit":1000000,"count":1000000}`: {operate.MaxLimit, operate.MaxProbes},
	} {
		if q, fault := operate.Decode(ask, []byte(text)); fault != nil || [2]int{q.Limit, q.Count} != want {
			t.Errorf("%s: %+v, %v", text, q, fault)
		}
	}
}

func codeOf(fault *operate.Error) operate.Code {
	if fault == nil {
		return ""
	}
	return fault.Code
}

func TestAnswers(t *testing.T) {
	want := operate.RoomList{Partition: 3, Rooms: []operate.Summary{{Name: "a<b>\x00"}}, Total: 1}
	var got operate.RoomList
	if from, err := operate.DecodeAnswer(operate.EncodeAnswer("x", want, 1<<20), &got); err != nil || from != "x" || !reflect.DeepEqual(got, want) {
		t.Errorf("%q %+v, %v", from, got, err)
	}
	var fault *operate.Error
	from, err := operate.DecodeAnswer(operate.EncodeAnswer("x", operate.Errorf(operate.Retry, "later"), 1<<20), &got)
	if from != "x" || !errors.As(err, &fault) || fault.Code != operate.Retry || fault.Error() != "later" {
		t.Errorf("%q %v", from, err)
	}
	for _, text := range []string{"", "{}", "[]", `{"answer":7}`} {
		if _, err := operate.DecodeAnswer([]byte(text), &got); !errors.Is(err, operate.ErrAnswer) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := operate.DecodeAnswer(operate.EncodeAnswer("x", func() {}, 1<<20), &got); !errors.As(err, &fault) || fault.Code != operate.Failed {
		t.Errorf("what cannot be written: %v", err)
	}
}

func TestMerge(t *testing.T) {
	parts := []operate.RoomList{
		{Rooms: []operate.Summary{{Name: "b", Members: 1}, {Name: "d", Members: 9}}, Total: 2},
		{Rooms: []operate.Summary{{Name: "a", Members: 5}, {Name: "c", Members: 5}}, Total: 7, More: true},
		{},
	}
	names := func(l operate.RoomList) (all string) {
		for _, r := range l.Rooms {
			all += r.Name
		}
		return all
	}
	if l := operate.Merge(parts, &operate.Question{Limit: 10}); names(l) != "abc" || l.Total != 9 || !l.More {
		t.Errorf("%+v", l)
	}
	if l := operate.Merge(parts[:1], &operate.Question{Limit: 2}); names(l) != "bd" || l.More {
		t.Errorf("%+v", l)
	}
	if l := operate.Merge(parts, &operate.Question{Limit: 3, Largest: true}); names(l) != "dac" || !l.More {
		t.Errorf("%+v", l)
	}
}

// A page that begins after the last name of the one before has all that is missing there, also where a part has ended early.
func TestMergedPagesMissNothing(t *testing.T) {
	owners := [][]string{{"a", "c", "e", "g"}, {"b", "d", "f", "h"}, {"i"}}
	q := operate.Question{Limit: 5}
	var got []string
	for {
		var parts []operate.RoomList
		for n, names := range owners {
			list := operate.NewListing(&q)
			for _, name := range names {
				if list.Wants(name, 1) {
					list.Add(operate.Summary{Name: name})
				}
			}
			part := list.List()
			if n == 0 && len(part.Rooms) > 2 { // no place for more
				part.Rooms, part.More = part.Rooms[:2], true
			}
			parts = append(parts, part)
		}
		page := operate.Merge(parts, &q)
		for _, r := range page.Rooms {
			got = append(got, r.Name)
		}
		if !page.More {
			break
		}
		q.After = got[len(got)-1]
	}
	if all := strings.Join(got, ""); all != "abcdefghi" {
		t.Error(all)
	}
}

// A list ends where its message would be too long, and says so.
func TestListsFitAMessage(t *testing.T) {
	const rooms = 3000
	for _, c := range []string{"<", "\x01", "r"} {
		q := operate.Question{Limit: operate.MaxLimit}
		list := operate.NewListing(&q)
		for n := range rooms {
			name := fmt.Sprintf("%s%06d", strings.Repeat(c, 250), (n*7919)%rooms)
			if list.Wants(name, n) {
				list.Add(operate.Summary{Name: name})
			}
		}
		l := list.List()
		data := operate.EncodeAnswer("x", l, operate.MaxListBytes+1024)
		var got operate.RoomList
		if _, err := operate.DecodeAnswer(data, &got); err != nil || len(got.Rooms) < 300 || !got.More || got.Total != rooms {
			t.Errorf("%q: %d rooms of %d, more %v in %d bytes, %v", c, len(got.Rooms), got.Total, got.More, len(data), err)
		}
		for n, r := range got.Rooms {
			if !strings.HasSuffix(r.Name, fmt.Sprintf("%06d", n)) {
				t.Fatalf("%q: room %d is %s", c, n, r.Name)
			}
		}
	}
	var s operate.RoomState
	q := operate.Question{Limit: operate.MaxLimit}
	s.Page(&q, func(yield func(*bus.Member) bool) {
		for n := range 900 {
			if !yield(&bus.Member{Client: strings.Repeat("\x01", 128), Since: uint64(n + 1)}) {
				return
			}
		}
	})
	if n := len(s.List); n == 0 || n == 900 || s.Next != uint64(n) || len(operate.EncodeAnswer("x", s, 1<<20)) > operate.MaxListBytes+1024 {
		t.Errorf("%d members, next %d", n, s.Next)
	}
	all := make([]operate.Membership, 900)
	for n := range all {
		all[n].Room = strings.Repeat("\x01", 256)
	}
	if fit := operate.FitMemberships(all); len(fit) == 0 || len(fit) == 900 {
		t.Errorf("%d memberships", len(fit))
	}
	var fault *operate.Error
	var ignored any
	_, err := operate.DecodeAnswer(operate.EncodeAnswer("x", all, 1<<20), &ignored)
	if !errors.As(err, &fault) || fault.Code != operate.Failed {
		t.Errorf("what is too long: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"op":"kick","room":"lobby","client":"x","limit":3}`)
	f.Add(`{"op":"rooms","prefix":"a","after":"b","largest":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		q, fault := operate.Decode(bus.AdminPartition(bus.Do, 1), []byte(text))
		if fault == nil && (q.Op.Verb() != bus.Do || q.Limit < 1 || q.Limit > operate.MaxLimit) {
			t.Errorf("%+v", q)
		}
	})
}
