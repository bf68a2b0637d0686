package bus

import (
	"reflect"
	"strings"
	"testing"
)

// codecs lists every message once, filled, with an empty one of its kind.
func codecs() []struct {
	full  interface{ Append([]byte) []byte }
	empty interface{ Decode([]byte) error }
} {
	type e = struct {
		full  interface{ Append([]byte) []byte }
		empty interface{ Decode([]byte) error }
	}
	at := Stamp{Epoch: 3, Version: 1 << 60}
	roster := Roster{Stamp: at, Born: Stamp{2, 7}, Owner: "o\"", Members: []Member{{Client: "c", Gateway: "g", Since: 8, Seq: 9}, {Client: "d", Gateway: "h", Since: 10, Seq: 11, Inc: 12, Proven: 11}, {Client: "e", Gateway: "h", Since: 11, Display: `"E" é`}}}
	policy := &Policy{Since: at, OwnerLost: AwaitOwner, Capacity: 9, Locked: true, Password: "p", OwnerKey: "k", Metadata: []byte(`{"a":[1]}`), Banned: []string{"x", "y"}}
	guarded := roster
	guarded.Policy = policy
	return []e{
		{&Command{Op: Kick, Gateway: "g", Seq: 9, Room: "r", Client: "c", Target: "t"}, new(Command)},
		{&Command{Op: Leave, Gateway: "g", Seq: 9, Room: "r", Client: "c", Lost: true}, new(Command)},
		{&Command{Op: Join, Gateway: "g", Seq: 9, Room: "r", Client: "c", Password: "p", OwnerKey: "k"}, new(Command)},
		{&Command{Op: Update, Gateway: "g", Seq: 9, Room: "r", Client: "c", Settings: &Settings{
			SetOwnerLost: true, OwnerLost: Transfer, Capacity: 3, Lock: true, Password: "p", OwnerKey: "k", Metadata: []byte(`7`),
		}}, new(Command)},
		{&Command{Op: Update, Gateway: "g", Seq: 9, Room: "r", Client: "c", Settings: &Settings{
			NoCapacity: true, Unlock: true, NoPassword: true, NoOwnerKey: true, NoMetadata: true,
		}}, new(Command)},
		{&Command{Op: Create, Gateway: "g", Seq: 9, Room: "r", Client: "c", Settings: &Settings{}, Display: "C"}, new(Command)},
		{&Answer{Result: Done, Roster: guarded}, new(Answer)},
		{&Event{Room: "r", Stamp: at, Kind: Left, Client: "c", Gateway: "g", Owner: "d", Policy: policy}, new(Event)},
		{&Event{Room: "r", Stamp: at, Kind: Updated, Policy: &Policy{}}, new(Event)},
		{&Correction{Epoch: 2, Rooms: []CorrectedRoom{{Room: "c", Roster: guarded}}}, new(Correction)},
		{&Announce{Gateway: "g", Rooms: []AnnouncedRoom{{Room: "r", Stamp: at, Born: at, Policy: policy}}}, new(Announce)},
		{&Command{Op: Join, Gateway: "g", Seq: 9, Room: "a \"room\"\n>*", Client: "c", Have: 4, Life: 5}, new(Command)},
		{&Command{Op: Move, Gateway: "g", Seq: 9, Room: "r", Client: "c", Inc: 2, Proven: 1, From: "h", Dead: true}, new(Command)},
		{&Command{Op: Find, Gateway: "g", Seq: 9, Clients: []string{"c", "d"}}, new(Command)},
		{&Answer{Result: Done, Found: []Found{{"c", "r", "g", 2, 1, ""}, {"d", "s", "h", 0, 0, "D"}}}, new(Answer)},
		{&Event{Room: "r", Stamp: at, Kind: Moved, Client: "c", Gateway: "g", Seq: 5, Inc: 1, Dead: true}, new(Event)},
		{&Heartbeat{Gateway: "g", Protocol: 1, Window: 30000}, new(Heartbeat)},
		{&Take{Gateway: "g", Seq: 1, Client: "c", Inc: 2, Received: 3, Door: "native", Display: "C"}, new(Take)},
		{&Taken{Seq: 1, Refused: TakeMoved, To: "g2"}, new(Taken)},
		{&Taken{Seq: 1, Inc: 9, Commands: 2, Sent: 3, Missed: true, Display: "C", Rooms: []TakenRoom{
			{Room: "r", Known: true, Born: at, Clients: []string{"c"}, Owner: "c", Policy: policy}, {Room: "s", From: "h", Dead: true},
		}, Frames: []Frame{{[]byte(`["e"]`), {0, 1}, {}}, {[]byte(`{}`)}}}, new(Taken)},
		{&Answer{Result: Done, Roster: roster}, new(Answer)},
		{&Answer{Result: Refused, Code: "room-full", Message: "m"}, new(Answer)},
		{&Event{Room: "日本👩", Stamp: at, Kind: Joined, Client: "c", Gateway: "g", Seq: 5, Display: "C"}, new(Event)},
		{&Heartbeat{Gateway: "g", Protocol: 1, Leaving: true}, new(Heartbeat)},
		{&Announce{Gateway: "g", Seq: 1, AsOf: 2, Full: true, Part: 3, Last: true, Epoch: 4, Rooms: []AnnouncedRoom{
			{Room: "r", Stamp: at, Born: at, Owner: "o", Digest: 1<<64 - 1, Members: []Member{{Client: "c"}}, Unsettled: []string{"x", "y"}, Displays: []string{"", "Y"}},
			{Room: "empty"},
		}}, new(Announce)},
		{&Correction{Part: 1, Last: true, Epoch: 2, Rooms: []CorrectedRoom{{Room: "a", Gone: true}, {Room: "b", Same: true, Roster: Roster{Stamp: at}}, {Room: "c", Roster: roster}}}, new(Correction)},
		{&Correction{Retry: true}, new(Correction)},
		{&Resync{Partition: -1, Epoch: 1}, new(Resync)},
		{&Resync{Partition: 0, Epoch: 1}, new(Resync)},
		{&Digest{Partition: 63, Epoch: 5, Rooms: []RoomVersion{{"r", 5, true}, {"s", 6, false}}}, new(Digest)},
		{&Ack{From: "g", UpTo: 8, Gap: true, Refused: []Refusal{{7, true}, {8, false}}}, new(Ack)},
		{&Signal{From: "g", Seq: 1, Base: 1, Stamp: at, Room: []byte("r\""), Sender: []byte("s"), Target: []byte("t"), Data: []byte(`{"sdp":"…"}`)}, new(Signal)},
	}
}

