package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// takeover is when an instance of the rooms service, from what gateways announced, knew the rooms of a partition.
type takeover struct {
	partition int
	at        time.Time
}

// recovered is how an instance logs a takeover, at level debug.
const recovered = `"msg":"partition recovered"`

// mark is how far each rooms instance has logged.
func (w *World) mark() (positions []int) {
	for _, n := range w.Rooms {
		positions = append(positions, n.Log().Position())
	}
	return positions
}

// takeovers are all since a mark, in the order of time.
func (w *World) takeovers(since []int) (all []takeover, err error) {
	for i, n := range w.Rooms {
		lines, _ := n.Log().Since(since[i])
		if all, err = appendTakeovers(all, lines); err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	slices.SortFunc(all, func(a, b takeover) int { return a.at.Compare(b.at) })
	return all, nil
}

func appendTakeovers(all []takeover, lines []string) ([]takeover, error) {
	for _, line := range lines {
		if !strings.Contains(line, recovered) {
			continue
		}
		var x struct {
			Time      time.Time
			Partition int
		}
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			return nil, fmt.Errorf("%w: %s", err, line)
		}
		all = append(all, takeover{x.Partition, x.Time})
	}
	return all, nil
}
