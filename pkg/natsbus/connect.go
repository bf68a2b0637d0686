package natsbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// PingInterval is the time between two pings to the server.
	PingInterval = 5 * time.Second

	// MaxPingsOut is how many pings may be unanswered: when the next falls
	// due, the connection is given up. A silent one is thus noticed after at
	// most (MaxPingsOut+1) × PingInterval.
	MaxPingsOut = 2
)

// WriteTimeout bounds a write to a server that takes nothing any more. Publishing
// waits for it once the buffers are full; then the connection is given up.
const WriteTimeout = 2 * time.Second

// ErrNotConnected is returned by [Ready] while there is no connection.
var ErrNotConnected = errors.New("natsbus: not connected to NATS")

// Options are what a program gives [Connect] beyond its settings. The zero
// value is usable. The callbacks run one after the other on one goroutine of
// the connection and must not block.
type Options struct {
	// Name is shown by the server in its logs and connection list.
	Name string

	// Logger receives the connection's life; nil means slog.Default().
	// Credentials are never logged.
	Logger *slog.Logger

	// InboxPrefix is the subject prefix of reply inboxes, for servers whose
	// permissions tell services apart by it. Empty means "_INBOX".
	InboxPrefix string

	// InProcess, if set, is connected to by an in-memory pipe, and
	// Config.URL is not used. See Server.Provider of package
	// natsembed.
	InProcess nats.InProcessConnProvider

	// Metrics, if set, counts what happens to the connection.
	Metrics *Metrics

	// OnConnect is called once, when the first connection stands.
	OnConnect func()

	// OnDisconnect is called each time a connection is lost, also when the
	// caller closes it.
	OnDisconnect func()

	// OnReconnect is called each time a lost connection was replaced. The
	// subscriptions are in force again, but events sent meanwhile are gone.
	OnReconnect func()

	// OnSlowConsumer is called when messages of a subscription were dropped
	// because its queue was full: once per episode, not once per message.
	OnSlowConsumer func()
}

// Connect makes a connection that keeps itself alive until it is closed.
//
// It returns a connection also when no server can be reached, which goes on
// trying in the background: after the first attempt, so at once where a
// connection is made or refused, and after at most [DialTimeout] per listed
// server where nothing answers. When ctx ends before that, the connection is
// closed and ctx's error returned; afterwards ctx has no influence.
//
// Other errors wrap [ErrConfig]: a setting is wrong or a file unreadable.
func Connect(ctx context.Context, cfg Config, opts Options) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	log := opts.Logger
	if log == nil {
		log = slog.Default()
	}
	if opts.Metrics == nil {
		opts.Metrics = NewMetrics(prometheus.NewRegistry(), "")
	}
	d := &dialer{ctx: ctx}
	natsOpts, err := buildOptions(cfg, opts, log, d)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(strings.Join(cfg.servers(), ","), natsOpts...)
	d.detach()
	if err != nil {
		if !errors.Is(err, ErrConfig) {
			err = fmt.Errorf("%w: %w", ErrConfig, err)
		}
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		nc.Close()
		return nil, err
	}
	opts.Metrics.nc.Store(nc)
	return nc, nil
}

// Ready reports whether nc has a connection now: nil, or an error that wraps
// [ErrNotConnected] and says why, if known. It does not ask the server: a
// connection that died silently counts until its pings fail.
func Ready(nc *nats.Conn) error {
	status := nc.Status()
	if status == nats.CONNECTED || status == nats.DRAINING_SUBS || status == nats.DRAINING_PUBS {
		return nil
	}
	if err := nc.LastError(); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrNotConnected, strings.ToLower(status.String()), err)
	}
	return fmt.Errorf("%w (%s)", ErrNotConnected, strings.ToLower(status.String()))
}

// buildOptions collects everything that Connect hands to nats.go.
func buildOptions(cfg Config, opts Options, log *slog.Logger, d *dialer) ([]nats.Option, error) {
	list := []nats.Option{
		nats.Name(opts.Name),
		nats.Timeout(DialTimeout),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.FlusherTimeout(WriteTimeout),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.PingInterval(PingInterval),
		nats.MaxPingsOutstanding(MaxPingsOut),
		// Credentials may be renewed while we run: a refusal is retried like
		// any other failure instead of closing the connection for good.
		nats.IgnoreAuthErrorAbort(),
	}
	list = append(list, handlers(opts, log)...)
	if opts.InboxPrefix != "" {
		list = append(list, nats.CustomInboxPrefix(opts.InboxPrefix))
	}
	if opts.InProcess != nil {
		return append(list, nats.InProcessServer(opts.InProcess)), nil
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	auth, err := cfg.authOptions()
	if err != nil {
		return nil, err
	}
	// Names are resolved by the dialer, where the context bounds it.
	list = append(list, nats.SetCustomDialer(d), nats.SkipHostLookup())
	return append(list, auth...), nil
}
