package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"signalling/api/client"
	"signalling/pkg/settings"
	"signalling/pkg/token"
	"signalling/services/gateway/internal/door"
)

// AuthConfig says who may connect.
type AuthConfig struct {
	Mode string `env:"GATEWAY_AUTH" desc:"tokens: only who has one may connect, which is so wherever a key is set; open: anybody may, also where strangers can reach the gateway"`

	Secret     string   `env:"GATEWAY_AUTH_SECRET,unset" secret:"true" desc:"secret shared with the makers of tokens (HS256), 32 bytes at least; better in a file"`
	SecretFile string   `env:"GATEWAY_AUTH_SECRET_FILE,file" secret:"true" desc:"path of a file with that secret"`
	KeyFile    string   `env:"GATEWAY_AUTH_KEY_FILE" desc:"path of a PEM file with public keys of the makers of tokens (RS256, ES256, EdDSA)"`
	JWKS       string   `env:"GATEWAY_AUTH_JWKS_URL" desc:"https URL of a JSON Web Key Set with such keys"`
	Audience   []string `env:"GATEWAY_AUTH_AUDIENCE" desc:"audiences of which a token must name one, comma-separated"`
	Issuer     string   `env:"GATEWAY_AUTH_ISSUER" desc:"issuer that a token must name"`
	Required   []string `env:"GATEWAY_AUTH_REQUIRED" desc:"claims that a token must have, comma-separated, such as exp and sub"`

	Display string `env:"GATEWAY_AUTH_DISPLAY" desc:"name of the claim with a client's display identity, which members of its rooms are told; empty: nobody is told any"`

	Leeway  time.Duration `env:"GATEWAY_AUTH_LEEWAY" envDefault:"10s" desc:"how far the clocks of the gateway and of the makers of tokens may differ"`
	Warning time.Duration `env:"GATEWAY_AUTH_WARNING" envDefault:"1m" desc:"how long before a token's end its client is told"`
}

// Values of GATEWAY_AUTH.
const (
	authTokens = "tokens"
	authOpen   = "open"
)

// Validate reports settings that contradict each other.
func (c *AuthConfig) Validate() error {
	var errs []error
	keys := c.Secret+c.SecretFile+c.KeyFile+c.JWKS != ""
	switch {
	case c.Mode != "" && c.Mode != authTokens && c.Mode != authOpen:
		errs = append(errs, errors.New("GATEWAY_AUTH must be tokens or open"))
	case c.Mode == authTokens && !keys:
		errs = append(errs, errors.New("GATEWAY_AUTH=tokens needs one of GATEWAY_AUTH_SECRET_FILE, _KEY_FILE and _JWKS_URL"))
	case c.Mode == authOpen && keys:
		errs = append(errs, errors.New("GATEWAY_AUTH=open and a key for tokens contradict each other"))
	}
	if c.Secret != "" && c.SecretFile != "" {
		errs = append(errs, errors.New("GATEWAY_AUTH_SECRET and GATEWAY_AUTH_SECRET_FILE: one of them"))
	}
	if c.Display != "" && !keys {
		errs = append(errs, errors.New("GATEWAY_AUTH_DISPLAY needs tokens to take it from: set a key for them"))
	}
	if c.Leeway < 0 || c.Warning < 0 {
		errs = append(errs, errors.New("GATEWAY_AUTH_LEEWAY and GATEWAY_AUTH_WARNING must not be negative"))
	}
	return errors.Join(errs...)
}

// auth makes what the doors ask; nil lets everybody in. What it starts ends with ctx.
func (c *AuthConfig) auth(ctx context.Context, log *slog.Logger) (*door.Auth, error) {
	tokens := token.Config{
		Secret: []byte(c.Secret + c.SecretFile), JWKS: c.JWKS, Audience: c.Audience, Issuer: c.Issuer, Required: c.Required,
		Display: c.Display, CheckDisplay: client.CheckDisplay, Leeway: c.Leeway, Logger: log,
	}
	if c.KeyFile != "" {
		var err error
		if tokens.PublicKeys, err = os.ReadFile(c.KeyFile); err != nil {
			return nil, fmt.Errorf("%w: GATEWAY_AUTH_KEY_FILE: %w", settings.ErrInvalid, err)
		}
	}
	if !tokens.Enabled() {
		return nil, nil
	}
	v, err := token.NewVerifier(ctx, tokens)
	if err != nil {
		return nil, fmt.Errorf("%w: GATEWAY_AUTH: %w", settings.ErrInvalid, err)
	}
	return &door.Auth{Verifier: v, Leeway: c.Leeway, Warning: c.Warning, Logger: log}, nil
}

// errOpen is what a gateway says that would let strangers in without being told to.
var errOpen = fmt.Errorf("%w: GATEWAY_LISTEN can be reached by strangers, and nobody has said who may connect: "+
	"set GATEWAY_AUTH_SECRET_FILE, GATEWAY_AUTH_KEY_FILE or GATEWAY_AUTH_JWKS_URL, or GATEWAY_AUTH=open to let anybody in, "+
	"or listen on 127.0.0.1", settings.ErrInvalid)

// checkOpen refuses to be open by accident.
func (c *Config) checkOpen(auth *door.Auth) error {
	if auth != nil || c.Auth.Mode == authOpen || loopback(c.Listen) {
		return nil
	}
	return errOpen
}

// loopback says whether an address to listen on can be reached from this machine only.
func loopback(addr string) bool {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	return err == nil && tcp.IP.IsLoopback()
}
