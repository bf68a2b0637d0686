package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"signalling/api/bus"
	api "signalling/api/client"
	"signalling/pkg/natsbus/natstest"
	conf "signalling/pkg/settings"
)

// certificateIn writes a certificate for 127.0.0.1 with this number.
func certificateIn(t *testing.T, dir string, number int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for file, text := range map[string][]byte{"tls.crt": cert, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

// tlsGateway is a gateway with a certificate in a folder.
func tlsGateway(t *testing.T, nats *natstest.TCPServer, dir string) *running {
	t.Helper()
	return run(t, nats.URL(), map[string]string{
		"GATEWAY_TLS_CERT": filepath.Join(dir, "tls.crt"), "GATEWAY_TLS_KEY": filepath.Join(dir, "tls.key"), "GATEWAY_MAX_MESSAGE": "256KiB",
	})
}

// dialTLS connects to the native door by TLS.
func (g *running) dialTLS(pool *x509.CertPool) *client {
	g.t.Helper()
	return dial(g.t, g.url(), func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{RootCAs: pool}}
		return d.DialContext(ctx, network, addr)
	})
}

// meetOverTLS lets two native clients of a gateway with TLS meet in the lobby.
func meetOverTLS(t *testing.T) (g *running, o *owner, alice, bob *client) {
	t.Helper()
	nats, dir := natstest.RunTCP(t), t.TempDir()
	pool := certificateIn(t, dir, 1)
	g = tlsGateway(t, nats, dir)
	o = ownerOn(t, nats, g)
	alice, bob = g.dialTLS(pool), g.dialTLS(pool)
	r := o.open(lobby, alice)
	bob.join(lobby)
	c := o.expectCommand(bus.Join, lobby, bob)
	r.publish(r.add(bob, c.Gateway, c.Seq))
	r.answer(c)
	bob.expect(joined(lobby, alice, alice))
	alice.expect(clientJoined(lobby, bob))
	return g, o, alice, bob
}

// A whole conversation of the native door, in which nothing may depend on plain sockets.
func TestTheNativeDoorOverTLS(t *testing.T) {
	g, o, alice, bob := meetOverTLS(t)
	for n := range 500 { // many at once
		alice.signal(lobby, bob, number(n))
	}
	for n := range 500 {
		bob.expect(received(lobby, alice, number(n)))
	}
	large := `"` + strings.Repeat("x", 200<<10) + `"`
	for range 5 {
		bob.signal(lobby, alice, large)
		alice.expect(received(lobby, bob, large))
	}
	alice.say(`{"event":"room-join","room":"` + strings.Repeat("x", 300<<10) + `"}`)
	alice.expectEnd(api.CloseTooBig)
	o.expectCommand(bus.Leave, lobby, alice)
	g.cancel()
	bob.expectEnd(api.CloseGoingAway)
}

// A client that reads nothing is closed as on a plain socket, and those beside it go on.
func TestASlowClientOverTLS(t *testing.T) {
	_, o, alice, bob := meetOverTLS(t)
	resume := bob.stopReading()
	defer resume()
	large := `"` + strings.Repeat("x", 200<<10) + `"`
	for range 100 {
		alice.signal(lobby, bob, large)
	}
	o.expectCommand(bus.Leave, lobby, bob)
}

func TestTheSocketIODoorOverTLS(t *testing.T) {
	dir := t.TempDir()
	pool := certificateIn(t, dir, 1)
	g := tlsGateway(t, natstest.RunTCP(t), dir)
	base := "://" + g.Addr().String() + "/socket.io/?EIO=4&transport="
	d := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: pool}}
	ws, _, err := d.DialContext(t.Context(), "wss"+base+"websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	for _, step := range []struct{ say, want string }{{"", "0{"}, {"40", `40{"sid"`}, {`421["room-leave","x"]`, `42["not-in-room","x"]`}, {"", `431["not-in-room","x"]`}} {
		if step.say != "" {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(step.say))
		}
		if _, got, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(got), step.want) {
			t.Fatalf("%s, %v, want %s", got, err, step.want)
		}
	}
	poller := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}, Timeout: patience}
	resp, err := poller.Get("https" + base + "polling")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(body), `0{"sid":`) {
		t.Errorf("%s, %v", body, err)
	}
}

// serial asks for the number of the gateway's certificate.
func (g *running) serial() int64 {
	g.t.Helper()
	nc, err := tls.Dial("tcp", g.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		g.t.Fatal(err)
	}
	defer nc.Close()
	return nc.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestACertificateIsReplaced(t *testing.T) {
	dir := t.TempDir()
	pool := certificateIn(t, dir, 1)
	g := tlsGateway(t, natstest.RunTCP(t), dir)
	c := g.dialTLS(pool)
	if n := g.serial(); n != 1 {
		t.Fatalf("certificate %d", n)
	}
	certificateIn(t, dir, 2)
	g.eventually("the new certificate", func() bool { return g.serial() == 2 })
	c.leave(lobby) // who is there stays
	c.expect(notIn(lobby))
	// What cannot be used is not taken: a key alone, half a file, nothing.
	cert, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(cert[:len(cert)/2]), ""} {
		if err := os.WriteFile(filepath.Join(dir, "tls.crt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		<-time.After(1100 * time.Millisecond) // until it is looked at
		if n := g.serial(); n != 2 {
			t.Errorf("certificate %d", n)
		}
	}
	certificateIn(t, dir, 3)
	g.eventually("the third certificate", func() bool { return g.serial() == 3 })
}

func TestOldTLSIsRefused(t *testing.T) {
	dir := t.TempDir()
	certificateIn(t, dir, 1)
	g := tlsGateway(t, natstest.RunTCP(t), dir)
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		nc, err := tls.Dial("tcp", g.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if err == nil {
			_ = nc.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

func TestTLSSettingsThatCannotBe(t *testing.T) {
	nats, dir := natstest.RunTCP(t), t.TempDir()
	certificateIn(t, dir, 1)
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for _, environ := range []map[string]string{
		{"GATEWAY_TLS_CERT": cert},
		{"GATEWAY_TLS_KEY": key},
		{"GATEWAY_TLS_CERT": key, "GATEWAY_TLS_KEY": cert},
		{"GATEWAY_TLS_CERT": cert, "GATEWAY_TLS_KEY": "/nonexistent"},
	} {
		if g, err := fromSettings(t, nats.URL(), environ); !errors.Is(err, conf.ErrInvalid) {
			t.Errorf("%v: %v", environ, err)
			if g != nil {
				start(t, g).stop()
			}
		}
	}
}
