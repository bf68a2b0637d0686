package signalctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/services/signalctl/internal/ask"
)

// incomplete says which partitions are missing in an answer, nil if none is. If all are, the first error says why.
func incomplete(failed map[int]error) error {
	if len(failed) == 0 {
		return nil
	}
	all := slices.Collect(maps.Keys(failed))
	slices.Sort(all)
	first := failed[all[0]]
	for _, p := range all {
		if errors.Is(failed[p], ask.ErrForbidden) {
			return failed[p]
		}
	}
	if len(all) == bus.Partitions {
		return first
	}
	return fmt.Errorf("%w: %s missing: %s: %w", errIncomplete, count(len(all), "partition is", "partitions are"), numbers(all), first)
}

// unknown says what is missing of what is asked of all partitions and gateways, nil if nothing is.
func unknown(failed map[int]error, gateways error) error {
	missing := incomplete(failed)
	if gateways == nil || errors.Is(missing, ask.ErrForbidden) || len(failed) == bus.Partitions {
		return missing
	}
	return errors.Join(missing, fmt.Errorf("%w: gateways: %w", errIncomplete, gateways))
}

func rooms(ctx context.Context, c *call) error {
	q := operate.Question{After: c.after, Largest: c.largest, Limit: min(max(c.limit, 1), operate.MaxLimit)}
	if len(c.args) > 0 {
		q.Prefix = c.args[0]
	}
	list, failed := c.Rooms(ctx, q)
	missing := incomplete(failed)
	if len(failed) == bus.Partitions {
		return missing
	}
	if c.json {
		return errors.Join(c.writeJSON(list), missing)
	}
	t := newTable(c.out, "MEMBERS", "PARTITION", "OWNER", "OPTIONS", "NAME")
	for i := range list.Rooms {
		r := &list.Rooms[i]
		t.add(r.Members, r.Partition, r.Owner, optionsOf(r), safe(r.Name))
	}
	err := t.end()
	if n := len(list.Rooms); list.More && n > 0 {
		more := ""
		if !c.largest {
			more = "; go on with -after " + shellWord(list.Rooms[n-1].Name)
		}
		c.say("%d of %d rooms%s\n", n, list.Total, more)
	}
	return errors.Join(err, missing)
}

// shellWord quotes a word for a shell. What a terminal would take for more than text is written as escapes of $'…'.
func shellWord(s string) string {
	if printable(s) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var w strings.Builder
	w.WriteString("$'")
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch c := s[:n]; {
		case r == '\'' || r == '\\':
			w.WriteString(`\` + c)
		case printable(c):
			w.WriteString(c)
		default:
			for i := range n {
				fmt.Fprintf(&w, `\x%02x`, c[i])
			}
		}
		s = s[n:]
	}
	w.WriteByte('\'')
	return w.String()
}

// optionsOf says in words how a room differs from a plain one.
func optionsOf(r *operate.Summary) string {
	var all []string
	for what, is := range map[string]bool{"waits for its owner": r.Waiting, "locked": r.Locked, "password": r.Password} {
		if is {
			all = append(all, what)
		}
	}
	slices.Sort(all)
	if r.Capacity > 0 {
		all = append(all, fmt.Sprintf("at most %d", r.Capacity))
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}

// ownedRoom is a room and who owns its partition.
type ownedRoom struct {
	operate.RoomState
	Instance string `json:"instance"`
}

func room(ctx context.Context, c *call) error {
	state, instance, err := c.Room(ctx, c.args[0], max(c.limit, 1))
	if err != nil {
		return noOwner(err, c.args[0])
	}
	if c.json {
		return c.writeJSON(ownedRoom{state, instance})
	}
	c.say("room        %s\n", safe(state.Name))
	c.say("partition   %d, of rooms instance %s\n", state.Partition, instance)
	c.say("version     %d in epoch %d\n", state.Version, state.Epoch)
	c.say("owner       %s\n", state.Owner)
	c.say("options     %s\n", roomOptions(&state))
	if state.Metadata != nil {
		c.say("metadata    %s\n", safe(string(state.Metadata)))
	}
	if len(state.Banned) > 0 {
		c.say("kicked      %s\n", strings.Join(state.Banned, " "))
	}
	c.say("members     %d\n\n", state.Members)
	t := newTable(c.out, "CLIENT", "GATEWAY", "SINCE VERSION", "RESUMED", "DISPLAY")
	for _, m := range state.List {
		t.add(m.Client, m.Gateway, m.Since, m.Resumed, display(m.Display))
	}
	err = t.end()
	if state.Next != 0 {
		c.say("%d of %d members; -limit shows more\n", len(state.List), state.Members)
	}
	return err
}

// display shows a display identity.
func display(text string) string {
	if text == "" {
		return "-"
	}
	return safe(text)
}

func roomOptions(s *operate.RoomState) string {
	all := []string{optionsOf(&s.Summary)}
	if all[0] == "-" {
		all = nil
	}
	if s.OwnerKey {
		all = append(all, "owner's key")
	}
	switch s.OnOwnerLost {
	case string(bus.AwaitOwner):
		all = append(all, "waits for a lost owner")
	case string(bus.Transfer):
		all = append(all, "goes to the next member when its owner is lost")
	default:
		all = append(all, "ends with its owner")
	}
	return strings.Join(all, ", ")
}

// noOwner says which partition has nobody who answers for it.
func noOwner(err error, room string) error {
	if errors.Is(err, ask.ErrNobody) {
		return fmt.Errorf("partition %d: %w; signalctl partitions shows whether it has an owner", bus.Partition(room), err)
	}
	return err
}

func client(ctx context.Context, c *call) error {
	p, failed, err := c.Client.Client(ctx, c.args[0])
	missing := unknown(failed, err)
	if p.Session == nil && len(p.Memberships) == 0 {
		if missing != nil {
			return missing
		}
		return operate.Errorf(operate.NotFound, "there is no client %s", safe(c.args[0]))
	}
	if missing != nil && !errors.Is(missing, errIncomplete) {
		missing = fmt.Errorf("%w: %w", errIncomplete, missing)
	}
	if c.json {
		return errors.Join(c.writeJSON(p), missing)
	}
	if s := p.Session; s == nil {
		fmt.Fprintln(c.out, "no gateway that answers has its session")
	} else {
		state := "connected"
		if !s.Connected {
			state = "away, may come back"
		}
		c.say("gateway     %s, since %s\ndisplay     %s\nstate       %s\nsent        %s, of which %s\n", s.Gateway,
			s.Since.Local().Format(time.DateTime), display(s.Display), state, count(int(s.Sent), "message", "messages"), // #nosec G115 -- for people
			waiting(s))
	}
	fmt.Fprintln(c.out)
	t := newTable(c.out, "PARTITION", "GATEWAY", "OWNS IT", "ROOM")
	for _, m := range p.Memberships {
		owns := "no"
		if m.Owner {
			owns = "yes"
		}
		t.add(m.Partition, m.Gateway, owns, safe(m.Room))
	}
	return errors.Join(t.end(), missing)
}

func waiting(s *operate.Session) string {
	if s.Waiting == 0 {
		return "none waits"
	}
	return fmt.Sprintf("%d wait with %s", s.Waiting, size(uint64(s.WaitingBytes))) // #nosec G115 -- not negative
}
