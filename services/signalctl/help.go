package signalctl

import (
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"signalling/pkg/settings"
)

const intro = `signalctl shows what gateways and rooms instances have, and has them do things.

usage: signalctl COMMAND [FLAGS] [ARGUMENTS]

`

const outro = `
  signalctl COMMAND -help   the command's flags
  signalctl version

All commands know -json, -timeout and -wait. A gateway is named by its id, the first characters of it
(four at least), or the name of its host.
Exit codes: 0 done; 1 it has not worked; 2 an argument or a setting is wrong; 3 there is no such room, client or gateway;
4 some have not answered, or not all is well.

`

func help(w io.Writer) {
	fmt.Fprint(w, intro)
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, cmd := range commands() {
		fmt.Fprintf(tab, "  %s %s\t%s\n", cmd.name, cmd.args, cmd.summary)
	}
	_ = tab.Flush() // w fails for whoever reads it, who then knows
	fmt.Fprint(w, outro)
	table, err := settings.Table(&config{}, settings.Options{})
	if err != nil {
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprint(w, "Settings are environment variables:\n\n")
	for _, s := range table {
		fmt.Fprintf(w, "  %-14s %s", s.Name, s.Description)
		if s.Default != "" {
			fmt.Fprintf(w, " (%s)", s.Default)
		}
		fmt.Fprintln(w)
	}
}

func (cmd *command) help(w io.Writer, f *flag.FlagSet) {
	fmt.Fprintf(w, "usage: signalctl %s [FLAGS] %s\n\n%s\n\n", cmd.name, cmd.args, cmd.summary)
	f.SetOutput(w)
	f.PrintDefaults()
}
