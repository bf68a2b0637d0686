package natscluster_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
	"signalling/services/e2e/natskeys"
)

// foreign makes keys that nobody here knows.
func foreign(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := natskeys.Write(natskeys.Plan{Dir: dir, Nodes: []natskeys.Node{{Name: "n1", Hosts: []string{"127.0.0.1"}}}}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestClosed tries to connect as a service without being one.
func TestClosed(t *testing.T) {
	s := startSite(t, 1)
	others := foreign(t)
	seed := func(keys, service string) nats.Option {
		option, err := nats.NkeyOptionFromSeed(filepath.Join(keys, service, natskeys.SeedFile))
		if err != nil {
			t.Fatal(err)
		}
		return option
	}
	ours, ca := seed(s.Keys, natskeys.Gateway), nats.RootCAs(s.CA(natskeys.Gateway))
	for _, c := range []struct {
		name    string
		url     string
		options []nats.Option
		want    string // in the error; empty if it works
	}{
		{"key and authority", s.URL(), []nats.Option{ours, ca}, ""},
		{"without a key", s.URL(), []nats.Option{ca}, "authorization violation"},
		{"with a password", s.URL(), []nats.Option{nats.UserInfo("gateway", "gateway"), ca}, "authorization violation"},
		{"with an unknown key", s.URL(), []nats.Option{seed(others, natskeys.Gateway), ca}, "authorization violation"},
		{"not trusting the authority", s.URL(), []nats.Option{ours}, "unknown authority"},
		{"trusting another authority", s.URL(), []nats.Option{ours, nats.RootCAs(filepath.Join(others, "n1", natskeys.CAFile))}, "unknown authority"},
		{"speaking TLS 1.2", s.URL(), []nats.Option{ours, ca, func(o *nats.Options) error {
			o.TLSConfig.MaxVersion = tls.VersionTLS12
			return nil
		}}, "protocol version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nc, err := nats.Connect(c.url, c.options...)
			if err == nil {
				defer nc.Close()
				err = nc.FlushTimeout(labtest.Patience)
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && (err == nil || !strings.Contains(strings.ToLower(err.Error()), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	t.Run("without TLS", func(t *testing.T) {
		conn := dial(t, s.Nodes[0].Client)
		if answer, err := introduce(conn, bufio.NewReader(conn), ""); err == nil {
			t.Errorf("answer %q", answer)
		}
	})
}

// TestRoutesClosed tries to join the cluster as a node without being one.
func TestRoutesClosed(t *testing.T) {
	s := startSite(t, 3)
	others := filepath.Join(foreign(t), "n1")
	own := filepath.Join(s.Keys, "n2")
	text, err := os.ReadFile(filepath.Join(own, natskeys.RoutesFile))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `password: "`)
	password, _, _ := strings.Cut(rest, `"`)
	for _, c := range []struct {
		name, keys, password string
		refused              bool
	}{
		{"a node", own, password, false},
		{"a wrong password", own, "wrong", true},
		{"no password", own, "", true},
		{"a certificate of another authority", others, password, true},
		{"no certificate", "", password, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := route(t, s.Nodes[0], filepath.Join(own, natskeys.CAFile), c.keys, c.password)
			if refused := err != nil || strings.HasPrefix(answer, "-ERR"); refused != c.refused {
				t.Errorf("answer %q, %v", answer, err)
			} else {
				t.Logf("answer %q, %v", answer, err)
			}
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		conn := dial(t, s.Nodes[0].Cluster)
		if answer, err := introduce(conn, bufio.NewReader(conn), password); err == nil {
			t.Errorf("answer %q", answer)
		}
	})
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(labtest.Patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// route behaves as a node that connects, and returns what the other one says to it.
func route(t *testing.T, to *natscluster.Node, ca, keys, password string) (string, error) {
	t.Helper()
	conn := dial(t, to.Cluster)
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}
	authority, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	config.RootCAs.AppendCertsFromPEM(authority)
	if keys != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(keys, natskeys.CertFile), filepath.Join(keys, natskeys.KeyFile))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	secure := tls.Client(conn, config)
	if err := secure.Handshake(); err != nil {
		return "", err
	}
	return introduce(secure, bufio.NewReader(secure), password)
}

// introduce says who we claim to be, and returns the first answer that says what came of it.
func introduce(conn net.Conn, r *bufio.Reader, password string) (string, error) {
	hello, err := json.Marshal(map[string]any{"user": "node", "pass": password, "name": "NSTRANGER", "cluster": "signalling"})
	if err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("CONNECT " + string(hello) + "\r\nPING\r\n")); err != nil {
		return "", err
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "-ERR") || strings.HasPrefix(line, "PONG") {
			return line, err
		}
	}
}
