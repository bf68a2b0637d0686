package rooms

import (
	"errors"
	"fmt"
	"time"

	"signalling/pkg/natsbus"
	"signalling/pkg/tracing"
	"signalling/services/rooms/internal/engine"
	"signalling/services/rooms/internal/room"
)

// Config is the settings of the service. Zero values mean the defaults.
type Config struct {
	// AdminListen is the address of the admin server: health and readiness. Port 0 takes any free one.
	AdminListen string `env:"ROOMS_ADMIN_LISTEN" envDefault:"127.0.0.1:8082" desc:"address of health, readiness and metrics"`

	// NATS says where the bus is.
	NATS natsbus.Config

	// Tracing says where traces go.
	Tracing tracing.Config

	// Ownership says how partitions find their owner. "static": this instance owns all of them and must be the only one;
	// "kv": several instances share them by way of a JetStream bucket, and take over from each other.
	Ownership Ownership `env:"ROOMS_OWNERSHIP" envDefault:"static" desc:"static for a lone instance, kv for several"`

	// Replicas is how many NATS servers keep the bucket of owners if this instance has to make it: 3 in a cluster.
	Replicas int `env:"ROOMS_OWNERSHIP_REPLICAS" envDefault:"1" desc:"replicas of the bucket of owners, if it has to be made"`

	// GatewayTimeout is how long a gateway may be silent before its members are removed. One that NATS says is gone is
	// given up sooner.
	GatewayTimeout time.Duration `env:"ROOMS_GATEWAY_TIMEOUT" envDefault:"5s" desc:"silence after which a gateway's members are removed"`

	// RecoveryWindow is how long a new owner of a partition waits for a gateway to say which members it holds. It is
	// opened again, twice at most, for a gateway that certainly lives.
	RecoveryWindow time.Duration `env:"ROOMS_RECOVERY_WINDOW" envDefault:"3s" desc:"how long a new owner waits for a gateway's members"`

	// Settle is how long after connecting to NATS a new owner expects gateways to come back, because what cut it off, or
	// ended it, may have cut them off too.
	Settle time.Duration `env:"ROOMS_SETTLE" envDefault:"1.5s" desc:"how long after connecting to NATS gateways are given to do the same"`

	// MaxMembers is how many members a room may have, at most room.MaxMembers: 4096.
	MaxMembers int `env:"ROOMS_MAX_MEMBERS" envDefault:"4096" desc:"members that a room may have, 4096 at most"`
	// MaxRooms is how many rooms one of the 64 partitions may have: 65536.
	MaxRooms int `env:"ROOMS_MAX_PER_PARTITION" envDefault:"65536" desc:"rooms that one of the 64 partitions may have"`

	// OwnerGrace is how long a room that was created with onOwnerLost "grace" waits for its owner.
	OwnerGrace time.Duration `env:"ROOMS_OWNER_GRACE" envDefault:"30s" desc:"how long a room waits for its lost owner, if it was created so"`

	// DrainTimeout bounds how long a stop may take.
	DrainTimeout time.Duration `env:"ROOMS_DRAIN_TIMEOUT" envDefault:"5s" desc:"how long a stop may take"`
}

// Ownership is how partitions find their owner.
type Ownership string

// The kinds of ownership.
const (
	StaticOwnership Ownership = "static"
	KVOwnership     Ownership = "kv"
)

// Defaults returns c with the defaults in place of zero values.
func (c Config) Defaults() Config {
	if c.AdminListen == "" {
		c.AdminListen = "127.0.0.1:8082"
	}
	setDefault(&c.Ownership, StaticOwnership)
	setDefault(&c.Replicas, 1)
	setDefault(&c.GatewayTimeout, engine.DefaultGatewayTimeout)
	setDefault(&c.RecoveryWindow, engine.DefaultRecoveryWindow)
	setDefault(&c.Settle, engine.DefaultSettle)
	setDefault(&c.MaxMembers, room.MaxMembers)
	setDefault(&c.MaxRooms, 1<<16)
	setDefault(&c.OwnerGrace, 30*time.Second)
	setDefault(&c.DrainTimeout, 5*time.Second)
	return c
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// minGatewayTimeout leaves room for a lost heartbeat and for asking.
const minGatewayTimeout = 3 * time.Second

// maxReplicas is what JetStream allows.
const maxReplicas = 5

// Validate reports settings that cannot work. Zero values count as the defaults.
func (c Config) Validate() error {
	c = c.Defaults()
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Ownership == StaticOwnership || c.Ownership == KVOwnership, "ROOMS_OWNERSHIP is neither static nor kv")
	check(c.Replicas >= 1 && c.Replicas <= maxReplicas, "ROOMS_OWNERSHIP_REPLICAS is not from 1 to %d", maxReplicas)
	check(c.GatewayTimeout >= minGatewayTimeout, "ROOMS_GATEWAY_TIMEOUT is less than %v", minGatewayTimeout)
	check(c.RecoveryWindow >= time.Second, "ROOMS_RECOVERY_WINDOW is less than 1s")
	check(c.Settle > 0, "ROOMS_SETTLE is negative")
	check(c.MaxMembers > 0 && c.MaxMembers <= room.MaxMembers, "ROOMS_MAX_MEMBERS is not from 1 to %d", room.MaxMembers)
	check(c.MaxRooms > 0, "ROOMS_MAX_PER_PARTITION is negative")
	check(c.OwnerGrace > 0, "ROOMS_OWNER_GRACE is negative")
	check(c.DrainTimeout > 0, "ROOMS_DRAIN_TIMEOUT is negative")
	return errors.Join(errs...)
}
