package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// events has each event once, with both encodings written out.
var events = []struct {
	e             Event
	object, array string
}{
	{&Welcome{ClientID: "c", Protocol: 1, MaxMessageBytes: 262144}, `{"event":"welcome","clientId":"c","protocol":1,"maxMessageBytes":262144}`, `["welcome","c",1,262144]`},
	{&RoomCreated{"r"}, `{"event":"room-created","room":"r"}`, `["room-created","r"]`},
	{&RoomExists{"a\"\n👩"}, `{"event":"room-exists","room":"a\"\n👩"}`, `["room-exists","a\"\n👩"]`},
	{&RoomJoined{Room: "r", OwnerID: "o", Clients: []string{"a", "b"}}, `{"event":"room-joined","room":"r","ownerId":"o","clients":["a","b"]}`, `["room-joined","r","o",["a","b"]]`},
	{&RoomJoined{Room: "r", OwnerID: "o", Clients: []string{}}, `{"event":"room-joined","room":"r","ownerId":"o","clients":[]}`, `["room-joined","r","o",[]]`},
	{
		&RoomJoined{Room: "r", OwnerID: "o", Clients: []string{}, Resumed: true},
		`{"event":"room-joined","room":"r","ownerId":"o","clients":[],"resumed":true}`, `["room-joined","r","o",[],null,true]`,
	},
	{
		&RoomJoined{Room: "r", OwnerID: "o", Clients: []string{}, Options: &RoomState{OnOwnerLost: CloseRoom, Locked: true}, Resumed: true},
		`{"event":"room-joined","room":"r","ownerId":"o","clients":[],"options":{"onOwnerLost":"close","locked":true,"password":false},"resumed":true}`,
		`["room-joined","r","o",[],{"onOwnerLost":"close","locked":true,"password":false},true]`,
	},
	{&Welcome{ClientID: "c", Protocol: 1, MaxMessageBytes: 2, Resume: "t", ResumeWindow: 9}, `{"event":"welcome","clientId":"c","protocol":1,"maxMessageBytes":2,"resume":"t","resumeWindow":9}`, `["welcome","c",1,2,null,"t",9]`},
	{&Welcome{ClientID: "c", Protocol: 1, MaxMessageBytes: 2, ResumeWindow: 9}, `{"event":"welcome","clientId":"c","protocol":1,"maxMessageBytes":2,"resumeWindow":9}`, `["welcome","c",1,2,null,null,9]`},
	{&Resumed{ClientID: "c", Received: 4, Seq: 5, Rooms: []string{}, Resume: "t", ResumeWindow: 9}, `{"event":"resumed","clientId":"c","received":4,"seq":5,"missed":false,"rooms":[],"resume":"t","resumeWindow":9}`, `["resumed","c",4,5,false,[],"t",9]`},
	{&GoingAway{250}, `{"event":"going-away","retryAfter":250}`, `["going-away",250]`},
	{&RoomNotExists{"r"}, `{"event":"room-not-exists","room":"r"}`, `["room-not-exists","r"]`},
	{&RoomLeft{"r", true}, `{"event":"room-left","room":"r","kicked":true}`, `["room-left","r",true]`},
	{&NotInRoom{"r"}, `{"event":"not-in-room","room":"r"}`, `["not-in-room","r"]`},
	{&SignalReceive{"r", "s", json.RawMessage(`{ "x" : 1e2 }`)}, `{"event":"signal-receive","room":"r","senderId":"s","data":{ "x" : 1e2 }}`, `["signal-receive","r","s",{ "x" : 1e2 }]`},
	{&TargetNotFound{"r", "t"}, `{"event":"target-not-found","room":"r","targetId":"t"}`, `["target-not-found","r","t"]`},
	{&ClientJoined{Room: "r", ClientID: "c"}, `{"event":"client-joined","room":"r","clientId":"c"}`, `["client-joined","r","c"]`},
	{&ClientJoined{"r", "c", `"Zoë" 👩`}, `{"event":"client-joined","room":"r","clientId":"c","display":"\"Zoë\" 👩"}`, `["client-joined","r","c","\"Zoë\" 👩"]`},
	{
		&RoomJoined{Room: "r", OwnerID: "o", Clients: []string{"o", "p", "n"}, Displays: map[string]string{"p": "P", "o": "O"}},
		`{"event":"room-joined","room":"r","ownerId":"o","clients":["o","p","n"],"displays":{"o":"O","p":"P"}}`,
		`["room-joined","r","o",["o","p","n"],null,null,{"o":"O","p":"P"}]`,
	},
	{
		&Welcome{ClientID: "c", Protocol: 1, MaxMessageBytes: 2, Display: "C"},
		`{"event":"welcome","clientId":"c","protocol":1,"maxMessageBytes":2,"display":"C"}`, `["welcome","c",1,2,null,null,null,"C"]`,
	},
	{&ClientLeft{"r", "c"}, `{"event":"client-left","room":"r","clientId":"c"}`, `["client-left","r","c"]`},
	{
		&RoomJoined{Room: "r", OwnerID: "o", Clients: []string{}, Options: &RoomState{OnOwnerLost: CloseRoom, Locked: true, Metadata: json.RawMessage(`{ "a":[1]}`)}},
		`{"event":"room-joined","room":"r","ownerId":"o","clients":[],"options":{"onOwnerLost":"close","locked":true,"password":false,"metadata":{ "a":[1]}}}`,
		`["room-joined","r","o",[],{"onOwnerLost":"close","locked":true,"password":false,"metadata":{ "a":[1]}}]`,
	},
	{&OwnerChanged{"r", "c"}, `{"event":"owner-changed","room":"r","ownerId":"c"}`, `["owner-changed","r","c"]`},
	{
		&RoomUpdated{"r", &RoomState{OnOwnerLost: TransferRoom, Capacity: 3, Password: true}},
		`{"event":"room-updated","room":"r","options":{"onOwnerLost":"transfer","capacity":3,"locked":false,"password":true}}`,
		`["room-updated","r",{"onOwnerLost":"transfer","capacity":3,"locked":false,"password":true}]`,
	},
	{&ClientKicked{"r", "c"}, `{"event":"client-kicked","room":"r","clientId":"c"}`, `["client-kicked","r","c"]`},
	{&Welcome{ClientID: "c", Protocol: 1, MaxMessageBytes: 2, ICEServers: json.RawMessage(`[]`)}, `{"event":"welcome","clientId":"c","protocol":1,"maxMessageBytes":2,"iceServers":[]}`, `["welcome","c",1,2,[]]`},
	{&ICEServers{json.RawMessage(`[{"urls":["stun:x"]}]`), 7}, `{"event":"ice-servers","iceServers":[{"urls":["stun:x"]}],"expiresIn":7}`, `["ice-servers",[{"urls":["stun:x"]}],7]`},
	{&TokenExpiring{60000}, `{"event":"token-expiring","expiresIn":60000}`, `["token-expiring",60000]`},
	{&TokenRefreshed{0}, `{"event":"token-refreshed","expiresIn":0}`, `["token-refreshed",0]`},
	{&Error{Message: "m", Code: BadRequest}, `{"event":"error","message":"m","code":"bad-request"}`, `["error","m","bad-request"]`},
	{&Error{"m", RateLimited, 250}, `{"event":"error","message":"m","code":"rate-limited","retryAfter":250}`, `["error","m","rate-limited",250]`},
}

