package natsbus

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"signalling/pkg/settings"
)

// ErrConfig is wrapped by every error that a wrong [Config] causes: trying
// again cannot help, a person has to change a setting or a file. It wraps
// [settings.ErrInvalid].
var ErrConfig = fmt.Errorf("NATS: %w", settings.ErrInvalid)

// Config says where NATS is and how to prove who we are. The zero value of
// every field but URL means "not used".
type Config struct {
	// URL lists the servers to connect to, comma-separated; each is
	// scheme://host:port with the scheme nats, tls, ws or wss. The servers
	// tell the client of the other members of their cluster, so one
	// reachable entry is enough. A password in the URL works but shows up in
	// process listings: prefer Creds or NKey.
	URL string `env:"NATS_URL" envDefault:"nats://127.0.0.1:4222" desc:"NATS servers, comma-separated"`

	// Creds is the path of a .creds file (user JWT and its seed). It is read
	// at every connection, so a renewed file is taken up without a restart.
	Creds string `env:"NATS_CREDS" desc:"path of a NATS .creds file"`

	// NKey is the path of a file with an NKey user seed. At most one of
	// Creds and NKey may be set.
	NKey string `env:"NATS_NKEY" desc:"path of a file with an NKey user seed; not together with NATS_CREDS"`

	// TLSCA is the path of a PEM bundle that the server's certificate must
	// chain to; without it the system's roots count. Setting it makes TLS
	// compulsory.
	TLSCA string `env:"NATS_TLS_CA" desc:"path of a PEM bundle of certificate authorities; makes TLS compulsory"`

	// TLSCert and TLSKey are paths of a PEM client certificate and its key
	// for mutual TLS: both or neither. Setting them makes TLS compulsory.
	TLSCert string `env:"NATS_TLS_CERT" desc:"path of a PEM client certificate; needs NATS_TLS_KEY"`
	TLSKey  string `env:"NATS_TLS_KEY" desc:"path of the key of NATS_TLS_CERT"`
}

// Validate reports contradictions between the settings; it reads no files.
// Its errors never contain a URL, which may carry a password.
func (c Config) Validate() error {
	var errs []error
	for i, u := range c.servers() {
		if err := validateServer(u); err != nil {
			errs = append(errs, fmt.Errorf("NATS_URL: entry %d %w", i+1, err))
		}
	}
	if c.Creds != "" && c.NKey != "" {
		errs = append(errs, errors.New("NATS_CREDS and NATS_NKEY exclude each other"))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("NATS_TLS_CERT and NATS_TLS_KEY need each other"))
	}
	return errors.Join(errs...)
}

// servers splits URL at its commas; the spaces around entries don't count.
func (c Config) servers() []string {
	if strings.TrimSpace(c.URL) == "" {
		return nil
	}
	list := strings.Split(c.URL, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// validateServer checks one entry of URL. nats.go adds a missing scheme and
// port itself, so "host" and "host:4222" pass.
func validateServer(entry string) error {
	if entry == "" {
		return errors.New("is empty")
	}
	if !strings.Contains(entry, "://") {
		entry = "nats://" + entry
	}
	u, err := url.Parse(entry)
	if err != nil {
		// The parser's message quotes parts of the URL: not repeated.
		return errors.New("is not a URL")
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
	default:
		return errors.New("has a scheme other than nats, tls, ws or wss")
	}
	if u.Hostname() == "" {
		return errors.New("names no host")
	}
	return nil
}

// authOptions turns the files named in c into options, reading each once so
// that a missing file is an error at start and not a refusal every second.
func (c Config) authOptions() ([]nats.Option, error) {
	var opts []nats.Option
	if c.Creds != "" {
		if _, err := os.ReadFile(c.Creds); err != nil {
			return nil, fmt.Errorf("%w: NATS_CREDS: %w", ErrConfig, err)
		}
		opts = append(opts, nats.UserCredentials(c.Creds))
	}
	if c.NKey != "" {
		o, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("%w: NATS_NKEY: %w", ErrConfig, err)
		}
		opts = append(opts, o)
	}
	if c.TLSCA != "" {
		opts = append(opts, configOption("NATS_TLS_CA", nats.RootCAs(c.TLSCA)))
	}
	if c.TLSCert != "" {
		opts = append(opts, configOption("NATS_TLS_CERT", nats.ClientCert(c.TLSCert, c.TLSKey)))
	}
	return opts, nil
}

// configOption makes the error of an option say which setting is wrong.
func configOption(name string, option nats.Option) nats.Option {
	return func(o *nats.Options) error {
		if err := option(o); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
		}
		return nil
	}
}
