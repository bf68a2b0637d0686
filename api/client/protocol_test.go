package client

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// PROTOCOL.md tells what the code does: its tables are made here and compared.
func TestProtocolPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands, events, closes strings.Builder
	commands.WriteString("| command | arguments | answers |\n|---|---|---|\n")
	for _, c := range Commands {
		fmt.Fprintf(&commands, "| %#q | %s | %s |\n", c.Name, quoted(append(c.Args, marked(c.Optional)...)), quoted(append(c.Answers, ErrorName)))
	}
	events.WriteString("| event | arguments |\n|---|---|\n")
	for _, name := range EventNames {
		fmt.Fprintf(&events, "| %#q | %s |\n", name, quoted(fieldsOf(NewEvent(name))))
	}
	closes.WriteString("| close code | reason | connect again? |\n|---|---|---|\n")
	for _, c := range Closes {
		fmt.Fprintf(&closes, "| %d | %s | %s |\n", c.Code, c.Reason, map[bool]string{true: "yes", false: "no"}[c.Reconnect])
	}
	for name, want := range map[string]string{"commands": commands.String(), "events": events.String(), "closes": closes.String()} {
		if got := block(string(page), name); got != want {
			t.Errorf("the block %q of PROTOCOL.md is\n%s\nwant\n%s", name, got, want)
		}
	}
	codes := block(string(page), "codes")
	for _, c := range Codes {
		if !strings.Contains(codes, fmt.Sprintf("| %#q |", c)) {
			t.Errorf("PROTOCOL.md does not explain %s", c)
		}
	}
	if got := strings.Count(codes, "\n") - 2; got != len(Codes) {
		t.Errorf("PROTOCOL.md explains %d codes, there are %d", got, len(Codes))
	}
}

func block(page, name string) string {
	_, rest, _ := strings.Cut(page, "<!-- "+name+" -->\n")
	text, _, _ := strings.Cut(rest, "<!-- /"+name+" -->")
	return text
}

func quoted(names []string) string {
	var q []string
	for _, n := range names {
		q = append(q, "`"+n+"`")
	}
	return strings.Join(q, ", ")
}

// marked names optional arguments.
func marked(names []string) (all []string) {
	for _, n := range names {
		all = append(all, n+"?")
	}
	return all
}

// fieldsOf lists an event's fields in their order.
func fieldsOf(e Event) []string {
	var v names
	e.fields(&v)
	return v
}

type names []string

func (n *names) str(name string, _ *string)    { *n = append(*n, name) }
func (n *names) strs(name string, _ *[]string) { *n = append(*n, name) }
func (n *names) boolean(name string, _ *bool)  { *n = append(*n, name) }
func (n *names) uint(name string, _ *uint64)   { *n = append(*n, name) }
func (n *names) raw(name string, _ *[]byte)    { *n = append(*n, name) }
func (n *names) optional(name string, _ any)   { *n = append(*n, name+"?") }

func (n *names) options(name string, _ **RoomState, optional bool) {
	if optional {
		name += "?"
	}
	*n = append(*n, name)
}
