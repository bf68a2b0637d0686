package gateway

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"signalling/services/gateway/internal/door"
)

// ICEConfig says which STUN and TURN servers clients are told of.
type ICEConfig struct {
	Servers    []string      `env:"GATEWAY_ICE_SERVERS" desc:"STUN and TURN servers that clients are told of, comma-separated, such as stun:stun.example.org,turn:turn.example.org:3478?transport=udp"`
	Secret     string        `env:"GATEWAY_TURN_SECRET,unset" secret:"true" desc:"secret shared with the TURN servers (coturn: static-auth-secret), of which credentials are made; better in a file"`
	SecretFile string        `env:"GATEWAY_TURN_SECRET_FILE,file" secret:"true" desc:"path of a file with that secret"`
	TTL        time.Duration `env:"GATEWAY_TURN_TTL" envDefault:"1h" desc:"how long TURN credentials are good; clients are sent new ones before"`
}

var (
	stunURL = regexp.MustCompile(`^stuns?:[^/?#@\s]+$`)                         // RFC 7064
	turnURL = regexp.MustCompile(`^turns?:[^/?#@\s]+(\?transport=(udp|tcp))?$`) // RFC 7065
)

// minTTL is what whole seconds and clocks that differ allow.
const minTTL = 2 * time.Second

// Validate reports settings that contradict each other.
func (c *ICEConfig) Validate() error {
	var errs []error
	turn := false
	for _, url := range c.Servers {
		url = strings.TrimSpace(url)
		turn = turn || turnURL.MatchString(url)
		if !stunURL.MatchString(url) && !turnURL.MatchString(url) {
			errs = append(errs, fmt.Errorf("GATEWAY_ICE_SERVERS: %q is no URL of a STUN or TURN server", url))
		}
	}
	switch secret := c.Secret + c.SecretFile; {
	case c.Secret != "" && c.SecretFile != "":
		errs = append(errs, errors.New("GATEWAY_TURN_SECRET and GATEWAY_TURN_SECRET_FILE: one of them"))
	case turn && secret == "":
		errs = append(errs, errors.New("TURN servers need GATEWAY_TURN_SECRET_FILE"))
	case !turn && secret != "":
		errs = append(errs, errors.New("GATEWAY_TURN_SECRET_FILE needs a TURN server in GATEWAY_ICE_SERVERS"))
	}
	if c.TTL < minTTL {
		errs = append(errs, fmt.Errorf("GATEWAY_TURN_TTL must be at least %v", minTTL))
	}
	return errors.Join(errs...)
}

// ice is what the doors tell; nil without servers.
func (c *ICEConfig) ice() *door.ICE {
	if len(c.Servers) == 0 {
		return nil
	}
	i := &door.ICE{Secret: []byte(c.Secret + c.SecretFile), TTL: c.TTL}
	for _, url := range c.Servers {
		if url = strings.TrimSpace(url); strings.HasPrefix(url, "stun") {
			i.STUN = append(i.STUN, url)
		} else {
			i.TURN = append(i.TURN, url)
		}
	}
	return i
}