func TestOptionalArgumentsKeepTheirPlaces(t *testing.T) {
	for _, c := range []struct {
		e    Event
		want string
	}{
		{&RoomLeft{"r", true}, `["room-left","r",true]`},
		{&Error{Message: "m", Code: BadRequest}, `["error","m","bad-request",null]`},
		{&ClientJoined{Room: "r", ClientID: "c"}, `["client-joined","r","c",null]`},
		{&ClientJoined{"r", "c", "C"}, `["client-joined","r","c","C"]`},
		{&RoomJoined{Room: "r", OwnerID: "o", Clients: []string{}}, `["room-joined","r","o",[],null,null,null]`},
		{&RoomJoined{Room: "r", OwnerID: "o", Clients: []string{}, Resumed: true}, `["room-joined","r","o",[],null,true,null]`},
	} {
		if got := string(AppendFullArray(nil, c.e)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestDisplayIdentitiesAreShortAndStayInTheirLine(t *testing.T) {
	for _, good := range []string{"", "Alice", "  Zoë 👩\u200d🚀 ", "\u05d0\u200f!", strings.Repeat("é", MaxDisplayBytes/2)} {
		if err := CheckDisplay(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		strings.Repeat("x", MaxDisplayBytes+1), "a\nb", "a\x00", "\x7f", "\u0085", "\u2028", "\u2029", "a\u202eb", "\u2066", "\xff",
	} {
		if CheckDisplay(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestEventsHaveTwoEncodings(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range events {
		seen[c.e.Name()] = true
		if got := string(AppendObject(nil, c.e, nil)); got != c.object {
			t.Errorf("object %s\n want %s", got, c.object)
		}
		if got := string(AppendArray(nil, c.e)); got != c.array {
			t.Errorf("array %s\n want %s", got, c.array)
		}
		e, id, err := DecodeObject([]byte(c.object))
		if err != nil || id != nil || !reflect.DeepEqual(e, c.e) {
			t.Errorf("DecodeObject(%s) = %+v, %s, %v", c.object, e, id, err)
		}
		if e, err = DecodeArray([]byte(c.array)); err != nil || !reflect.DeepEqual(e, c.e) {
			t.Errorf("DecodeArray(%s) = %+v, %v", c.array, e, err)
		}
	}
	for _, name := range EventNames {
		if !seen[name] || NewEvent(name).Name() != name {
			t.Errorf("%s is missing in this test or in NewEvent", name)
		}
	}
}

func TestAnAnswerRepeatsTheID(t *testing.T) {
	for _, id := range []string{`7`, `"x\u0041"`, `-1.5e3`} {
		frame := AppendObject(nil, &NotInRoom{"r"}, []byte(id))
		if want := `{"event":"not-in-room","id":` + id + `,"room":"r"}`; string(frame) != want {
			t.Errorf("%s, want %s", frame, want)
		}
		if _, got, err := DecodeObject(frame); err != nil || string(got) != id {
			t.Errorf("id %s, %v, want %s", got, err, id)
		}
	}
}

func TestTheSpliceIsTheEncoding(t *testing.T) {
	e := &SignalReceive{"a\"room\x00", "s", json.RawMessage(`[1, {"a" : "\ud83d"}]`)}
	if got, want := AppendSignalObject(nil, e.Room, e.SenderID, e.Data), AppendObject(nil, e, nil); !bytes.Equal(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := AppendSignalArray(nil, e.Room, e.SenderID, e.Data), AppendArray(nil, e); !bytes.Equal(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNewerEventsAreUnderstoodOrIgnored(t *testing.T) {
	e, _, err := DecodeObject([]byte(`{"new":{},"clientId":"c","room":"r","event":"client-left","more":[1]}`))
	if err != nil || !reflect.DeepEqual(e, &ClientLeft{"r", "c"}) {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err = DecodeArray([]byte(`["client-left","r","c",{"more":1}]`)); err != nil || !reflect.DeepEqual(e, &ClientLeft{"r", "c"}) {
		t.Errorf("%+v, %v", e, err)
	}
	if _, _, err = DecodeObject([]byte(`{"event":"host-changed"}`)); !errors.Is(err, ErrUnknownEvent) {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{``, `7`, `{}`, `{"event":7}`, `{"event":"client-left","room":"r"}`, `{"event":"room-left","room":"r","kicked":1}`, `{"event":"client-left","room":1,"clientId":"c"}`} {
		if e, _, err := DecodeObject([]byte(bad)); err == nil || errors.Is(err, ErrUnknownEvent) {
			t.Errorf("%s: %v, %v", bad, e, err)
		}
	}
}

func TestCommands(t *testing.T) {
	room256 := strings.Repeat("👩", 64)
	cases := []struct {
		object, array string
		want          Command
	}{
		{`{"event":"room-create","room":"r"}`, `["room-create","r"]`, Command{Op: RoomCreate, Room: []byte("r")}},
		{`{"event":"room-join","room":"` + room256 + `"}`, `["room-join","` + room256 + `"]`, Command{Op: RoomJoin, Room: []byte(room256)}},
		{` {"room":"\u0061\n","event":"room-leave","x":[]} `, ` [ "room-leave" , "a\n" , 7 ] `, Command{Op: RoomLeave, Room: []byte("a\n")}},
		{`{"event":"signal-send","room":"r","targetId":"t","data":{ "a":1 }}`, `["signal-send","r","t",{ "a":1 }]`, Command{Op: SignalSend, Room: []byte("r"), TargetID: []byte("t"), Data: []byte(`{ "a":1 }`)}},
		{`{"event":"token-refresh","token":"a.b.c"}`, `["token-refresh","a.b.c"]`, Command{Op: TokenRefresh, Token: []byte("a.b.c")}},
		{`{"event":"ice-servers"}`, `["ice-servers"]`, Command{Op: ICEServersGet}},
		{`{"event":"signal-send","room":"r","targetId":"t"}`, `["signal-send","r","t"]`, Command{Op: SignalSend, Room: []byte("r"), TargetID: []byte("t"), Data: null}},
		{`{"event":"signal-send","room":"r","targetId":"t","data":null}`, `["signal-send","r","t",null]`, Command{Op: SignalSend, Room: []byte("r"), TargetID: []byte("t"), Data: null}},
		{`{"event":"room-kick","room":"r","targetId":"t"}`, `["room-kick","r","t"]`, Command{Op: RoomKick, Room: []byte("r"), TargetID: []byte("t")}},
		{`{"event":"room-create","room":"r","options":null}`, `["room-create","r",null]`, Command{Op: RoomCreate, Room: []byte("r")}},
		{`{"event":"room-join","room":"r","password":"p\u0061"}`, `["room-join","r","pa"]`, Command{Op: RoomJoin, Room: []byte("r"), Password: []byte("pa")}},
		{`{"event":"room-join","room":"r","ownerKey":"k"}`, `["room-join","r",null,"k"]`, Command{Op: RoomJoin, Room: []byte("r"), OwnerKey: []byte("k")}},
		{
			`{"event":"room-create","room":"r","options":{"onOwnerLost":"grace","capacity":2,"locked":false,"password":"p","ownerKey":"k","metadata":{ "x":1}}}`,
			`["room-create","r",{"metadata":{ "x":1},"ownerKey":"k","password":"p","locked":false,"capacity":2,"onOwnerLost":"grace"}]`,
			Command{Op: RoomCreate, Room: []byte("r"), Options: &RoomOptions{
				OnOwnerLost: AwaitOwner, Capacity: 2, Locked: new(bool), Password: new("p"), OwnerKey: new("k"), Metadata: json.RawMessage(`{ "x":1}`),
			}},
		},
		{
			`{"event":"room-update","room":"r","options":{"capacity":null,"password":null,"ownerKey":null,"metadata":null}}`,
			`["room-update","r",{"capacity":null,"password":null,"ownerKey":null,"metadata":null}]`,
			Command{Op: RoomUpdate, Room: []byte("r"), Options: &RoomOptions{
				Capacity: NoLimit, Password: new(""), OwnerKey: new(""), Metadata: json.RawMessage("null"),
			}},
		},
		{`{"event":"room-update","room":"r","options":{}}`, `["room-update","r",{}]`, Command{Op: RoomUpdate, Room: []byte("r"), Options: &RoomOptions{}}},
	}
	for _, c := range cases {
		var got Command
		if err := DecodeCommandObject([]byte(c.object), &got); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.object, got, err)
		}
		if ok, err := DecodeCommandArray([]byte(c.array), &got); !ok || err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.array, got, err)
		}
		if err := DecodeCommandObject(c.want.AppendObject(nil), &got); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s came back as %+v, %v", c.want.AppendObject(nil), got, err)
		}
		if ok, err := DecodeCommandArray(c.want.AppendArray(nil), &got); !ok || err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s came back as %+v, %v", c.want.AppendArray(nil), got, err)
		}
	}
}

func TestBadCommandsAreRefusedWithTheirID(t *testing.T) {
	long := strings.Repeat("x", MaxRoomBytes+1)
	for _, c := range []struct{ frame, id string }{
		{``, ``},
		{`x`, ``},
		{`[]`, ``},
		{`"room-join"`, ``},
		{`{"event":"room-join","room":"r"`, ``},
		{`{"event":"room-join","room":"r"}x`, ``},
		{`{}`, ``},
		{`{"id":1}`, `1`},
		{`{"event":7,"id":1}`, `1`},
		{`{"event":"","id":1}`, `1`},
		{`{"event":"room-explode","id":1,"room":"r"}`, `1`},
		{`{"event":"room-joined","id":1,"room":"r"}`, `1`},
		{`{"event":"room-join","id":"a"}`, `"a"`},
		{`{"event":"room-join","id":1,"room":""}`, `1`},
		{`{"event":"room-join","id":1,"room":7}`, `1`},
		{`{"event":"room-join","id":1,"room":null}`, `1`},
		{`{"event":"room-join","id":1,"room":["r"]}`, `1`},
		{`{"event":"room-join","id":1,"room":"` + long + `"}`, `1`},
		{`{"event":"room-join","id":1,"room":"\ud800"}`, `1`},
		{`{"event":"room-join","id":1,"room":"a","room":"b"}`, `1`},
		{`{"event":"room-join","id":{},"room":"a"}`, ``},
		{`{"event":"room-join","id":null,"room":"a"}`, ``},
		{`{"event":"room-join","id":"` + strings.Repeat("x", 200) + `","room":"a"}`, ``},
		{`{"event":"signal-send","id":1,"room":"r"}`, `1`},
		{`{"event":"room-join","id":1,"token":"r"}`, `1`},
		{`{"event":"token-refresh","id":1,"room":"r"}`, `1`},
		{`{"event":"token-refresh","id":1,"token":"` + strings.Repeat("x", MaxTokenBytes+1) + `"}`, `1`},
		{`{"event":"signal-send","id":1,"room":"r","targetId":""}`, `1`},
		{`{"event":"signal-send","id":1,"room":"r","targetId":{}}`, `1`},
		{`{"event":"signal-send","id":1,"room":"r","targetId":"` + strings.Repeat("x", 41) + `"}`, `1`},
		{`{"event":"signal-send","id":1,"targetId":"t","data":1}`, `1`},
		{`{"event":"signal-send","room":"r","targetId":"t","data":{"a":1,}}`, ``},
		{`{"event":"signal-send","room":"r","targetId":"t","data":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, ``},
	} {
		var got Command
		var e *Error
		if err := DecodeCommandObject([]byte(c.frame), &got); !errors.As(err, &e) || e.Code != BadRequest || string(got.ID) != c.id {
			t.Errorf("%.60s: id %s, %v", c.frame, got.ID, err)
		} else if strings.Contains(e.Message, "xx") || !utf8.ValidString(e.Message) {
			t.Errorf("%.60s: the message quotes the input: %s", c.frame, e.Message)
		}
	}
	for frame, ok := range map[string]bool{
		``: false, `{}`: false, `[]`: false, `[1]`: false, `[null,"r"]`: false, `["room-join","r"`: false, `["room-join","r"]x`: false,
		`["x"]`: true, `["room-join"]`: true, `["room-join",1]`: true, `["room-join",""]`: true, `["signal-send","r",["t"],1]`: true,
	} {
		var got Command
		if gotOK, err := DecodeCommandArray([]byte(frame), &got); gotOK != ok || err == nil {
			t.Errorf("%s: %v, %v", frame, gotOK, err)
		}
	}
}

func FuzzDecodeCommand(f *testing.F) {
	f.Add([]byte(`{"event":"signal-send","id":"7","room":"a\u00e9","targetId":"t","data":{"candidate":"candidate:1 1 UDP 2 10.0.0.1 8998 typ host"}}`))
	f.Add([]byte(`["signal-send","lobby","Zl0cN5SwFq3CtrnTwV3p",{"type":"offer","sdp":"v=0\r\n"}]`))
	f.Add([]byte(`{"event":"room-create","room":"👩"}`))
	f.Add([]byte(`["room-join","\ud83d\udc69"]`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if !utf8.Valid(frame) {
			return // the doors refuse it before
		}
		var c Command
		if DecodeCommandObject(frame, &c) == nil {
			checkCommand(t, frame, &c)
		}
		if ok, err := DecodeCommandArray(frame, &c); ok && err == nil {
			checkCommand(t, frame, &c)
		}
	})
}

// checkCommand says what must hold of a command that was accepted: above all, that its data may be spliced into a frame.
func checkCommand(t *testing.T, frame []byte, c *Command) {
	t.Helper()
	if c.Op == ICEServersGet || (c.Op == TokenRefresh && len(c.Token) > 0 && len(c.Token) <= MaxTokenBytes) {
		return
	}
	if c.Op.String() == "" || len(c.Room) == 0 || len(c.Room) > MaxRoomBytes || !utf8.Valid(c.Room) {
		t.Fatalf("%q gave %+v", frame, c)
	}
	if c.Op != SignalSend {
		return
	}
	out := AppendSignalObject(nil, string(c.Room), "s", c.Data)
	var e struct {
		Event, Room, SenderID string
		Data                  json.RawMessage
	}
	if err := json.Unmarshal(out, &e); err != nil || e.Event != SignalReceiveName || e.Room != string(c.Room) || e.SenderID != "s" {
		t.Fatalf("%q gave %q: %v", frame, out, err)
	}
}

func TestCloseCodes(t *testing.T) {
	for _, c := range Closes {
		if c.Code.Reason() != c.Reason || c.Code.Reconnect() != c.Reconnect || len(c.Reason) > 123 {
			t.Errorf("%+v", c)
		}
	}
	if !CloseCode(1006).Reconnect() || CloseCode(1006).Reason() != "" {
		t.Error("1006 is the network's")
	}
}

func BenchmarkSignal(b *testing.B) {
	frame := []byte(`{"event":"signal-send","room":"meeting-room-17","targetId":"Zl0cN5SwFq3CtrnTwV3p","data":` + `"` + strings.Repeat("x", 298) + `"}`)
	b.Run("decode command 300 B", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c Command
			if err := DecodeCommandObject(frame, &c); err != nil {
				b.Fatal(err)
			}
		}
	})
	var c Command
	_ = DecodeCommandObject(frame, &c)
	buf, room := make([]byte, 0, 1024), string(c.Room)
	b.Run("encode event 300 B", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = AppendSignalObject(buf[:0], room, "Zl0cN5SwFq3CtrnTwV3q", c.Data)
		}
	})
}

// Options that are not exactly right are refused: whoever asks for a locked room must not get an open one.
func TestWrongOptionsAreRefused(t *testing.T) {
	for _, options := range []string{
		`7`, `"locked"`, `[]`, `true`, `{"lock":true}`, `{"locked":1}`, `{"locked":null}`, `{"locked":"true"}`, `{"locked":true,"locked":true}`,
		`{"onOwnerLost":"keep"}`, `{"onOwnerLost":null}`, `{"onOwnerLost":1}`, `{"capacity":0}`, `{"capacity":-1}`, `{"capacity":1.5}`,
		`{"capacity":"2"}`, `{"capacity":99999999999}`, `{"password":""}`, `{"password":1}`, `{"ownerKey":""}`, `{"ownerKey":{}}`,
		`{"password":"` + strings.Repeat("x", MaxPasswordBytes+1) + `"}`, `{"password":"\ud800"}`,
		`{"metadata":"` + strings.Repeat("x", MaxMetadataBytes-1) + `"}`, `{"locked":true,"x":1}`, `{"x":1,"locked":true}`,
	} {
		for _, op := range []string{RoomCreateName, RoomUpdateName} {
			var c Command
			err := DecodeCommandObject([]byte(`{"event":"`+op+`","room":"r","id":1,"options":`+options+`}`), &c)
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != BadRequest || string(c.ID) != "1" {
				t.Errorf("%s with %.80s: %v", op, options, err)
			}
			if ok, err := DecodeCommandArray([]byte(`["`+op+`","r",`+options+`]`), &c); !ok || err == nil {
				t.Errorf("%s with %.80s by position: %v %v", op, options, ok, err)
			}
		}
	}
	for _, command := range []string{
		`{"event":"room-update","room":"r"}`, `{"event":"room-update","room":"r","options":null}`, `{"event":"room-kick","room":"r"}`,
		`{"event":"room-join","room":"r","password":1}`, `{"event":"room-join","room":"r","password":""}`, `{"event":"room-join","room":"r","ownerKey":[]}`,
	} {
		var c Command
		if err := DecodeCommandObject([]byte(command), &c); err == nil {
			t.Errorf("%s is taken as %+v", command, c)
		}
	}
	if err := (&RoomOptions{Capacity: -7}).Check(); err == nil {
		t.Error("a capacity of -7 is taken")
	}
	if err := (&RoomOptions{Capacity: NoLimit, Metadata: json.RawMessage(`[1]`)}).Check(); err != nil {
		t.Error(err)
	}
}