func TestMessagesSurviveTheirEncoding(t *testing.T) {
	for _, c := range codecs() {
		text := c.full.Append(nil)
		if err := c.empty.Decode(text); err != nil {
			t.Errorf("%T: %v in %s", c.full, err, text)
		} else if !reflect.DeepEqual(c.full, any(c.empty)) {
			t.Errorf("%T: %s\n got %+v\nwant %+v", c.full, text, c.empty, c.full)
		}
	}
}

func TestUnknownFieldsAndOtherOrdersAreUnderstood(t *testing.T) {
	var c Command
	err := c.Decode([]byte(`{"new":[1,{"x":2}],"client":"c","room":"r","seq":7,"gw":"g","op":"join","have":null}`))
	if want := (Command{Op: Join, Gateway: "g", Seq: 7, Room: "r", Client: "c"}); err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, text := range []string{``, `[]`, `{}`, `{"op":"join"}`, `{"op":1,"gw":"g","room":"r","client":"c"}`, `{"op":"join","gw":"g","room":"r","client":"c","seq":-1}`} {
		if err := new(Command).Decode([]byte(text)); err == nil {
			t.Errorf("%s is taken for a command", text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range codecs() {
		f.Add(c.full.Append(nil))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, c := range codecs() {
			if c.empty.Decode(text) != nil {
				continue
			}
			again := reflect.New(reflect.TypeOf(c.empty).Elem()).Interface().(interface {
				Append([]byte) []byte
				Decode([]byte) error
			})
			encoded := c.empty.(interface{ Append([]byte) []byte }).Append(nil)
			if err := again.Decode(encoded); err != nil || !reflect.DeepEqual(again, any(c.empty)) {
				t.Fatalf("%T: %q became %q: %v", c.empty, text, encoded, err)
			}
		}
	})
}

func TestSubjects(t *testing.T) {
	token := Token("lobby")
	if len(token) != 22 || strings.ContainsAny(token, ".*> ") {
		t.Errorf("token %q", token)
	}
	for _, name := range []string{">", "*", "a.b", "a b", "\r\n", strings.Repeat("👩", 64)} {
		if s := EventSubject(Token(name)); strings.Count(s, ".") != 2 || strings.ContainsAny(s, "*> \r\n") {
			t.Errorf("room %q has subject %q", name, s)
		}
	}
	for p := range Partitions {
		for _, s := range []string{CommandSubject(p), AnnounceSubject(p), DigestSubject(p)} {
			if got, ok := PartitionOf(s); !ok || got != p {
				t.Errorf("%s is partition %d, %v", s, got, ok)
			}
		}
	}
	for _, s := range []string{"sig.cmd.64", "sig.cmd.-1", "sig.cmd.x", "sig.cmd."} {
		if p, ok := PartitionOf(s); ok {
			t.Errorf("%s is partition %d", s, p)
		}
	}
	for subject, want := range map[string][2]string{
		AnswerSubject("g", 35): {"ans", "z"},
		SignalSubject("g"):     {"sig", ""},
		AckSubject("g"):        {"ack", ""},
		PingSubject("g"):       {"ping", ""},
		ResyncOneSubject("g"):  {"resync", ""},
		"sig.gw.g":             {"", ""},
	} {
		if kind, rest := GatewaySubject(subject); kind != want[0] || rest != want[1] {
			t.Errorf("%s is %q %q", subject, kind, rest)
		}
	}
	for subject, want := range map[string]MessageKind{
		EventSubject(token): EventMessage, AckSubject("g"): GatewayMessage, ResyncSubject: ResyncMessage,
		DigestSubject(7): DigestMessage, HeartbeatSubject: OtherMessage, CommandSubject(1): OtherMessage,
	} {
		if got := KindOf(subject); got != want {
			t.Errorf("%s is of kind %d, want %d", subject, got, want)
		}
	}
	if seq, ok := AnswerSeq("z"); !ok || seq != 35 {
		t.Errorf("answer %d %v", seq, ok)
	}
}

// The partition of a name is part of the contract between running versions, so it is pinned, by a published test vector
// of FNV-1a.
func TestPartitionIsPinned(t *testing.T) {
	if got := Partition("foobar"); got != int(uint32(0xbf9cf968)%Partitions) || got != Partition([]byte("foobar")) {
		t.Errorf("Partition is not FNV-1a: %d", got)
	}
}

func TestDigestSeesEveryDifference(t *testing.T) {
	base := Roster{Owner: "o", Members: []Member{{Client: "a", Gateway: "g"}, {Client: "b", Gateway: "g"}}}
	others := []Roster{
		{Owner: "p", Members: base.Members},
		{Owner: "o", Members: base.Members[:1]},
		{Owner: "o", Members: []Member{base.Members[1], base.Members[0]}},
		{Owner: "o", Members: []Member{{Client: "a", Gateway: "h"}, {Client: "b", Gateway: "g"}}},
		{Owner: "o", Members: base.Members, Policy: &Policy{Since: Stamp{1, 2}}},
		{Owner: "o", Members: base.Members, Policy: &Policy{Since: Stamp{2, 1}}},
		{Owner: "o", Members: []Member{{Client: "ag", Gateway: ""}, {Client: "b", Gateway: "g"}}},
	}
	for _, o := range others {
		if o.Digest() == base.Digest() {
			t.Errorf("%+v has the digest of %+v", o, base)
		}
	}
}

func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		for _, id := range []string{NewID(), NewClientID()} {
			if seen[id] || strings.ContainsAny(id, ".*> ") || len(id) > 20 {
				t.Fatalf("id %q", id)
			}
			seen[id] = true
		}
	}
}

