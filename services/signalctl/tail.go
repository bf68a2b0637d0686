package signalctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/services/signalctl/internal/ask"
)

// timed is an event with the time at which it was heard.
type timed struct {
	Time time.Time `json:"time"`
	ask.News
}

// tail shows what happens in a room.
func tail(ctx context.Context, c *call) error {
	name := c.args[0]
	begin := func() error { return c.tailBegins(ctx, name) }
	return c.Tail(ctx, name, begin, func(n ask.News) error {
		now := time.Now()
		if c.json {
			return c.writeJSON(timed{now.UTC(), n})
		}
		if n.Missed != 0 {
			c.say("%s  (events were missed here)\n", now.Format(clock))
		}
		return c.write("%s  %-8s %s\n", now.Format(clock), n.Kind, tailLine(&n))
	})
}

const clock = "15:04:05.000"

// tailBegins says in what state the room is. What happens from now on is heard already.
func (c *call) tailBegins(ctx context.Context, name string) error {
	if c.json {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	state, _, err := c.Room(ctx, name, 1)
	var fault *operate.Error
	switch {
	case err == nil:
		c.say("%s  %s, owner %s, version %d\n", time.Now().Format(clock), count(state.Members, "member", "members"), state.Owner, state.Version)
	case errors.As(err, &fault) && fault.Code == operate.NotFound:
		c.say("%s  there is no such room yet; whoever creates it is not seen, those who join are\n", time.Now().Format(clock))
	default:
		c.say("%s  the room's owner does not answer: %s\n", time.Now().Format(clock), err.Error())
	}
	return nil
}

func tailLine(n *ask.News) string {
	var parts []string
	switch {
	case n.Client != "" && n.Gateway != "":
		parts = append(parts, n.Client+" at gateway "+n.Gateway)
	case n.Client != "":
		parts = append(parts, n.Client)
	case n.Kind == string(bus.Closed):
		parts = append(parts, "by an operator")
	}
	if n.Display != "" {
		parts = append(parts, "as "+safe(n.Display))
	}
	if n.Owner != "" {
		parts = append(parts, "owner is now "+n.Owner)
	}
	if o := n.Options; o != nil {
		parts = append(parts, newsOptions(o))
	}
	return strings.Join(append(parts, fmt.Sprintf("(version %d)", n.Version)), "  ")
}

func newsOptions(o *ask.Options) string {
	all := []string{}
	if o.Locked {
		all = append(all, "locked")
	}
	if o.Password {
		all = append(all, "password")
	}
	if o.Capacity > 0 {
		all = append(all, fmt.Sprintf("at most %d", o.Capacity))
	}
	if o.Banned > 0 {
		all = append(all, fmt.Sprintf("%d kicked", o.Banned))
	}
	if o.Metadata != nil {
		all = append(all, "metadata "+safe(string(o.Metadata)))
	}
	if len(all) == 0 {
		return "options: none"
	}
	return "options: " + strings.Join(all, ", ")
}
