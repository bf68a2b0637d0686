package asyncapi

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"signalling/api/bus"
	"signalling/api/client"
)

const document = "asyncapi.json"

// object is a JSON object in the making.
type object = map[string]any

// TestSettingsOfTheDocument compares the document with the code, and has its name so that `make settings` writes it.
func TestSettingsOfTheDocument(t *testing.T) {
	want, err := json.MarshalIndent(contract(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if os.Getenv("UPDATE_SETTINGS") != "" {
		if err := os.WriteFile(document, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code says: make settings", document)
	}
}

func contract(t *testing.T) object {
	d := object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": "Signalling server", "version": "1",
			"description": "Clients and the gateway, by the native door (/ws), and the services among each other, over NATS. Socket.IO clients " +
				"emit and hear the same names, with the fields as arguments in the order of PROTOCOL.md, which tells all that is not in here.",
			"license": object{"name": "Apache-2.0"},
		},
		"defaultContentType": "application/json",
		"servers": object{
			"gateway": object{"host": "127.0.0.1:8080", "protocol": "ws", "description": "The native door of a gateway."},
			"nats":    object{"host": "127.0.0.1:4222", "protocol": "nats", "description": "The bus between gateways and rooms."},
		},
		"channels": object{}, "operations": object{},
	}
	addClients(t, d)
	addBus(t, d)
	return d
}

func ref(path string) object { return object{"$ref": "#/" + path} }

// addClients adds the native door. The document describes the server: it receives commands and sends events.
func addClients(t *testing.T, d object) {
	messages, sends := object{}, []any{}
	for _, name := range client.EventNames {
		e := client.NewEvent(name)
		zero := fields(t, client.AppendObject(nil, e, nil))
		fill(e)
		payload := schemaOf(t, client.AppendObject(nil, e, nil), zero)
		payload["properties"].(object)["event"] = object{"const": name}
		payload["properties"].(object)["id"] = object{"description": "The command's, in its answer.", "type": []string{"string", "number"}}
		if name == client.ErrorName {
			payload["properties"].(object)["code"] = object{"enum": client.Codes}
		}
		messages["event-"+name] = object{"name": name, "payload": payload}
		sends = append(sends, ref("channels/native/messages/event-"+name))
	}
	for _, spec := range client.Commands {
		c := client.Command{}
		fill(&c)
		c.Op, c.ID = spec.Op, nil
		payload := schemaOf(t, c.AppendObject(nil), nil)
		properties := payload["properties"].(object)
		properties["event"] = object{"const": spec.Name}
		properties["id"] = object{"description": "Repeated in the answer.", "type": []string{"string", "number"}}
		payload["required"] = append([]string{"event"}, slices.DeleteFunc(slices.Clone(spec.Args), func(arg string) bool { return arg == "data" })...)
		for _, arg := range slices.Concat(spec.Args, spec.Optional) {
			if properties[arg] == nil {
				t.Errorf("%s: its encoding has no %s", spec.Name, arg)
			}
		}
		if got, want := len(properties), len(spec.Args)+len(spec.Optional)+2; got != want {
			t.Errorf("%s has %d fields in its encoding, and %d in the table", spec.Name, got, want)
		}
		messages["command-"+spec.Name] = object{"name": spec.Name, "payload": payload}
		answers := []any{}
		for _, answer := range append(slices.Clone(spec.Answers), client.ErrorName) {
			answers = append(answers, ref("channels/native/messages/event-"+answer))
		}
		d["operations"].(object)[spec.Name] = object{
			"action": "receive", "channel": ref("channels/native"), "messages": []any{ref("channels/native/messages/command-" + spec.Name)},
			"reply": object{"channel": ref("channels/native"), "messages": answers},
		}
	}
	d["operations"].(object)["events"] = object{"action": "send", "channel": ref("channels/native"), "messages": sends}
	d["channels"].(object)["native"] = object{
		"address": "/ws", "servers": []any{ref("servers/gateway")}, "messages": messages,
		"description": "One WebSocket with text frames, each one JSON object. The first is the server's welcome.",
	}
}

// subject is a subject of the bus: an example of it, and what it is with parameters in place of the example's.
type subject struct {
	name, address, example, description string
	parameters                          []string
	message                             appender // nil for an empty one
}

type appender interface{ Append(dst []byte) []byte }

var subjects = []subject{
	{"commands", "sig.cmd.{partition}", bus.CommandSubject(7), "gateway → owner of the partition", []string{"partition"}, allCommands{}},
	{"announcements", "sig.ann.{partition}", bus.AnnounceSubject(7), "gateway → owner of the partition", []string{"partition"}, &bus.Announce{}},
	{"events", "sig.ev.{token}", bus.EventSubject("T"), "owner → gateways with members in the room", []string{"token"}, allEvents{}},
	{"resync", "sig.ctl.resync", bus.ResyncSubject, "owner → all gateways", nil, &bus.Resync{}},
	{"digests", "sig.ctl.digest.{partition}", bus.DigestSubject(7), "owner → all gateways", []string{"partition"}, &bus.Digest{}},
	{"heartbeats", "sig.hb.gw", bus.HeartbeatSubject, "gateway → all rooms instances", nil, &bus.Heartbeat{}},
	{"answers", "sig.gw.{gateway}.ans.{seq}", bus.AnswerSubject("G", 7), "owner → gateway: what answers a command", []string{"gateway", "seq"}, &bus.Answer{}},
	{"corrections", "sig.gw.{gateway}.ans.{seq}", bus.AnswerSubject("G", 7), "owner → gateway: what answers an announcement", []string{"gateway", "seq"}, &bus.Correction{}},
	{"signals", "sig.gw.{gateway}.sig", bus.SignalSubject("G"), "gateway → gateway: two bytes of length, this header of that length, and the client's data untouched", []string{"gateway"}, signalHeader{}},
	{"acks", "sig.gw.{gateway}.ack", bus.AckSubject("G"), "gateway → gateway", []string{"gateway"}, &bus.Ack{}},
	{"gatewayPings", "sig.gw.{gateway}.ping", bus.PingSubject("G"), "rooms → gateway, answered by an empty message", []string{"gateway"}, nil},
	{"gatewayResync", "sig.gw.{gateway}.resync", bus.ResyncOneSubject("G"), "owner → one gateway", []string{"gateway"}, &bus.Resync{}},
	{"take", "sig.gw.{gateway}.take", bus.TakeSubject("G"), "gateway → gateway: a client came for its session", []string{"gateway"}, &bus.Take{}},
	{"taken", "sig.gw.{gateway}.taken.{seq}", bus.TakenSubject("G", 7), "gateway → gateway: four bytes of length, this header of that length, and the frames that the client does not have", []string{"gateway", "seq"}, takenHeader{}},
	{"roomsPings", "sig.own.{instance}.ping", bus.RoomsPingSubject("I"), "rooms, gateway → rooms, answered by an empty message", []string{"instance"}, nil},
}

var parameters = map[string]struct{ example, description string }{
	"partition": {"7", "0 to 63: FNV-1a of the room's name, modulo 64."},
	"token":     {"T", "base64url of the first 16 bytes of the SHA-256 of the room's name."},
	"gateway":   {"G", "The gateway's id, new at each start."},
	"instance":  {"I", "The rooms instance's id, new at each start."},
	"seq":       {"7", "The request's number, in base 36."},
}

func addBus(t *testing.T, d object) {
	for _, s := range subjects {
		address, params := s.address, object{}
		for _, name := range s.parameters {
			p := parameters[name]
			address = string(bytes.ReplaceAll([]byte(address), []byte("{"+name+"}"), []byte(p.example)))
			params[name] = object{"description": p.description}
		}
		if address != s.example {
			t.Errorf("%s: %s is %q in the document, and %q in the code", s.name, s.address, address, s.example)
		}
		payload := object{"type": "null", "description": "Empty."}
		if s.message != nil {
			fill(s.message)
			payload = schemaOf(t, s.message.Append(nil), nil)
		}
		channel := object{
			"address": s.address, "servers": []any{ref("servers/nats")}, "description": s.description,
			"messages": object{"message": object{"payload": payload}},
		}
		if len(params) > 0 {
			channel["parameters"] = params
		}
		d["channels"].(object)[s.name] = channel
		d["operations"].(object)[s.name] = object{"action": "send", "channel": ref("channels/" + s.name)}
	}
	for name, answer := range map[string]string{"commands": "answers", "announcements": "corrections", "take": "taken"} {
		d["operations"].(object)[name].(object)["reply"] = object{"channel": ref("channels/" + answer)}
	}
}
