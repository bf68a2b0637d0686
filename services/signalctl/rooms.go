package signalctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
		fmt.Fprintf(c.out, "%d of %d rooms", n, list.Total)
		if !c.largest {
			fmt.Fprintf(c.out, "; go on with -after %s", shellWord(list.Rooms[n-1].Name))
		}
		fmt.Fprintln(c.out)
	}
	return errors.Join(err, missing)
}

// shellWord quotes a word for a shell, as far as it can be shown.
func shellWord(s string) string {
	return "'" + strings.ReplaceAll(safe(s), "'", `'\''`) + "'"
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
	fmt.Fprintf(c.out, "room        %s\n", safe(state.Name))
	fmt.Fprintf(c.out, "partition   %d, of rooms instance %s\n", state.Partition, instance)
	fmt.Fprintf(c.out, "version     %d in epoch %d\n", state.Version, state.Epoch)
	fmt.Fprintf(c.out, "owner       %s\n", state.Owner)
	fmt.Fprintf(c.out, "options     %s\n", roomOptions(&state))
	if state.Metadata != nil {
		fmt.Fprintf(c.out, "metadata    %s\n", safe(string(state.Metadata)))
	}
	if len(state.Banned) > 0 {
		fmt.Fprintf(c.out, "kicked      %s\n", strings.Join(state.Banned, " "))
	}
	fmt.Fprintf(c.out, "members     %d\n\n", state.Members)
	t := newTable(c.out, "CLIENT", "GATEWAY", "SINCE VERSION", "RESUMED", "DISPLAY")
	for _, m := range state.List {
		t.add(m.Client, m.Gateway, m.Since, m.Resumed, display(m.Display))
	}
	err = t.end()
	if state.Next != 0 {
		fmt.Fprintf(c.out, "%d of %d members; -limit shows more\n", len(state.List), state.Members)
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
	if err != nil {
		return err
	}
	missing := incomplete(failed)
	if p.Session == nil && len(p.Memberships) == 0 {
		if missing != nil {
			return missing
		}
		return operate.Errorf(operate.NotFound, "there is no client %s", safe(c.args[0]))
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
		fmt.Fprintf(c.out, "gateway     %s, since %s\ndisplay     %s\nstate       %s\nsent        %s, of which %s\n", s.Gateway,
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
