package token

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Order says what a token is to say. Zero values leave claims out.
type Order struct {
	Subject, Issuer string
	Audience        []string
	// Lifetime is the time from now to "exp"; 0 makes a token without end.
	Lifetime time.Duration
	Grants   *Grants
	// Claims are more claims. Those that have a field above, and are asked for there, are not taken from here.
	Claims map[string]any
}

// Sign makes a token, for development, tests and small applications: with a secret ([]byte, HS256), or with the PEM text
// (string) of a private key in PKCS #8 form (RS256, ES256, EdDSA).
func Sign(key any, o Order) (string, error) {
	method, signer, err := signing(key)
	if err != nil {
		return "", err
	}
	now := time.Now()
	p := payload{Grants: o.Grants, more: o.Claims, RegisteredClaims: jwt.RegisteredClaims{
		Subject: o.Subject, Issuer: o.Issuer, Audience: o.Audience, IssuedAt: jwt.NewNumericDate(now),
	}}
	if o.Lifetime != 0 {
		p.ExpiresAt = jwt.NewNumericDate(now.Add(o.Lifetime))
	}
	return jwt.NewWithClaims(method, &p).SignedString(signer)
}

// MarshalJSON implements json.Marshaler.
func (p *payload) MarshalJSON() ([]byte, error) {
	type plain payload // without this method
	text, err := json.Marshal((*plain)(p))
	if err != nil || len(p.more) == 0 {
		return text, err
	}
	all := maps.Clone(p.more)
	if err := json.Unmarshal(text, &all); err != nil { // what has a field of its own is not for others to write
		return nil, err
	}
	return json.Marshal(all)
}

func signing(key any) (jwt.SigningMethod, any, error) {
	switch k := key.(type) {
	case []byte:
		if len(k) < MinSecretBytes {
			return nil, nil, fmt.Errorf("the secret has %d bytes: %d at least", len(k), MinSecretBytes)
		}
		return jwt.SigningMethodHS256, k, nil
	case string:
		block, _ := pem.Decode([]byte(k))
		if block == nil || block.Type != "PRIVATE KEY" {
			return nil, nil, errors.New("there is no PRIVATE KEY in PEM form")
		}
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, nil, err
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, nil, fmt.Errorf("a key of type %T cannot sign", private)
		}
		alg, err := algorithm(signer.Public())
		return jwt.GetSigningMethod(alg), private, err
	}
	return nil, nil, fmt.Errorf("a key of type %T", key)
}

// NewSecret makes a secret for HS256, as text that can be put into a file.
func NewSecret() string {
	b := make([]byte, MinSecretBytes)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
