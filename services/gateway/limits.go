package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"signalling/pkg/limit"
	"signalling/services/gateway/internal/door"
)

// LimitsConfig bounds what clients and addresses may do.
type LimitsConfig struct {
	On bool `env:"GATEWAY_LIMITS" envDefault:"true" desc:"false turns the limits below off, from GATEWAY_MAX_CONNECTIONS to GATEWAY_IDLE_TIMEOUT"`

	Connections        int `env:"GATEWAY_MAX_CONNECTIONS" envDefault:"0" desc:"network connections at one time; 0 for nine tenths of the open files that the system allows"`
	AddressConnections int `env:"GATEWAY_MAX_CONNECTIONS_PER_ADDRESS" envDefault:"1000" desc:"connections, and clients, of one address (IPv6: of a network of 64 bits) that is neither loopback nor a trusted proxy; 0 for any number"`
	Rooms              int `env:"GATEWAY_MAX_ROOMS_PER_CLIENT" envDefault:"256" desc:"rooms that a client may be in; 0 for any number"`

	Handshakes        limit.Rate `env:"GATEWAY_RATE_HANDSHAKES" envDefault:"1000:10000" desc:"clients that may come per second, and at once after a quiet time; 0 for no limit, as in the rates below"`
	AddressHandshakes limit.Rate `env:"GATEWAY_RATE_HANDSHAKES_PER_ADDRESS" envDefault:"20:200" desc:"clients that may come from one address"`
	Commands          limit.Rate `env:"GATEWAY_RATE_COMMANDS" envDefault:"20:200" desc:"commands of a client other than signals"`
	Signals           limit.Rate `env:"GATEWAY_RATE_SIGNALS" envDefault:"100:1000" desc:"signals of a client; candidates come in bursts of 50 for each peer"`
	Bytes             limit.Rate `env:"GATEWAY_RATE_BYTES" envDefault:"256KiB:4MiB" desc:"bytes of a client's messages"`
	Refusals          limit.Rate `env:"GATEWAY_RATE_REFUSALS" envDefault:"10:1000" desc:"messages of a client that may be refused because of these rates before it is closed"`

	FirstCommand time.Duration `env:"GATEWAY_FIRST_COMMAND_TIMEOUT" envDefault:"0s" desc:"how long a client may take to send its first command; 0 for ever"`
	Idle         time.Duration `env:"GATEWAY_IDLE_TIMEOUT" envDefault:"0s" desc:"how long a client that is in no room may send no command; 0 for ever"`

	Proxies       []string `env:"GATEWAY_TRUSTED_PROXIES" desc:"addresses or networks of proxies whose X-Forwarded-For and PROXY headers are believed, comma-separated"`
	ProxyProtocol bool     `env:"GATEWAY_PROXY_PROTOCOL" envDefault:"false" desc:"trusted proxies begin each connection with a PROXY header, version 1 or 2"`
}

// Validate reports settings that contradict each other.
func (c *LimitsConfig) Validate() error {
	var errs []error
	if c.Connections < 0 || c.AddressConnections < 0 || c.Rooms < 0 || c.FirstCommand < 0 || c.Idle < 0 {
		errs = append(errs, errors.New("GATEWAY_MAX_… and GATEWAY_…_TIMEOUT must not be negative"))
	}
	proxies, err := c.proxies()
	if err != nil {
		errs = append(errs, err)
	} else if c.ProxyProtocol && len(proxies) == 0 {
		errs = append(errs, errors.New("GATEWAY_PROXY_PROTOCOL needs GATEWAY_TRUSTED_PROXIES"))
	}
	return errors.Join(errs...)
}

func (c *LimitsConfig) proxies() (all door.Proxies, err error) {
	for _, text := range c.Proxies {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("GATEWAY_TRUSTED_PROXIES: %q is neither an address nor a network", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		all = append(all, prefix)
	}
	return all, nil
}

// limits are those that the doors know of; nil for none.
func (c *LimitsConfig) limits() *door.Limits {
	if !c.On {
		return nil
	}
	return &door.Limits{
		Commands: limit.New(c.Commands), Signals: limit.New(c.Signals), Bytes: limit.New(c.Bytes), Refusals: limit.New(c.Refusals),
		Handshakes: limit.New(c.Handshakes), AddressHandshakes: limit.New(c.AddressHandshakes),
		AddressClients: c.AddressConnections, FirstCommand: c.FirstCommand, Idle: c.Idle,
	}
}

// maxRooms is how many rooms a client may be in, 0 for any number.
func (c *LimitsConfig) maxRooms() int {
	if !c.On {
		return 0
	}
	return c.Rooms
}
