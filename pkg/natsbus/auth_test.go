package natsbus_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
)

func TestNKey(t *testing.T) {
	public, seed := userKey(t)
	srv := natstest.RunTCP(t, allow(public))
	nc := natstest.ConnectWith(t, natsbus.Config{URL: srv.URL(), NKey: seed}, natsbus.Options{})
	flush(t, nc)
}

// TestRefusedCredentialsAreRetried makes the server know us late, as when
// users are rolled out after the services.
func TestRefusedCredentialsAreRetried(t *testing.T) {
	stranger, _ := userKey(t)
	public, seed := userKey(t)
	srv := natstest.RunTCP(t, allow(stranger))
	connected := make(chan struct{}, 1)
	nc := connect(t, natsbus.Config{URL: srv.URL(), NKey: seed}, natsbus.Options{
		OnConnect: func() { connected <- struct{}{} },
	})
	if err := natsbus.Ready(nc); err == nil {
		t.Fatal("connected to a server that does not know us")
	}
	// Not before several refusals: after two equal ones in a row, nats.go
	// gives up unless told otherwise.
	srv.WaitForRefusals(4)
	srv.Stop()
	srv.Start(allow(public))
	await(t, connected, "OnConnect")
	flush(t, nc)
}

func TestCreds(t *testing.T) {
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	operator, err := nkeys.CreateOperator()
	if err != nil {
		t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	userJWT := must(t)(jwt.NewUserClaims(must(t)(user.PublicKey())).Encode(account))
	accountKey := must(t)(account.PublicKey())
	accountJWT := must(t)(jwt.NewAccountClaims(accountKey).Encode(operator))
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(userJWT, seed)
	if err != nil {
		t.Fatal(err)
	}

	srv := natstest.RunTCP(t, func(o *server.Options) {
		resolver := &server.MemAccResolver{}
		if err := resolver.Store(accountKey, accountJWT); err != nil {
			t.Fatal(err)
		}
		o.AccountResolver = resolver
		o.TrustedKeys = []string{must(t)(operator.PublicKey())}
	})
	nc := natstest.ConnectWith(t, natsbus.Config{URL: srv.URL(), Creds: file(t, "user.creds", creds)}, natsbus.Options{})
	flush(t, nc)
}

func TestMutualTLS(t *testing.T) {
	ca := newAuthority(t)
	serverCert, serverKey := ca.issue(t, "server")
	clientCert, clientKey := ca.issue(t, "client")
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	srv := natstest.RunTCP(t, func(o *server.Options) {
		o.TLSVerify = true
		o.TLSTimeout = natstest.Timeout.Seconds()
		o.TLSConfig = &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{pair},
			ClientCAs:    pool,
			ClientAuth:   tls.RequireAndVerifyClientCert,
		}
	})
	cfg := natsbus.Config{URL: srv.URL(), TLSCA: ca.file, TLSCert: clientCert, TLSKey: clientKey}
	nc := natstest.ConnectWith(t, cfg, natsbus.Options{})
	flush(t, nc)
	if _, err := nc.TLSConnectionState(); err != nil {
		t.Errorf("not encrypted: %v", err)
	}

	t.Run("an unknown authority is refused", func(t *testing.T) {
		cfg.TLSCA = newAuthority(t).file
		if err := natsbus.Ready(connect(t, cfg, natsbus.Options{})); err == nil {
			t.Error("connected to a server whose certificate nobody vouches for")
		}
	})
	t.Run("the server wants a certificate", func(t *testing.T) {
		if err := natsbus.Ready(connect(t, natsbus.Config{URL: srv.URL(), TLSCA: ca.file}, natsbus.Options{})); err == nil {
			t.Error("connected without a client certificate")
		}
	})
}

// userKey returns a new public user key and the path of its seed.
func userKey(t *testing.T) (public, seedFile string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return must(t)(pair.PublicKey()), file(t, "user.nk", seed)
}

// allow makes a server know one user only.
func allow(public string) func(*server.Options) {
	return func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }
}

// must returns a function that passes on a string or fails the test.
func must(t *testing.T) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// authority is a certificate authority for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // the certificate in PEM
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := certificate("authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, pemFile(t, "CERTIFICATE", der)}
}

// issue returns the paths of a certificate for 127.0.0.1 and of its key.
func (a authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, certificate(name), a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemFile(t, "CERTIFICATE", der), pemFile(t, "PRIVATE KEY", keyDER)
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	return file(t, "pem", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
