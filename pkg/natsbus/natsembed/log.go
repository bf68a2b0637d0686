package natsembed

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats-server/v2/server"
)

// setServerLogger sends srv's log to log, or to slog.Default() if that is
// nil.
func setServerLogger(srv *server.Server, log *slog.Logger) {
	if log == nil {
		log = slog.Default()
	}
	debug := log.Enabled(context.Background(), slog.LevelDebug)
	srv.SetLoggerV2(serverLog{log}, debug, false, false)
}

// serverLog is a server.Logger. The server's notices are the steps of its
// start and stop: news to somebody who looks into it, so debug messages.
type serverLog struct{ log *slog.Logger }

var _ server.Logger = serverLog{}

// Noticef tells of a step of the server's life.
func (l serverLog) Noticef(format string, v ...any) { l.logf(slog.LevelDebug, format, v) }

// Debugf logs a detail.
func (l serverLog) Debugf(format string, v ...any) { l.logf(slog.LevelDebug, format, v) }

// Tracef logs a protocol message; the server is not asked to.
func (l serverLog) Tracef(format string, v ...any) { l.logf(slog.LevelDebug, format, v) }

// Warnf logs what may need attention.
func (l serverLog) Warnf(format string, v ...any) { l.logf(slog.LevelWarn, format, v) }

// Errorf logs what went wrong.
func (l serverLog) Errorf(format string, v ...any) { l.logf(slog.LevelError, format, v) }

// Fatalf logs only: ending the process is not a library's decision.
func (l serverLog) Fatalf(format string, v ...any) { l.logf(slog.LevelError, format, v) }

func (l serverLog) logf(level slog.Level, format string, v []any) {
	ctx := context.Background()
	if l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "nats-server: "+fmt.Sprintf(format, v...))
	}
}
