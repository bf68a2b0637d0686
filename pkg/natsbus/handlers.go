package natsbus

import (
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// retryLogInterval is how often failing attempts to connect are logged as a
// warning; the others are debug messages.
const retryLogInterval = 10 * time.Second

// handlers connects nats.go's callbacks to the log and to the callbacks of
// opts. nats.go calls them one after the other.
func handlers(opts Options, log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.ConnectHandler(func(nc *nats.Conn) {
			opts.Metrics.connects.Inc()
			log.Info("connected to NATS", opts.serverAttrs(nc)...)
			call(opts.OnConnect)
		}),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if nc.IsClosed() {
				log.Debug("NATS connection closed")
			} else {
				opts.Metrics.disconnects.Inc()
				log.Warn("lost the connection to NATS, reconnecting", "error", err)
			}
			call(opts.OnDisconnect)
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			opts.Metrics.connects.Inc()
			log.Info("reconnected to NATS", opts.serverAttrs(nc)...)
			call(opts.OnReconnect)
		}),
		nats.ReconnectErrHandler(retryLogger(opts.Metrics, log)),
		nats.LameDuckModeHandler(func(nc *nats.Conn) {
			log.Info("the NATS server is about to stop", opts.serverAttrs(nc)...)
		}),
		nats.ErrorHandler(errorHandler(opts.Metrics, opts.OnSlowConsumer, log)),
	}
}

// errorHandler logs what went wrong outside of any call of ours. Permission
// violations are errors because only a person can put them right.
func errorHandler(metrics *Metrics, onSlow func(), log *slog.Logger) nats.ErrHandler {
	return func(_ *nats.Conn, sub *nats.Subscription, err error) {
		if !errors.Is(err, nats.ErrSlowConsumer) {
			metrics.errors.Inc()
			log.Error("NATS reported an error", subjectAttrs(sub, "error", err)...)
			return
		}
		metrics.slow.Inc()
		attrs := subjectAttrs(sub)
		if sub != nil {
			if dropped, err := sub.Dropped(); err == nil {
				attrs = append(attrs, "dropped_total", dropped)
			}
		}
		log.Warn("messages from NATS were dropped: the consumer is too slow", attrs...)
		call(onSlow)
	}
}

// retryLogger says that attempts to connect fail without filling the log. Its
// state needs no lock, since callbacks do not overlap.
func retryLogger(metrics *Metrics, log *slog.Logger) nats.ConnErrHandler {
	var last time.Time
	return func(_ *nats.Conn, err error) {
		metrics.failures.Inc()
		const message = "cannot reach NATS, retrying"
		if now := time.Now(); last.IsZero() || now.Sub(last) >= retryLogInterval {
			last = now
			log.Warn(message, "error", err)
			return
		}
		log.Debug(message, "error", err)
	}
}

// serverAttrs says which server nc is connected to. An in-process one has no
// URL, though nats.go reports its default.
func (o Options) serverAttrs(nc *nats.Conn) []any {
	if o.InProcess != nil {
		return []any{"server", nc.ConnectedServerName()}
	}
	return []any{"server", nc.ConnectedServerName(), "url", nc.ConnectedUrlRedacted()}
}

// Server says which server nc is connected to, for people, without a password; "" if it is not connected. inProcess says that it
// was given one in this process, for which nats.go reports its default URL.
func Server(nc *nats.Conn, inProcess bool) string {
	if inProcess && nc.IsConnected() {
		return "in this process"
	}
	return nc.ConnectedUrlRedacted()
}

func subjectAttrs(sub *nats.Subscription, attrs ...any) []any {
	if sub != nil {
		attrs = append(attrs, "subject", sub.Subject)
	}
	return attrs
}

func call(f func()) {
	if f != nil {
		f()
	}
}
