package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"signalling/pkg/settings"
)

// TLSConfig is the gateway's certificate.
type TLSConfig struct {
	Cert string `env:"GATEWAY_TLS_CERT" desc:"path of a PEM certificate with its chain; makes the doors speak TLS, 1.2 or newer. A new one is taken without a restart"`
	Key  string `env:"GATEWAY_TLS_KEY" desc:"path of the key of GATEWAY_TLS_CERT"`
}

// Validate reports settings that contradict each other.
func (c *TLSConfig) Validate() error {
	if (c.Cert == "") != (c.Key == "") {
		return errors.New("GATEWAY_TLS_CERT and GATEWAY_TLS_KEY: both or none")
	}
	return nil
}

// secure makes a listener speak TLS, if that is configured.
func (c *TLSConfig) secure(l net.Listener, log *slog.Logger) (net.Listener, error) {
	if c.Cert == "" {
		return l, nil
	}
	k := &keyPair{TLSConfig: *c, log: log}
	if err := k.load(); err != nil {
		return nil, fmt.Errorf("%w: GATEWAY_TLS_CERT: %w", settings.ErrInvalid, err)
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: k.get, NextProtos: []string{"http/1.1"}, // WebSocket wants HTTP/1.1
	}), nil
}

// recheck is how often, at most, the files are looked at: when somebody connects.
const recheck = time.Second

// keyPair is a certificate that follows its files.
type keyPair struct {
	TLSConfig
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	pair    *tls.Certificate
	stamp   stamp
	looked  time.Time
	problem string // what was logged last
}

// stamp tells one version of the files from another.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

func (k *keyPair) look() (s stamp, err error) {
	cert, err := os.Stat(k.Cert)
	if err != nil {
		return s, err
	}
	key, err := os.Stat(k.Key)
	if err != nil {
		return s, err
	}
	return stamp{cert.ModTime(), key.ModTime(), cert.Size(), key.Size()}, nil
}

// load reads the files.
func (k *keyPair) load() error {
	s, err := k.look()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(k.Cert, k.Key)
	if err != nil {
		return err
	}
	k.pair, k.stamp, k.looked = &pair, s, time.Now()
	return nil
}

// get returns the certificate. Files that have changed and cannot be used are logged once; the former certificate goes on.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); now.Sub(k.looked) >= recheck {
		k.looked = now
		k.follow()
	}
	return k.pair, nil
}

func (k *keyPair) follow() {
	s, err := k.look()
	if err == nil {
		if s == k.stamp {
			return
		}
		err = k.load()
	}
	switch {
	case err == nil:
		k.problem = ""
		k.log.Info("new certificate", "ends", k.pair.Leaf.NotAfter)
	case err.Error() != k.problem:
		k.problem = err.Error()
		k.log.Error("the new certificate cannot be used; the former one is", "error", err)
	}
}
