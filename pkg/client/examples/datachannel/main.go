// Command datachannel lets two WebRTC peers find each other through a running signalling server: they meet in a fresh
// room, open a data channel and exchange a message. Each step is printed with the time since the start.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"signalling/pkg/client/examples/peer"
)

const defaultURL = "ws://127.0.0.1:8080/ws"

func main() {
	var urls []string
	flag.Func("url", "the server's WebSocket `address` (default "+defaultURL+"); give a second one to let the second peer\n"+
		"use another gateway", func(s string) error {
		if len(urls) == 2 {
			return errors.New("there are only two peers")
		}
		urls = append(urls, s)
		return nil
	})
	timeout := flag.Duration("timeout", 30*time.Second, "the time that all of it may take")
	flag.Parse()
	if len(urls) == 0 {
		urls = []string{defaultURL}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if err := run(ctx, urls[0], urls[len(urls)-1]); err != nil {
		fmt.Fprintf(os.Stderr, "datachannel: %v\n", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: there is nothing left to stop
	}
}

// run lets alice wait in a room and bob come to her.
func run(ctx context.Context, aliceURL, bobURL string) error {
	say := newPrinter(os.Stdout)
	room := "example-" + rand.Text()

	alice, err := peer.Enter(ctx, peer.Config{URL: aliceURL, Room: room, Step: say.as("alice")})
	if err != nil {
		return unreachable(err, aliceURL)
	}
	defer alice.Close()
	bob, err := peer.Enter(ctx, peer.Config{URL: bobURL, Room: room, Step: say.as("bob")})
	if err != nil {
		return unreachable(err, bobURL)
	}
	defer bob.Close()

	toBob, err := channel(ctx, alice)
	if err != nil {
		return fmt.Errorf("alice: %w", err)
	}
	toAlice, err := channel(ctx, bob)
	if err != nil {
		return fmt.Errorf("bob: %w", err)
	}
	if err := tell(ctx, say, "bob", toAlice, "alice", toBob, "Hello Alice, this came without a server."); err != nil {
		return err
	}
	if err := tell(ctx, say, "alice", toBob, "bob", toAlice, "Hello Bob, so did this."); err != nil {
		return err
	}
	say.as("both")("done")
	return nil
}

func unreachable(err error, url string) error {
	return fmt.Errorf("%w\nIs the server running at %s? In the repository, `make run` starts it, and `make cluster` several", err, url)
}

// channel waits for the peer's first data channel.
func channel(ctx context.Context, p *peer.Peer) (*peer.Channel, error) {
	select {
	case c, ok := <-p.Channels():
		if !ok {
			return nil, fmt.Errorf("ended before a data channel was open: %w", p.Err())
		}
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no data channel was opened: %w", ctx.Err())
	}
}

// tell sends a message and waits until it has arrived.
func tell(ctx context.Context, say *printer, from string, out *peer.Channel, to string, in *peer.Channel, text string) error {
	say.as(from)("sends over the data channel: %s", text)
	if err := out.Send([]byte(text)); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	got, err := in.Receive(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	say.as(to)("received: %s", got)
	if string(got) != text {
		return fmt.Errorf("%s received %q, want %q", to, got, text)
	}
	return nil
}

// printer prints steps with the time since its start.
type printer struct {
	mu    sync.Mutex // guards out
	out   *os.File
	start time.Time
}

func newPrinter(out *os.File) *printer { return &printer{out: out, start: time.Now()} }

func (p *printer) as(who string) func(format string, args ...any) {
	return func(format string, args ...any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		fmt.Fprintf(p.out, "%7.3f s  %-5s  %s\n", time.Since(p.start).Seconds(), who, fmt.Sprintf(format, args...))
	}
}
