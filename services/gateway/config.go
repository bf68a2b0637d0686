package gateway

import (
	"errors"
	"time"

	"signalling/pkg/natsbus"
	"signalling/pkg/settings"
	"signalling/pkg/tracing"
)

// Config holds the gateway's settings.
type Config struct {
	NATS    natsbus.Config
	Tracing tracing.Config

	Listen      string `env:"GATEWAY_LISTEN" envDefault:":8080" desc:"address of the client doors"`
	AdminListen string `env:"GATEWAY_ADMIN_LISTEN" envDefault:"127.0.0.1:8081" desc:"address of health and admin"`

	TLS    TLSConfig
	Auth   AuthConfig
	Limits LimitsConfig
	ICE    ICEConfig
	Resume ResumeConfig

	Origins []string `env:"GATEWAY_ORIGINS" desc:"web origins that may connect beside the gateway's own host, comma-separated; * in a name stands for any part, * alone for all"`

	Polling bool `env:"GATEWAY_POLLING" envDefault:"true" desc:"let Socket.IO clients in by HTTP long-polling, their default; needs a load balancer that sends all requests of a client to one gateway"`

	Demo bool `env:"GATEWAY_DEMO" envDefault:"false" desc:"serve a page at / on which people call each other, to try the server out"`

	NegotiationMetrics bool `env:"GATEWAY_NEGOTIATION_METRICS" envDefault:"true" desc:"count offers, answers and candidates, for which the type of a signal's data is read"`

	MaxMessage     settings.Size `env:"GATEWAY_MAX_MESSAGE" envDefault:"256KiB" desc:"longest message taken from a client"`
	PingInterval   time.Duration `env:"GATEWAY_PING_INTERVAL" envDefault:"25s" desc:"time between two pings to a client"`
	PingTimeout    time.Duration `env:"GATEWAY_PING_TIMEOUT" envDefault:"20s" desc:"how long after a ping a client must have been heard"`
	QueueFrames    int           `env:"GATEWAY_QUEUE_FRAMES" envDefault:"1024" desc:"messages that may wait to be sent to a client before it is closed as too slow"`
	QueueSize      settings.Size `env:"GATEWAY_QUEUE_SIZE" envDefault:"4MiB" desc:"bytes that may wait to be sent to a client before it is closed as too slow"`
	MaxPending     int           `env:"GATEWAY_MAX_PENDING" envDefault:"64" desc:"commands of a client that may wait for their answers before no more are read"`
	CommandTimeout time.Duration `env:"GATEWAY_COMMAND_TIMEOUT" envDefault:"5s" desc:"how long a command may wait for the rooms service before it is answered with unavailable; less than GATEWAY_PING_TIMEOUT"`
	DrainTimeout   time.Duration `env:"GATEWAY_DRAIN_TIMEOUT" envDefault:"10s" desc:"how long a stopping gateway waits for its clients to go"`
	DrainSpread    time.Duration `env:"GATEWAY_DRAIN_SPREAD" envDefault:"2s" desc:"time over which a stopping gateway spreads the word to its clients, at most half of GATEWAY_DRAIN_TIMEOUT; 100 clients a second are told in any case"`
}

// Limits that are no settings, because nobody was seen to need others.
const (
	attemptTimeout   = time.Second
	announceInterval = time.Minute
	writeTimeout     = 10 * time.Second
	closeTimeout     = 5 * time.Second
	headerTimeout    = 10 * time.Second
	bodyTimeout      = 10 * time.Second
	idleTimeout      = 2 * time.Minute // between two requests on a connection
	maxHeaderBytes   = 16 << 10
	// maxMessage is what NATS carries by default, less the header of a signal.
	maxMessage = 1<<20 - 8<<10
)

// Validate reports settings that contradict each other.
func (c *Config) Validate() error {
	var errs []error
	if c.MaxMessage < 1024 || c.MaxMessage > maxMessage {
		errs = append(errs, errors.New("GATEWAY_MAX_MESSAGE must be from 1KiB to 1016KiB"))
	}
	for name, d := range map[string]time.Duration{
		"GATEWAY_PING_INTERVAL": c.PingInterval, "GATEWAY_PING_TIMEOUT": c.PingTimeout,
		"GATEWAY_COMMAND_TIMEOUT": c.CommandTimeout, "GATEWAY_DRAIN_TIMEOUT": c.DrainTimeout,
	} {
		if d <= 0 {
			errs = append(errs, errors.New(name+" must be more than 0"))
		}
	}
	if c.QueueFrames < 1 || c.MaxPending < 1 {
		errs = append(errs, errors.New("GATEWAY_QUEUE_FRAMES and GATEWAY_MAX_PENDING must be at least 1"))
	}
	if c.CommandTimeout >= c.PingTimeout {
		errs = append(errs, errors.New("GATEWAY_COMMAND_TIMEOUT must be less than GATEWAY_PING_TIMEOUT: "+
			"a client with too many commands waiting is not read, and would be taken for dead"))
	}
	if c.DrainSpread < 0 {
		errs = append(errs, errors.New("GATEWAY_DRAIN_SPREAD must not be negative"))
	}
	if c.Resume.Window > 0 && (c.Resume.Frames >= c.QueueFrames || 2*c.Resume.Size > c.QueueSize) {
		errs = append(errs, errors.New("GATEWAY_RESUME_FRAMES must be less than GATEWAY_QUEUE_FRAMES, and "+
			"GATEWAY_RESUME_SIZE at most half of GATEWAY_QUEUE_SIZE: what is kept is queued at once"))
	}
	if c.QueueSize < 2*c.MaxMessage {
		errs = append(errs, errors.New("GATEWAY_QUEUE_SIZE must be at least twice GATEWAY_MAX_MESSAGE"))
	}
	return errors.Join(errs...)
}
