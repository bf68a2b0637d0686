package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MinSecretBytes is the shortest secret for HS256 (RFC 7518 section 3.2).
	MinSecretBytes = 32
	// minRSABits is the smallest RSA key (RFC 7518 section 3.3).
	minRSABits = 2048
)

// keys are those that were given, by the algorithm that they serve.
type keys map[string][]jwt.VerificationKey

// add puts the public keys of a PEM text into the set: PUBLIC KEY or CERTIFICATE, of RSA, P-256 or Ed25519. Several serve while
// one is replaced by another.
func (k keys) add(text []byte) error {
	n := 0
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		key, err := parse(block)
		if err != nil {
			return err
		}
		alg, err := algorithm(key)
		if err != nil {
			return err
		}
		k[alg] = append(k[alg], key)
		n++
	}
	if n == 0 {
		return errors.New("there is no public key in PEM form")
	}
	return nil
}

func parse(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("a PEM block %q is neither a PUBLIC KEY nor a CERTIFICATE", block.Type)
}

// algorithm returns the one that a key serves.
func algorithm(key any) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return "", fmt.Errorf("an RSA key of %d bits: %d at least", k.N.BitLen(), minRSABits)
		}
		return jwt.SigningMethodRS256.Alg(), nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return "", errors.New("an elliptic curve other than P-256")
		}
		return jwt.SigningMethodES256.Alg(), nil
	case ed25519.PublicKey:
		return jwt.SigningMethodEdDSA.Alg(), nil
	}
	return "", fmt.Errorf("a key of type %T", key)
}
