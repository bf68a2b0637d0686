// Package owners asks instances of the rooms service which partitions they serve.
package owners

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
	// statusPatience bounds a question to a rooms instance.
	statusPatience = 2 * time.Second
	// interval is the pause between two looks.
	interval = 50 * time.Millisecond
)

// Await waits until each partition has exactly one owner among these instances, which is active, and, with balanced, until
// no instance has more than its fair share. It returns what is wrong when ctx ends.
func Await(ctx context.Context, natsURL string, rooms []*lab.Process, balanced bool) error {
	nc, err := nats.Connect(natsURL, nats.Timeout(statusPatience))
	if err != nil {
		return err
	}
	defer nc.Close()
	for {
		problem := look(ctx, nc, rooms, balanced)
		if problem == nil {
			return nil
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return problem
		}
	}
}

// look returns what is wrong now.
func look(ctx context.Context, nc *nats.Conn, rooms []*lab.Process, balanced bool) error {
	owners, share := map[int][]string{}, (bus.Partitions+len(rooms)-1)/len(rooms)
	for _, p := range rooms {
		own, err := ask(ctx, nc, p)
		if err != nil {
			return fmt.Errorf("asking %s: %w", p.Name, err)
		}
		if balanced && len(own) > share {
			return fmt.Errorf("%s has %d partitions, more than %d", p.Name, len(own), share)
		}
		for number, what := range own {
			owners[number] = append(owners[number], what)
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

// ask returns a description of each of an instance's ownerships, by partition.
func ask(ctx context.Context, nc *nats.Conn, p *lab.Process) (map[int]string, error) {
	instance, err := p.LogField(ctx, "instance")
	if err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	answer, err := nc.RequestWithContext(asking, bus.RoomsStatusSubject(instance), nil)
	if err != nil {
		return nil, err
	}
	var status struct {
		Partitions []struct {
			Partition int
			Epoch     uint64
			State     string
		}
	}
	if err := json.Unmarshal(answer.Data, &status); err != nil {
		return nil, err
	}
	own := map[int]string{}
	for _, o := range status.Partitions {
		own[o.Partition] = fmt.Sprintf("%s (epoch %d, %s)", p.Name, o.Epoch, o.State)
	}
	return own, nil
}
