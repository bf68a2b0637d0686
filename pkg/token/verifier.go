package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// Errors of Verify. Their texts may be told to the token's bearer.
var (
	// ErrMissing: there is no token.
	ErrMissing = errors.New("a token is needed")
	// ErrExpired: the token was good, and its time is over.
	ErrExpired = errors.New("the token has expired")
	// ErrDisplay: the token is good, and the display identity in it cannot be used.
	ErrDisplay = errors.New("the token's display identity cannot be used")
	// ErrInvalid: anything else. The reason is for the log and not for the bearer, who may be trying keys.
	ErrInvalid = errors.New("the token is not valid")
)

// Config says which tokens are good. At least one of Secret, PublicKeys and JWKS must be set.
type Config struct {
	// Secret is shared with the makers of tokens (HS256), at least MinSecretBytes long.
	Secret []byte
	// PublicKeys is a PEM text with public keys or certificates (RS256, ES256, EdDSA).
	PublicKeys []byte
	// JWKS is the URL of a JSON Web Key Set (RFC 7517): https, or http on a loopback address. It is fetched at once, each hour,
	// and when a token names a key that it did not have, at most once a minute.
	JWKS string
	// Audience and Issuer, if set, must be in the token: "aud" (one of those listed) and "iss".
	Audience []string
	Issuer   string
	// Required are the names of claims that must be there.
	Required []string
	// Display is the name of the claim that has the bearer's display identity. Where it is a text that CheckDisplay does not
	// take, or no text, the token is refused with ErrDisplay; where it is not there, or null, the bearer has none.
	Display string
	// CheckDisplay says what is wrong with a display identity; nil takes all.
	CheckDisplay func(string) error
	// Leeway is how far our clock and that of the tokens' maker may differ.
	Leeway time.Duration
	// Client fetches the key set; nil means one with a timeout of 10 s.
	Client *http.Client
	Logger *slog.Logger
}

// Enabled reports whether any key is configured.
func (c *Config) Enabled() bool { return len(c.Secret)+len(c.PublicKeys) > 0 || c.JWKS != "" }

// Verifier checks tokens. It is safe for use by many goroutines.
type Verifier struct {
	c      Config
	parser *jwt.Parser
	keys   keys
	remote keyfunc.Keyfunc // nil without JWKS
}

const (
	jwksTimeout    = 10 * time.Second
	jwksUnknownKey = time.Minute // more than jwksTimeout: who comes in between is refused and does not wait
)

// NewVerifier returns a Verifier. With JWKS it has a goroutine that ends with ctx.
func NewVerifier(ctx context.Context, c Config) (*Verifier, error) {
	v := &Verifier{c: c, keys: keys{}}
	if v.c.Logger == nil {
		v.c.Logger = slog.Default()
	}
	if err := v.load(ctx); err != nil {
		return nil, err
	}
	methods := v.methods()
	if len(methods) == 0 {
		return nil, errors.New("no key to check tokens with")
	}
	// Audience and issuer are optional for the parser if they are empty.
	options := []jwt.ParserOption{jwt.WithValidMethods(methods), jwt.WithLeeway(c.Leeway), jwt.WithIssuedAt()}
	if len(c.Audience) > 0 {
		options = append(options, jwt.WithAudience(c.Audience...))
	}
	if c.Issuer != "" {
		options = append(options, jwt.WithIssuer(c.Issuer))
	}
	v.parser = jwt.NewParser(options...)
	return v, nil
}

func (v *Verifier) load(ctx context.Context) error {
	if n := len(v.c.Secret); n > 0 {
		if n < MinSecretBytes {
			return fmt.Errorf("the secret has %d bytes: %d at least", n, MinSecretBytes)
		}
		v.keys[jwt.SigningMethodHS256.Alg()] = []jwt.VerificationKey{v.c.Secret}
	}
	if len(v.c.PublicKeys) > 0 {
		if err := v.keys.add(v.c.PublicKeys); err != nil {
			return err
		}
	}
	if v.c.JWKS == "" {
		return nil
	}
	if err := checkURL(v.c.JWKS); err != nil {
		return err
	}
	client := v.c.Client
	if client == nil {
		client = &http.Client{Timeout: jwksTimeout}
	}
	var err error
	v.remote, err = keyfunc.NewDefaultOverrideCtx(ctx, []string{v.c.JWKS}, keyfunc.Override{
		Client: client, HTTPTimeout: jwksTimeout, RateLimitWaitMax: jwksTimeout,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(jwksUnknownKey), 1),
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(_ context.Context, err error) { v.c.Logger.Error("the key set was not fetched", "error", err) }
		},
	})
	return err
}

// checkURL refuses to take keys from anybody on the way.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	switch host := u.Hostname(); {
	case u.Scheme == "https" && host != "":
	case u.Scheme == "http" && (host == "127.0.0.1" || host == "::1" || host == "localhost"):
	default:
		return errors.New("the key set must come from an https URL")
	}
	return nil
}

// remoteMethods are the algorithms of keys from a key set.
var remoteMethods = []string{"RS256", "ES256", "EdDSA"}

func (v *Verifier) methods() []string {
	var all []string
	if v.remote != nil {
		all = slices.Clone(remoteMethods)
	}
	for alg := range v.keys {
		if !slices.Contains(all, alg) {
			all = append(all, alg)
		}
	}
	return all
}

// Verify returns what a good token says. The error is, or wraps, one of ErrMissing, ErrExpired, ErrDisplay and
// ErrInvalid.
func (v *Verifier) Verify(text string) (*Claims, error) {
	if text == "" {
		return nil, ErrMissing
	}
	var p payload
	token, err := v.parser.ParseWithClaims(text, &p, v.key)
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, fmt.Errorf("%w: signature", ErrInvalid)
	case errors.Is(err, jwt.ErrTokenExpired) && token != nil:
		return nil, ErrExpired
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for _, name := range v.c.Required {
		if p.all[name] == nil {
			return nil, fmt.Errorf("%w: the claim %s is missing", ErrInvalid, name)
		}
	}
	c := p.claims()
	c.Display, err = v.display(p.all[v.c.Display])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDisplay, err)
	}
	return c, nil
}

// display reads the claim of that name, which may be nil.
func (v *Verifier) display(claim json.RawMessage) (text string, err error) {
	if v.c.Display == "" || claim == nil {
		return "", nil
	}
	if err := json.Unmarshal(claim, &text); err != nil {
		return "", errors.New("it is not a text")
	}
	if v.c.CheckDisplay != nil {
		err = v.c.CheckDisplay(text)
	}
	return text, err
}

// key finds what a token's signature is checked with: keys of its algorithm, and no others.
func (v *Verifier) key(t *jwt.Token) (any, error) {
	set := jwt.VerificationKeySet{Keys: slices.Clone(v.keys[t.Method.Alg()])}
	var err error
	if v.remote != nil && slices.Contains(remoteMethods, t.Method.Alg()) {
		var found any
		found, err = v.remote.Keyfunc(t)
		candidates := []jwt.VerificationKey{found}
		if several, ok := found.(jwt.VerificationKeySet); ok { // the token names no key
			candidates = several.Keys
		}
		for _, key := range candidates {
			if alg, _ := algorithm(key); alg == t.Method.Alg() {
				set.Keys = append(set.Keys, key)
			}
		}
	}
	if len(set.Keys) == 0 {
		return nil, errors.Join(errors.New("no key for it"), err)
	}
	return set, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *payload) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &p.all); err != nil {
		return err
	}
	maps.DeleteFunc(p.all, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	type plain payload // without this method
	return json.Unmarshal(data, (*plain)(p))
}
