package natskeys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// clockSkew is by how much a clock may be behind ours.
const clockSkew = time.Hour

// authority signs the nodes' certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte // of cert
}

// openAuthority reads the authority of a folder, or makes it.
func openAuthority(dir string) (authority, error) {
	keyPEM, err := keep(filepath.Join(dir, caKeyFile), newKey)
	if err != nil {
		return authority{}, err
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return authority{}, err
	}
	certPEM, err := keep(filepath.Join(dir, CAFile), func() ([]byte, error) {
		template := certificate(caName, authorityValidity)
		template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
		template.KeyUsage = x509.KeyUsageCertSign
		return sign(template, template, &key.PublicKey, key)
	})
	if err != nil {
		return authority{}, err
	}
	cert, err := parseCertificate(certPEM)
	if err == nil && !key.PublicKey.Equal(cert.PublicKey) {
		err = fmt.Errorf("%s: %s belongs to another key than %s", dir, CAFile, caKeyFile)
	}
	return authority{cert: cert, key: key, pem: certPEM}, err
}

// certify makes a node's key and certificate, unless there is a good one.
func (a authority) certify(dir string, n Node, validity time.Duration) error {
	keyPEM, err := keep(filepath.Join(dir, KeyFile), newKey)
	if err != nil {
		return err
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, CertFile)
	if old, err := os.ReadFile(path); err == nil && a.good(old, &key.PublicKey, n.hosts()) { //nolint:gosec // G304: of the plan's folder
		return nil
	}
	template := certificate(n.Name, validity)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	// Towards the other nodes it is a client too.
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, host := range n.hosts() {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	certPEM, err := sign(template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, certPEM, 0o600)
}

// good says whether a certificate can go on being used.
func (a authority) good(certPEM []byte, key *ecdsa.PublicKey, hosts []string) bool {
	cert, err := parseCertificate(certPEM)
	if err != nil || !key.Equal(cert.PublicKey) || cert.CheckSignatureFrom(a.cert) != nil {
		return false
	}
	for _, host := range hosts {
		if cert.VerifyHostname(host) != nil {
			return false
		}
	}
	return time.Until(cert.NotAfter) > cert.NotAfter.Sub(cert.NotBefore)/3
}

func certificate(name string, validity time.Duration) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(validity),
	}
}

// serial is a random number (RFC 5280, section 4.1.2.2).
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return new(big.Int).SetBytes(b[:])
}

func sign(template, parent *x509.Certificate, key *ecdsa.PublicKey, by *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, by)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

var errPEM = errors.New("not a PEM file of ours")

func parseKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errPEM
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: a key of type %T", errPEM, parsed)
	}
	return key, nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errPEM
	}
	return x509.ParseCertificate(block.Bytes)
}
