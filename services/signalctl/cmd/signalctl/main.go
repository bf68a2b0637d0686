// Command signalctl shows operators what gateways and rooms instances have, and has them do things. It talks to them over NATS.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"signalling/services/signalctl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := signalctl.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
