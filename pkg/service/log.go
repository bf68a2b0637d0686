package service

import (
	"fmt"
	"io"
	"log/slog"
)

// LogConfig says how programs log.
type LogConfig struct {
	// Level is the least severe level that is logged.
	Level slog.Level `env:"LOG_LEVEL" envDefault:"info" desc:"least severe log level: debug, info, warn or error"`

	// Format is the form of log lines.
	Format LogFormat `env:"LOG_FORMAT" envDefault:"text" desc:"form of log lines: text or json"`
}

// New returns a logger that writes to w.
func (c LogConfig) New(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.Level}
	if c.Format == LogJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// LogFormat is the form of log lines.
type LogFormat string

// The forms of log lines: key=value pairs, or one JSON object each.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *LogFormat) UnmarshalText(text []byte) error {
	switch v := LogFormat(text); v {
	case LogText, LogJSON:
		*f = v
		return nil
	default:
		return fmt.Errorf("want %s or %s", LogText, LogJSON)
	}
}
