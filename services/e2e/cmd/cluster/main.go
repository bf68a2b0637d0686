// Command cluster runs the product on this machine as separate processes, each with an environment of its own: NATS, one
// rooms service and two gateways, on fixed ports, until it is interrupted. It leaves nothing behind.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"signalling/services/e2e/lab"
)

const (
	natsPort     = 4222
	startTimeout = 5 * time.Minute // the first start builds everything
	stopTimeout  = 30 * time.Second
)

var layout = lab.Layout{
	Gateways: 2,
	NATSPort: natsPort,
	Env:      []string{"LOG_FORMAT=text"},
	RoomsEnv: []string{"ROOMS_ADMIN_LISTEN=127.0.0.1:8082"},
	EachGatewayEnv: [][]string{
		{"GATEWAY_LISTEN=127.0.0.1:8080", "GATEWAY_ADMIN_LISTEN=127.0.0.1:8081"},
		{"GATEWAY_LISTEN=127.0.0.1:8090", "GATEWAY_ADMIN_LISTEN=127.0.0.1:8091"},
	},
}

const running = `
Four processes are running:

  gateway-1   ws://127.0.0.1:8080/ws    admin http://127.0.0.1:8081/readyz
  gateway-2   ws://127.0.0.1:8090/ws    admin http://127.0.0.1:8091/readyz
  rooms                                 admin http://127.0.0.1:8082/readyz
  nats        nats://127.0.0.1:4222

Try it: two WebRTC peers, each at another gateway, meet in a room and exchange a message:

  go run ./pkg/client/examples/datachannel -url ws://127.0.0.1:8080/ws -url ws://127.0.0.1:8090/ws

Interrupt (Ctrl-C) to stop.

`

func main() {
	endWithParent()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	l, err := lab.New(lab.Options{Mirror: os.Stderr})
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("building nats-server, rooms and gateway …")
	if err := start(ctx, l); err != nil {
		if ctx.Err() != nil {
			return nil // interrupted
		}
		return err
	}
	fmt.Print(running)
	if p := firstEnd(ctx, l); p != nil {
		return fmt.Errorf("%s has ended by itself; its last words were:\n%s", p.Name, p.Log().Tail(0, 20))
	}
	fmt.Println("stopping …")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return l.StopAll(stopping)
}

func start(ctx context.Context, l *lab.Lab) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := l.Build(ctx, lab.NATSServer, lab.Rooms, lab.Gateway); err != nil {
		return err
	}
	_, err := l.Separate(ctx, layout)
	return err
}

// firstEnd waits for the end of any process, or of ctx and then returns nil.
func firstEnd(ctx context.Context, l *lab.Lab) *lab.Process {
	first := make(chan *lab.Process, len(l.Processes()))
	for _, p := range l.Processes() {
		go func() {
			select {
			case <-p.Ended():
				first <- p
			case <-ctx.Done():
				first <- nil
			}
		}()
	}
	return <-first
}
