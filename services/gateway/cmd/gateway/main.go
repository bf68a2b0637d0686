// Command gateway runs the service that clients connect to. Settings are environment variables; --help lists them.
package main

import (
	"context"
	"log/slog"

	"signalling/pkg/service"
	"signalling/services/gateway"
)

func main() {
	var cfg gateway.Config
	service.Main(service.Program{
		Name:    "gateway",
		Summary: "lets clients in and connects them with the rooms",
		Config:  &cfg,
		Admin:   func() string { return cfg.AdminListen },
		Run: func(ctx context.Context, log *slog.Logger) error {
			g, err := gateway.New(ctx, cfg, gateway.Options{Logger: log})
			if err != nil {
				return err
			}
			return g.Run(ctx)
		},
	})
}
