// Package ask asks gateways and rooms instances over NATS, and has them do what an operator wants.
package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
	"signalling/pkg/natsbus"
)

// ErrNobody is wrapped where nobody listens: no such process, no owner of a partition, or services that are older than this.
var ErrNobody = errors.New("nobody answers")

// ErrForbidden is wrapped where NATS does not let this key ask.
var ErrForbidden = errors.New("NATS does not allow it to this key")

// Client asks. Make one with Connect.
type Client struct {
	nc    *nats.Conn
	inbox string // begins the subjects on which answers come
	// Wait is how long answers of all processes are waited for.
	Wait time.Duration
}

// Connect connects to NATS before ctx ends, or says why not.
func Connect(ctx context.Context, cfg natsbus.Config) (*Client, error) {
	connected := make(chan struct{})
	inbox := bus.OperatorInbox(bus.NewID())
	nc, err := natsbus.Connect(ctx, cfg, natsbus.Options{
		Name: "signalctl", Logger: slog.New(slog.DiscardHandler), InboxPrefix: inbox,
		OnConnect: func() { close(connected) },
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-connected:
		return &Client{nc: nc, inbox: inbox, Wait: time.Second}, nil
	case <-ctx.Done():
		err := natsbus.Ready(nc)
		nc.Close()
		if err == nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("cannot reach NATS: %w", err)
	}
}

// Close ends the connection.
func (c *Client) Close() { c.nc.Close() }

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// Gateway asks one gateway for an answer. What others say in its place is passed over.
func (c *Client) Gateway(ctx context.Context, v bus.Verb, id string, q operate.Question, answer any) error {
	data, err := q.Encode()
	if err != nil {
		return err
	}
	_, err = c.once(ctx, bus.AdminGateway(v, id), id, data, answer)
	return err
}

// Owner asks the owner of a partition for an answer, and returns who has given it. It asks again while the partition is
// recovering, and for a moment if it has no owner, because it may be changing hands.
func (c *Client) Owner(ctx context.Context, v bus.Verb, partition int, q operate.Question, answer any) (from string, err error) {
	return c.owner(ctx, v, partition, q, answer, forever)
}

// forever is for who waits for an answer as long as there is time.
const forever = time.Duration(1<<63 - 1)

// owner is Owner, which gives up an owner that says nothing for as long as patience.
func (c *Client) owner(
	ctx context.Context, v bus.Verb, partition int, q operate.Question, answer any, patience time.Duration,
) (from string, err error) {
	data, err := q.Encode()
	if err != nil {
		return "", err
	}
	start := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		once, stop := context.WithTimeout(ctx, patience)
		from, err = c.once(once, bus.AdminPartition(v, partition), "", data, answer)
		stop()
		fault, ok := errors.AsType[*operate.Error](err)
		recovering := ok && fault.Code == operate.Retry
		if !recovering && (!errors.Is(err, ErrNobody) || time.Since(start) > handover) {
			return from, err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)): // #nosec G404 -- jitter
		case <-ctx.Done():
			return from, err
		}
	}
}

// handover is how long a partition may be without an owner until that is believed.
const handover = 500 * time.Millisecond

// listen takes answers to one question, on a subject that nobody can guess who does not see the question. The library's own
// inboxes can be: whoever has seen one, as gateways do, knows the next ones.
func (c *Client) listen() (*nats.Subscription, error) {
	return c.nc.SubscribeSync(c.inbox + "." + bus.NewClientID())
}

// once asks once. Unless it is "", only the process with the id of asked may answer.
func (c *Client) once(ctx context.Context, subject, asked string, question []byte, answer any) (string, error) {
	inbox, err := c.listen()
	if err != nil {
		return "", err
	}
	defer func() { _ = inbox.Unsubscribe() }()
	if err := c.post(ctx, subject, inbox.Subject, question); err != nil {
		return "", err
	}
	for {
		m, err := inbox.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return "", ErrNobody
		case err != nil:
			return "", fmt.Errorf("%w in time", ErrNobody)
		}
		var text json.RawMessage
		from, err := decode(m.Data, &text)
		if asked != "" && from != asked {
			continue
		}
		if err == nil {
			_, err = decode(m.Data, answer)
		}
		return from, err
	}
}

// decode reads an answer. What is said of an error is one line.
func decode(data []byte, answer any) (from string, err error) {
	from, err = operate.DecodeAnswer(data, answer)
	if fault, ok := errors.AsType[*operate.Error](err); ok {
		fault.Message = lineEnds.Replace(fault.Message)
	}
	return from, err
}

var lineEnds = strings.NewReplacer("\n", `\n`, "\r", `\r`)

// post sends a question. The server's refusal, if there is one, precedes its answer to the flush.
func (c *Client) post(ctx context.Context, subject, inbox string, question []byte) error {
	if err := c.nc.PublishRequest(subject, inbox, question); err != nil {
		return err
	}
	if err := c.nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("NATS does not answer: %w", err)
	}
	if err := c.nc.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	return nil
}

// quiet is for how long nobody must have answered before those that were not expected are given up.
const quiet = 100 * time.Millisecond

// all asks everyone on a subject. take gets each answer; it returns false while somebody is expected that has not answered.
// It ends when nobody is, and nobody else has answered for a moment; after Wait; or with ctx.
func (c *Client) all(ctx context.Context, subject string, q operate.Question, take func(*nats.Msg) (complete bool)) error {
	data, err := q.Encode()
	if err != nil {
		return err
	}
	inbox, err := c.listen()
	if err != nil {
		return err
	}
	defer func() { _ = inbox.Unsubscribe() }()
	if err := c.post(ctx, subject, inbox.Subject, data); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	for complete := false; ; {
		next, stop := ctx, context.CancelFunc(func() {})
		if complete {
			next, stop = context.WithTimeout(ctx, quiet)
		}
		m, err := inbox.NextMsgWithContext(next)
		stop()
		if err != nil {
			return nil // the time is over, or nobody is there
		}
		complete = take(m)
	}
}

// each asks the owners of all partitions at once, and calls take with the answers, one at a time. It returns what
// went wrong, by partition. An owner that says nothing is given up after Wait; one that asks for patience, when half of what was
// left of ctx is over, so that something can still be done with what the others say.
func each[A any](ctx context.Context, c *Client, q operate.Question, take func(partition int, from string, a A)) map[int]error {
	type outcome struct {
		partition int
		from      string
		answer    A
		err       error
	}
	ctx, cancel := half(ctx)
	defer cancel()
	done := make(chan outcome, bus.Partitions)
	for p := range bus.Partitions {
		go func() {
			o := outcome{partition: p}
			if o.from, o.err = c.owner(ctx, bus.Ask, p, q, &o.answer, c.Wait); errors.Is(o.err, ErrForbidden) {
				cancel() // nor will it be for the others
			}
			done <- o
		}()
	}
	failed := map[int]error{}
	for range bus.Partitions {
		if o := <-done; o.err != nil {
			failed[o.partition] = o.err
		} else {
			take(o.partition, o.from, o.answer)
		}
	}
	return failed
}

// half is a context that ends when half of what is left of ctx is over.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}
