// Package signalctl is the operators' tool: one command with which they see what gateways and rooms instances have, and have
// them do things. It talks to the services over NATS, with a key that NATS lets ask and act.
package signalctl

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"signalling/api/operate"
	"signalling/pkg/natsbus"
	"signalling/pkg/service"
	"signalling/pkg/settings"
	"signalling/services/signalctl/internal/ask"
)

// The exit codes.
const (
	ExitOK         = 0
	ExitFailure    = 1 // it has not worked
	ExitUsage      = 2 // an argument or a setting is wrong
	ExitNotFound   = 3 // there is no such room, client or gateway
	ExitIncomplete = 4 // what is shown is true, and not all: some have not answered
)

// config are the settings, from the environment.
type config struct {
	NATS natsbus.Config
}

// command is one of the things that can be done.
type command struct {
	name, args, summary string
	// flags adds what the command alone has.
	flags func(*flag.FlagSet, *options)
	// least and most are how many arguments there must be.
	least, most int
	run         func(context.Context, *call) error
}

// options are those of all commands.
type options struct {
	json          bool
	timeout, wait time.Duration

	room     string
	limit    int
	after    string
	largest  bool
	from, to string
	count    int
}

// call is one command at work.
type call struct {
	*ask.Client
	options
	args []string
	out  io.Writer
}

// commands are all of them, in the order of the help.
func commands() []command {
	return []command{
		{name: "status", summary: "is everything well? exit code 4 if not", run: status},
		{name: "gateways", summary: "gateways, with their clients and rooms", run: gateways},
		{name: "partitions", summary: "rooms instances, and which of them owns which partition", run: partitions},
		{name: "rooms", args: "[PREFIX]", most: 1, summary: "rooms, by name", run: rooms, flags: func(f *flag.FlagSet, o *options) {
			limitFlag(f, o)
			f.BoolVar(&o.largest, "largest", false, "those with most members first")
			f.StringVar(&o.after, "after", "", "go on behind the room of this `name`")
		}},
		{name: "room", args: "NAME", least: 1, most: 1, summary: "one room and its members", run: room, flags: limitFlag},
		{name: "client", args: "ID", least: 1, most: 1, summary: "where a client is", run: client},
		{name: "tail", args: "ROOM", least: 1, most: 1, summary: "events of a room as they happen, until interrupted; signals are not shown", run: tail},
		{name: "kick", args: "CLIENT", least: 1, most: 1, summary: "remove a client from a room, or all its rooms; it may not come back to them", run: kick, flags: func(f *flag.FlagSet, o *options) {
			f.Func("room", "only from the room of this `name`", func(name string) error {
				if o.room = name; name == "" {
					return errors.New("it is empty") // and not meant for all rooms
				}
				return nil
			})
		}},
		{name: "close", args: "ROOM", least: 1, most: 1, summary: "end a room", run: closeRoom},
		{name: "drain", args: "GATEWAY", least: 1, most: 1, summary: "as SIGTERM: a gateway sends its clients away, and its process ends", run: drain},
		{name: "ping", summary: "send a test signal through everything, and time each hop", run: ping, flags: func(f *flag.FlagSet, o *options) {
			f.StringVar(&o.from, "from", "", "`gateway` to begin at; any if not given")
			f.StringVar(&o.to, "to", "", "`gateway` to send to; another one, if there is one, if not given")
			f.IntVar(&o.count, "n", 5, "how many signals")
		}},
	}
}

func limitFlag(f *flag.FlagSet, o *options) {
	f.IntVar(&o.limit, "limit", operate.DefaultLimit, "show `so many` at most")
}

