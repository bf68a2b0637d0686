package service

import (
	"fmt"
	"io"
	"log/slog"
)

// LogConfig says how programs log.
type LogConfig struct {
	// Level is the least severe level that is logged.
	Level slog.Level `env:"LOG_LEVEL" envDefault:"info" desc:"least severe log level: debug, info, warn or error; PUT /log/level on the admin address changes it"`

	// Format is the form of log lines.
	Format LogFormat `env:"LOG_FORMAT" envDefault:"text" desc:"form of log lines: text, or json, in which durations are in seconds"`
}

// New returns a logger that writes to w. The level of its handler, and of all handlers made from that, can be changed: each
// has a method LogLevel that returns a *slog.LevelVar.
func (c LogConfig) New(w io.Writer) *slog.Logger {
	level := new(slog.LevelVar)
	level.Set(c.Level)
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == LogJSON {
		opts.ReplaceAttr = seconds
		return slog.New(handler{slog.NewJSONHandler(w, opts), level})
	}
	return slog.New(handler{slog.NewTextHandler(w, opts), level})
}

// seconds makes durations numbers of seconds, as in metrics: slog's JSON has them in nanoseconds, and a field does not tell its unit.
func seconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.Float64Value(a.Value.Duration().Seconds())
	}
	return a
}

// handler is a slog.Handler with a level that can be changed.
type handler struct {
	slog.Handler
	level *slog.LevelVar
}

// LogLevel is the level below which nothing is logged.
func (h handler) LogLevel() *slog.LevelVar { return h.level }

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.level}
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
