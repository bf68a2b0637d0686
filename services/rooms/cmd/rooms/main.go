// Command rooms is the rooms service. It takes its settings from the environment: see rooms --help.
package main

import (
	"context"
	"log/slog"

	"signalling/pkg/service"
	"signalling/services/rooms"
)

func main() {
	var cfg rooms.Config
	service.Main(service.Program{
		Name:    "rooms",
		Summary: "owner of the rooms: who is in which",
		Config:  &cfg,
		Admin:   func() string { return cfg.AdminListen },
		Run: func(ctx context.Context, log *slog.Logger) error {
			s, err := rooms.New(cfg, rooms.Options{Logger: log})
			if err != nil {
				return err
			}
			return s.Run(ctx)
		},
	})
}