// Run carries out a command line and returns the exit code. It ends when ctx does.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		help(stderr)
		return ExitUsage
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		help(stdout)
		return ExitOK
	case "-version", "--version", "version":
		fmt.Fprintln(stdout, "signalctl", service.Version())
		return ExitOK
	}
	for _, cmd := range commands() {
		if cmd.name == args[0] {
			return cmd.main(ctx, args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "signalctl: there is no command %q; signalctl help lists them\n", args[0])
	return ExitUsage
}

// main runs a command and says what has gone wrong.
func (cmd *command) main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := cmd.flagSet(&o)
	words, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		cmd.help(stdout, flags)
		return ExitOK
	case err == nil && (len(words) < cmd.least || len(words) > cmd.most):
		err = fmt.Errorf("usage: signalctl %s %s", cmd.name, cmd.args)
	case err == nil && cmd.least > 0 && slices.Contains(words, ""):
		err = fmt.Errorf("%s is empty; usage: signalctl %s %s", cmd.args, cmd.name, cmd.args)
	case err == nil && (o.timeout <= 0 || o.wait <= 0):
		err = errors.New("-timeout and -wait must be more than 0")
	case err == nil && cmd.name == "ping" && (o.count < 1 || o.count > operate.MaxProbes):
		err = fmt.Errorf("-n is not from 1 to %d", operate.MaxProbes)
	}
	var cfg config
	if err == nil {
		err = settings.Parse(&cfg, settings.Options{})
	}
	if err != nil {
		complain(stderr, err)
		return ExitUsage
	}
	// What is said goes out in one piece, so that a list is whole or not there; a tail writes as it hears.
	var out bytes.Buffer
	c := &call{options: o, args: words, out: &out}
	if cmd.name == "tail" {
		c.out = stdout
	}
	err = cmd.work(ctx, c, cfg)
	if _, failed := stdout.Write(out.Bytes()); failed != nil && err == nil {
		err = failed
	}
	if err != nil {
		complain(stderr, err)
	}
	return exitCode(err)
}

// complain says what has gone wrong. Parts of it are what somebody else has said.
func complain(stderr io.Writer, err error) {
	fmt.Fprintf(stderr, "signalctl: %s\n", escaped(err.Error()))
}

// work connects and runs the command, within the timeout.
func (cmd *command) work(ctx context.Context, c *call, cfg config) (err error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if c.Client, err = ask.Connect(limited, cfg.NATS); err != nil {
		return err
	}
	defer c.Close()
	c.Wait = c.wait
	if cmd.name == "tail" {
		limited = ctx
	}
	return cmd.run(limited, c)
}

// errIncomplete is wrapped where some have not answered, or not all is well.
var errIncomplete = errors.New("not all is well")

func exitCode(err error) int {
	var fault *operate.Error
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, settings.ErrInvalid), errors.Is(err, ask.ErrAmbiguous):
		return ExitUsage
	case errors.Is(err, ask.ErrTest):
		return ExitFailure
	case errors.As(err, &fault) && fault.Code == operate.NotFound:
		return ExitNotFound
	case errors.Is(err, errIncomplete):
		return ExitIncomplete
	}
	return ExitFailure
}

func (cmd *command) flagSet(o *options) *flag.FlagSet {
	f := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&o.json, "json", false, "for programs: one JSON object; of tail one for each event")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long all of it may take, but for tail")
	f.DurationVar(&o.wait, "wait", time.Second, "how long to wait for those who do not answer, where all gateways, instances or partitions are asked")
	if cmd.flags != nil {
		cmd.flags(f, o)
	}
	return f
}

// parse takes flags before, between and behind the other words. What does not begin as a flag of the command is a word: ids of
// clients may begin with a dash. Behind "--" everything is one.
func parse(f *flag.FlagSet, args []string) (words []string, err error) {
	for len(args) > 0 {
		if args[0] == "--" {
			return append(words, args[1:]...), nil
		}
		n, err := flagWords(f, args)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			words, n = append(words, args[0]), 1
		} else if err := f.Parse(args[:n]); err != nil {
			return nil, err
		}
		args = args[n:]
	}
	return words, nil
}

// flagWords returns how many of the words are the flag with which they begin, and its value; 0 if they do not.
func flagWords(f *flag.FlagSet, args []string) (int, error) {
	name, dashed := strings.CutPrefix(args[0], "-")
	if !dashed || name == "" {
		return 0, nil
	}
	name = strings.TrimPrefix(name, "-")
	name, _, valued := strings.Cut(name, "=")
	if name == "h" || name == "help" {
		return 0, flag.ErrHelp
	}
	known := f.Lookup(name)
	switch {
	case known == nil:
		return 0, nil
	case valued || isBool(known):
		return 1, nil
	case len(args) == 1:
		return 0, fmt.Errorf("-%s needs a value", name)
	}
	return 2, nil
}

func isBool(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}
