package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/services/e2e/lab"
)

const (
	// addrPatience bounds the wait for a process that has just been started to say where it listens.
	addrPatience = 2 * time.Second
	// statusPatience bounds a question to a rooms instance.
	statusPatience = 2 * time.Second
	// ownersInterval is the pause between two looks at the owners.
	ownersInterval = 100 * time.Millisecond
)

// owners waits until each partition has exactly one owner, which is active. It returns what is wrong when ctx ends.
func (w *World) owners(ctx context.Context) error {
	nc, err := nats.Connect(lab.NATSURL(w.NATS), nats.Timeout(statusPatience))
	if err != nil {
		return err
	}
	defer nc.Close()
	for {
		problem := w.lookAtOwners(ctx, nc)
		if problem == nil {
			return nil
		}
		select {
		case <-time.After(ownersInterval):
		case <-ctx.Done():
			return problem
		}
	}
}

func (w *World) lookAtOwners(ctx context.Context, nc *nats.Conn) error {
	owners := map[int][]string{}
	for _, n := range w.Rooms {
		instance, err := n.LogField(ctx, "instance")
		if err != nil {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, statusPatience)
		answer, err := nc.RequestWithContext(asking, bus.RoomsStatusSubject(instance), nil)
		cancel()
		if err != nil {
			return fmt.Errorf("asking %s: %w", n.Name, err)
		}
		var status struct {
			Partitions []struct {
				Partition int
				Epoch     uint64
				State     string
			}
		}
		if err := json.Unmarshal(answer.Data, &status); err != nil {
			return fmt.Errorf("asking %s: %w", n.Name, err)
		}
		for _, p := range status.Partitions {
			owners[p.Partition] = append(owners[p.Partition], fmt.Sprintf("%s (epoch %d, %s)", n.Name, p.Epoch, p.State))
		}
	}
	var problems []string
	for p := range bus.Partitions {
		if o := owners[p]; len(o) != 1 || !strings.HasSuffix(o[0], ", active)") {
			problems = append(problems, fmt.Sprintf("partition %d is owned by %v", p, o))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d partitions have not one active owner: %s", len(problems), problems[0])
	}
	return nil
}
