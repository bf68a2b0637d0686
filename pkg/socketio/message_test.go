package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestMessagesAreParsed(t *testing.T) {
	const largest = AckID(math.MaxUint64) // 2^64-2 on the wire
	cases := []struct {
		in          string
		kind        byte
		attachments int
		namespace   string
		ack         AckID
		payload     string
	}{
		{"0", '0', 0, "", 0, ""},
		{`0{"token":"x"}`, '0', 0, "", 0, `{"token":"x"}`},
		{"0/", '0', 0, "", 0, ""},
		{"0/,", '0', 0, "", 0, ""},
		{"0/x", '0', 0, "/x", 0, ""},
		{`0/x,{"a":1}`, '0', 0, "/x", 0, `{"a":1}`},
		{"0/x?a=b&c=1,", '0', 0, "/x?a=b&c=1", 0, ""},
		{"1", '1', 0, "", 0, ""},
		{"1/x,", '1', 0, "/x", 0, ""},
		{`2["a"]`, '2', 0, "", 0, `["a"]`},
		{`2[ "a" ]`, '2', 0, "", 0, `[ "a" ]`},
		{`2["日本","👩"]`, '2', 0, "", 0, `["日本","👩"]`},
		{`2["a\"]b",1]`, '2', 0, "", 0, `["a\"]b",1]`},
		{`2/,["a"]`, '2', 0, "", 0, `["a"]`},
		{`2/x,["a"]`, '2', 0, "/x", 0, `["a"]`},
		{`217["a"]`, '2', 0, "", 18, `["a"]`},
		{`2/x,7["a"]`, '2', 0, "/x", 8, `["a"]`},
		{`20["a"]`, '2', 0, "", 1, `["a"]`},
		{`218446744073709551614["a"]`, '2', 0, "", largest, `["a"]`},
		{`29007199254740993["a"]`, '2', 0, "", 9007199254740994, `["a"]`},
		{`31[]`, '3', 0, "", 2, `[]`},
		{`51-["a",{"_placeholder":true,"num":0}]`, '5', 1, "", 0, `["a",{"_placeholder":true,"num":0}]`},
		{`52-/x,9["a"]`, '5', 2, "/x", 10, `["a"]`},
		{`50-["a"]`, '5', 0, "", 0, `["a"]`},
		{`61-3[1]`, '6', 1, "", 4, `[1]`},
	}
	for _, c := range cases {
		m, err := parseMessage([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if m.kind != c.kind || m.attachments != c.attachments || string(m.namespace) != c.namespace ||
			m.ack != c.ack || string(m.payload) != c.payload {
			t.Errorf("%s: %c, %d attachments, namespace %q, ack %s, payload %q",
				c.in, m.kind, m.attachments, m.namespace, m.ack, m.payload)
		}
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	for _, in := range []string{
		"", "/", "9", "abc", "7[]", // types that there are not
		`4{"message":"x"}`, "4", // only servers send it
		"2", "25", "2{}", `2"x"`, "2[]", "2[1", "2null", "2[", "2]", "2[5]", `2[null,1]`, `2["a"`, `2["a]`, // payloads
		`2 ["a"]`, `2["a"] `, `2[["a"]]`, `2[{}]`,
		`2["connect"]`, `2["connect_error"]`, `2["disconnect"]`, `2["disconnecting",1]`, `2["newListener"]`,
		`2["removeListener"]`, `2["\u0063onnect"]`, `2["a\x"]`, `2["a\`, `2["a\"]`, // names
		`2abc["a"]`, `2-1["a"]`, `21.5["a"]`, `21`, // acknowledgement ids
		`218446744073709551615["a"]`, `218446744073709551616["a"]`, `2` + strings.Repeat("9", 400) + `["a"]`,
		"3", "3[]", "31", "31{}", `3["a"]`, // acknowledgements
		"0[]", `0"x"`, "0null", "0{", `0{"a":}`, "012", `012{"a":1}`, `0/x,[]`, // connects
		"1{}", "15", `1["a"]`, // disconnects
		`5["a"]`, `5-["a"]`, `5x-["a"]`, `51["a"]`, `51`, `51-`, `51-{}`, `599999-["a"]`, `5-1-["a"]`, // counts
		`6-1[1]`, `61-[1]`,
	} {
		if m, err := parseMessage([]byte(in)); !errors.Is(err, errMalformed) {
			t.Errorf("%s: taken as %c %q, %v", in, m.kind, m.payload, err)
		}
	}
}

func TestAckIDs(t *testing.T) {
	if AckID(0).Wanted() || AckID(0).String() != "" {
		t.Error("the zero value must stand for no acknowledgement")
	}
	for _, digits := range []string{"0", "1", "17", "9007199254740993", "18446744073709551614"} {
		id, rest, err := cutAckID([]byte(digits + "["))
		if err != nil || !id.Wanted() || id.String() != digits || string(rest) != "[" {
			t.Errorf("%s: %s, %q, %v", digits, id, rest, err)
		}
		if got := string(NewAck(id, []byte(`["x"]`)).text()); got != "43"+digits+`["x"]` {
			t.Errorf("%s: answered as %s", digits, got)
		}
	}
}

func TestPlaceholdersAndAttachmentsBelongTogether(t *testing.T) {
	cases := []struct {
		payload string
		count   int
		ok      bool
	}{
		{`["a",{"_placeholder":true,"num":0}]`, 1, true},
		{`["a",{"num":0,"_placeholder":true}]`, 1, true},
		{`["a",{"x":[1,{"y":{"_placeholder":true,"num":1}}]},{"_placeholder":true,"num":0}]`, 2, true},
		{`["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, 1, true},
		{`["a",{"num":7},{"placeholder":true}]`, 0, true},
		{`["_placeholder",true,"num",5]`, 0, true},
		{`["a",{"x":"_placeholder","num":9}]`, 0, true},
		{`["a",{"_placeholder":true,"num":0}]`, 0, false},
		{`["a",{"_placeholder":true,"num":1}]`, 1, false},
		{`["a",{"_placeholder":true,"num":-1}]`, 1, false},
		{`["a",{"_placeholder":true,"num":0.5}]`, 1, false},
		{`["a",{"_placeholder":true,"num":"0"}]`, 1, false},
		{`["a",{"_placeholder":true,"num":{}}]`, 1, false},
		{`["a",{"_placeholder":true}]`, 1, false},
		{`["a",{"_placeholder":true,"num":0,"num":3}]`, 1, false},
		{`["a",{"_placeholder":1,"num":0}]`, 1, false},
		{`["a",{"_placeholder":{},"num":0}]`, 1, false},
		{`["a",{"_placeholder":false,"num":0}]`, 1, false},
		{`["a"]`, 1, false},
		{`["a",{"_placeholder":true,"num":0}]`, 2, false},
		{`["a",{"_placeholder":true,"num":1e400},{"_placeholder":true,"num":0}]`, 1, false},
		{`["a",{"_placeholder":true,"num":0}`, 1, false},
		{`["a",` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `]`, 0, false}, // deeper than JSON is read
	}
	for _, c := range cases {
		err := checkPlaceholders([]byte(c.payload), c.count)
		if (err == nil) != c.ok || (err != nil && !errors.Is(err, errMalformed)) {
			t.Errorf("%.80s with %d attachments: %v", c.payload, c.count, err)
		}
	}
}

// What is parsed keeps every byte: put together again it is the same message.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		"0", `0{"token":"x"}`, "1", `2["a"]`, `217["signal-send","r","t",{"a":1}]`, `2/x,7["a"]`,
		`31[]`, `51-["a",{"_placeholder":true,"num":0}]`, `61-3[1]`, `2["\u0063onnect"]`, "0/x?a=b,", `2["error","message"]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		kept := bytes.Clone(in)
		m, err := parseMessage(in)
		if !bytes.Equal(in, kept) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if !bytes.HasSuffix(in, m.payload) || in[0] != m.kind {
			t.Fatalf("payload %q of %q", m.payload, in)
		}
		if m.kind == typeEvent || m.kind == typeBinaryEvent {
			checkEventName(t, m.payload)
		}
		if m.ack.Wanted() {
			digits := strings.TrimLeft(m.ack.String(), "0")
			if !strings.Contains(string(in), digits) {
				t.Fatalf("acknowledgement id %s of %q", m.ack, in)
			}
		}
	})
}

// checkEventName asks the JSON decoder about an event that has passed.
func checkEventName(t *testing.T, payload []byte) {
	t.Helper()
	var args []any
	if json.Unmarshal(payload, &args) != nil {
		return // left to the handler
	}
	name, ok := args[0].(string)
	if !ok || reserved(name) {
		t.Fatalf("%q has passed", payload)
	}
}

// A payload that passes has a placeholder for each attachment and none without, by the account of another parser.
func FuzzPlaceholders(f *testing.F) {
	f.Add([]byte(`["a",{"_placeholder":true,"num":0}]`), 1)
	f.Add([]byte(`["a",{"x":[{"num":1,"_placeholder":true}]},{"_placeholder":true,"num":0}]`), 2)
	f.Add([]byte(`["a",{"_placeholder":true,"num":0,"num":1}]`), 1)
	f.Fuzz(func(t *testing.T, payload []byte, count int) {
		count &= 7
		if checkPlaceholders(payload, count) != nil {
			return
		}
		var v any
		if err := json.Unmarshal(payload, &v); err != nil && !strings.Contains(err.Error(), "number") {
			t.Fatalf("%q passed: %v", payload, err)
		}
		named := make([]bool, count)
		walk(t, v, named)
		for i, ok := range named {
			if v != nil && !ok {
				t.Fatalf("%q passed without placeholder %d", payload, i)
			}
		}
	})
}

// walk finds the placeholders as the JavaScript parser does.
func walk(t *testing.T, v any, named []bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			walk(t, e, named)
		}
	case map[string]any:
		if v["_placeholder"] == true {
			num, ok := v["num"].(float64)
			if !ok || num != math.Trunc(num) || num < 0 || int(num) >= len(named) {
				t.Fatalf("placeholder %v has passed", v)
			}
			named[int(num)] = true
			return
		}
		for _, e := range v {
			walk(t, e, named)
		}
	}
}
