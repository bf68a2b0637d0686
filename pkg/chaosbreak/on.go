//go:build chaosbreak

package chaosbreak

import (
	"os"
	"slices"
	"strings"
)

// What can be taken away.
var (
	// Fencing: an owner goes on that was followed by another one, and gateways believe both.
	Fencing = broken("fencing")
	// Announce: gateways do not tell owners what they hold, whatever is amiss.
	Announce = broken("announce")
	// Replay: tokens are good that the client has shown to be old.
	Replay = broken("replay")
	// Retry: a command that is sent again is another command.
	Retry = broken("retry")
	// Latest: whichever of a client's connections gets its session last has it, and not the one that asked last.
	Latest = broken("latest")
)

func broken(what string) bool {
	return slices.Contains(strings.Split(os.Getenv("CHAOS_BREAK"), ","), what)
}
