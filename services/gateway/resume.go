package gateway

import (
	"crypto/rand"
	"errors"
	"time"

	"signalling/pkg/settings"
	"signalling/services/gateway/internal/hub"
)

// ResumeConfig says whether and how sessions outlive their connections.
type ResumeConfig struct {
	Window time.Duration `env:"GATEWAY_RESUME_WINDOW" envDefault:"0s" desc:"how long a client that has lost its connection may take to come back to its session, at any gateway; 0: it leaves its rooms at once"`

	Secret     string `env:"GATEWAY_RESUME_SECRET,unset" secret:"true" desc:"secret with which sessions are signed, 32 bytes at least, the same at all gateways; none: a random one, and sessions are resumed at this gateway only; better in a file"`
	SecretFile string `env:"GATEWAY_RESUME_SECRET_FILE,file" secret:"true" desc:"path of a file with that secret"`

	Frames int           `env:"GATEWAY_RESUME_FRAMES" envDefault:"512" desc:"messages that are kept for a client until it is known to have them"`
	Size   settings.Size `env:"GATEWAY_RESUME_SIZE" envDefault:"256KiB" desc:"bytes of such messages for one client"`
	Memory settings.Size `env:"GATEWAY_RESUME_MEMORY" envDefault:"256MiB" desc:"bytes of such messages for all clients together"`
}

// minSecret is the shortest secret: as long as what HMAC-SHA256 makes of it (RFC 2104 section 3).
const minSecret = 32

// maxWindow is the longest window: rooms services keep members of a gateway that is gone no longer.
const maxWindow = time.Hour

// Validate reports settings that contradict each other.
func (c *ResumeConfig) Validate() error {
	var errs []error
	if c.Window < 0 || c.Window > maxWindow {
		errs = append(errs, errors.New("GATEWAY_RESUME_WINDOW must be from 0s to 1h"))
	}
	if c.Secret != "" && c.SecretFile != "" {
		errs = append(errs, errors.New("GATEWAY_RESUME_SECRET and GATEWAY_RESUME_SECRET_FILE: one of them"))
	}
	if secret := c.Secret + c.SecretFile; secret != "" && len(secret) < minSecret {
		errs = append(errs, errors.New("GATEWAY_RESUME_SECRET must have at least 32 bytes"))
	}
	if c.Frames < 1 || c.Size < 1024 || c.Memory < c.Size {
		errs = append(errs, errors.New("GATEWAY_RESUME_FRAMES, _SIZE and _MEMORY must be at least 1, 1KiB and _SIZE"))
	}
	return errors.Join(errs...)
}

// hub returns the settings as the hub takes them.
func (c *ResumeConfig) hub() hub.Resume {
	secret := []byte(c.Secret + c.SecretFile)
	if len(secret) == 0 {
		secret = make([]byte, minSecret)
		_, _ = rand.Read(secret) // never fails
	}
	return hub.Resume{
		Window: c.Window, Frames: c.Frames, Bytes: int(c.Size), Memory: int64(c.Memory), Secret: secret,
	}
}
