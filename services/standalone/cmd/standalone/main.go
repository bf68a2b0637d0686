// Command standalone runs the whole product in one process. Settings are environment variables; --help lists them.
package main

import (
	"context"
	"fmt"
	"log/slog"

	"signalling/pkg/service"
	"signalling/services/standalone"
)

const banner = `
The signalling server is running.

  Try it      http://%[1]s/        open it twice, or share the link, and talk
  WebSocket   ws://%[1]s/ws
  Two peers   make example        two WebRTC peers meet in a room and exchange a message
  Settings    environment variables: see README.md, or run this program with --help

Interrupt (Ctrl-C) to stop.

`

func main() {
	var cfg standalone.Config
	service.Main(service.Program{
		Name:     "standalone",
		Summary:  "the signalling server in one process, with an embedded NATS server",
		Config:   &cfg,
		Admin:    func() string { return cfg.Gateway.AdminListen },
		Defaults: standalone.Defaults,
		Run: func(ctx context.Context, log *slog.Logger) error {
			s, err := standalone.New(ctx, cfg, standalone.Options{Logger: log})
			if err != nil {
				return err
			}
			fmt.Printf(banner, s.Addr())
			return s.Run(ctx)
		},
	})
}