func BenchmarkMessages(b *testing.B) {
	event := Event{Room: "meeting-room-17", Stamp: Stamp{1_790_000_000_000, 4711}, Kind: Joined, Client: NewClientID(), Gateway: NewID(), Seq: 99}
	signal := Signal{From: NewID(), Seq: 1, Base: 1, Stamp: event.Stamp, Room: []byte(event.Room), Sender: []byte(event.Client), Target: []byte(event.Client), Data: []byte(strings.Repeat("x", 300))}
	var buf []byte
	b.Run("event encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = event.Append(buf[:0])
		}
	})
	text := event.Append(nil)
	b.Run("event decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e Event
			if err := e.Decode(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("signal encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = signal.Append(buf[:0])
		}
	})
	text = signal.Append(nil)
	b.Run("signal decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var s Signal
			if err := s.Decode(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestAProofIsOfUseInOneRoomOnly(t *testing.T) {
	a := Proof("room", "secret")
	if a != Proof("room", []byte("secret")) || a == Proof("other", "secret") || a == Proof("room", "secrets") || strings.Contains(a, "secret") {
		t.Errorf("proof %q", a)
	}
}

func TestADisplayIdentityFitsItsBound(t *testing.T) {
	for _, display := range []string{"", "A", `"\"`, "é👩"} {
		plain, shown := Member{Client: "c"}, Member{Client: "c", Display: display}
		if grown := len(appendMember(nil, &shown)) - len(appendMember(nil, &plain)); grown > DisplaySize(display) {
			t.Errorf("%q adds %d bytes, bounded by %d", display, grown, DisplaySize(display))
		}
	}
}

func TestThePolicyFitsItsBound(t *testing.T) {
	p := Policy{Since: Stamp{1<<64 - 1, 1<<64 - 1}, OwnerLost: Transfer, Capacity: 1<<64 - 1, Locked: true, Password: Proof("r", "p"), Metadata: []byte(`"x"`)}
	for range MaxBanned {
		p.Banned = append(p.Banned, NewClientID())
	}
	e := Event{Room: "r", Kind: Updated}
	plain := len(e.Append(nil))
	if e.Policy = &p; len(e.Append(nil))-plain > p.MaxSize() || (*Policy)(nil).MaxSize() != 0 {
		t.Errorf("%d bytes, bounded by %d", len(e.Append(nil))-plain, p.MaxSize())
	}
}
