package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte(strings.Repeat("s", MinSecretBytes))

// pair is a key pair as PEM texts.
type pair struct {
	private, public string
	key             any // the public key
}

func newPair(t *testing.T, private, public any, err error) pair {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})),
		public,
	}
}

func ec(t *testing.T, c elliptic.Curve) pair {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	return newPair(t, k, &k.PublicKey, err)
}

func ed(t *testing.T) pair {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	return newPair(t, private, public, err)
}

func rsaPair(t *testing.T, bits int) pair {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	return newPair(t, k, &k.PublicKey, err)
}

func verifier(t *testing.T, c Config) *Verifier {
	t.Helper()
	c.Logger = slog.New(slog.DiscardHandler)
	v, err := NewVerifier(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sign(t *testing.T, key any, o Order) string {
	t.Helper()
	text, err := Sign(key, o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// signAny signs claims and a header that Sign would not make.
func signAny(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestKeysOfAllKinds(t *testing.T) {
	keys := map[string]pair{"RS256": rsaPair(t, 2048), "ES256": ec(t, elliptic.P256()), "EdDSA": ed(t)}
	file := ""
	for _, p := range keys {
		file += p.public
	}
	v := verifier(t, Config{Secret: secret, PublicKeys: []byte(file)})
	for alg, p := range keys {
		if c, err := v.Verify(sign(t, p.private, Order{Subject: alg, Lifetime: time.Hour})); err != nil || c.Subject != alg {
			t.Errorf("%s: %+v, %v", alg, c, err)
		}
	}
	if c, err := v.Verify(sign(t, secret, Order{Subject: "x"})); err != nil || c.Subject != "x" || !c.Expires.IsZero() || c.Grants != nil {
		t.Errorf("HS256: %+v, %v", c, err)
	}
	for what, text := range map[string]string{
		"another secret":   sign(t, []byte(strings.Repeat("x", 32)), Order{}),
		"another key":      sign(t, ed(t).private, Order{}),
		"no signature":     signAny(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.MapClaims{"sub": "x"}),
		"a longer hash":    signAny(t, jwt.SigningMethodHS512, secret, jwt.MapClaims{"sub": "x"}),
		"no token":         "x",
		"three parts":      "a.b.c",
		"a cut signature":  strings.TrimSuffix(sign(t, secret, Order{}), "abc")[:60],
		"the PEM's secret": signAny(t, jwt.SigningMethodHS256, []byte(keys["RS256"].public), jwt.MapClaims{"sub": "x"}),
	} {
		if c, err := v.Verify(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
	if _, err := v.Verify(""); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	// A public key that everybody has is no secret, also where there is no secret.
	v = verifier(t, Config{PublicKeys: []byte(keys["RS256"].public)})
	for _, key := range []string{keys["RS256"].public, strings.TrimSpace(keys["RS256"].public)} {
		if _, err := v.Verify(signAny(t, jwt.SigningMethodHS256, []byte(key), jwt.MapClaims{})); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	}
}

func TestClaims(t *testing.T) {
	v := verifier(t, Config{
		Secret: secret, Audience: []string{"calls", "chat"}, Issuer: "https://app.example.org", Required: []string{"sub", "plan"},
		Leeway: 5 * time.Second,
	})
	now := time.Now()
	good := func(change jwt.MapClaims) jwt.MapClaims {
		c := jwt.MapClaims{"aud": "chat", "iss": "https://app.example.org", "sub": "alice", "plan": 1, "exp": now.Add(time.Hour).Unix()}
		for k, value := range change {
			if c[k] = value; value == "absent" {
				delete(c, k)
			}
		}
		return c
	}
	for _, c := range []struct {
		name   string
		change jwt.MapClaims
		want   error
	}{
		{"good", nil, nil},
		{"one of several audiences", jwt.MapClaims{"aud": []string{"x", "calls"}}, nil},
		{"another audience", jwt.MapClaims{"aud": "mail"}, ErrInvalid},
		{"no audience", jwt.MapClaims{"aud": "absent"}, ErrInvalid},
		{"another issuer", jwt.MapClaims{"iss": "https://evil.net"}, ErrInvalid},
		{"no issuer", jwt.MapClaims{"iss": "absent"}, ErrInvalid},
		{"a required claim is missing", jwt.MapClaims{"plan": "absent"}, ErrInvalid},
		{"a required claim is null", jwt.MapClaims{"plan": nil}, ErrInvalid},
		{"no end", jwt.MapClaims{"exp": "absent"}, nil},
		{"expired within the leeway", jwt.MapClaims{"exp": now.Add(-2 * time.Second).Unix()}, nil},
		{"expired", jwt.MapClaims{"exp": now.Add(-time.Minute).Unix()}, ErrExpired},
		{"expired, and forged besides", jwt.MapClaims{"exp": now.Add(-time.Minute).Unix(), "aud": "mail"}, ErrExpired},
		{"not yet", jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}, ErrInvalid},
		{"from the future", jwt.MapClaims{"iat": now.Add(time.Minute).Unix()}, ErrInvalid},
		{"exp is a text", jwt.MapClaims{"exp": "tomorrow"}, ErrInvalid},
		{"grants are a text", jwt.MapClaims{"signalling": "all"}, ErrInvalid},
	} {
		got, err := v.Verify(signAny(t, jwt.SigningMethodHS256, secret, good(c.change)))
		if !errors.Is(err, c.want) || (err == nil) != (got != nil) {
			t.Errorf("%s: %+v, %v, want %v", c.name, got, err, c.want)
		}
	}
	forged := signAny(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), good(jwt.MapClaims{"exp": 1}))
	if _, err := v.Verify(forged); !errors.Is(err, ErrInvalid) {
		t.Errorf("expired with a wrong signature: %v: it tells nothing of the key", err)
	}
}

func TestGrants(t *testing.T) {
	v := verifier(t, Config{Secret: secret})
	c, err := v.Verify(sign(t, secret, Order{Grants: &Grants{
		Create: &Rooms{Names: []string{"lobby", "*"}}, Join: &Rooms{Prefixes: []string{"team-7/", "é"}},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	g := c.Grants
	for room, want := range map[string][2]bool{
		"lobby": {true, false}, "lobby2": {}, "": {}, "*": {true, false}, "team-7/": {false, true}, "team-7/x": {false, true},
		"team-7": {}, "team-70": {}, "Lobby": {}, "éa": {false, true}, "e\u0301a": {},
	} {
		if got := [2]bool{g.Create.Has([]byte(room)), g.Join.Has([]byte(room))}; got != want {
			t.Errorf("%q: create and join %v, want %v", room, got, want)
		}
	}
	if g.Signal {
		t.Error("what is not granted is granted")
	}
	if c, err = v.Verify(signAny(t, jwt.SigningMethodHS256, secret, jwt.MapClaims{"signalling": map[string]any{}})); err != nil ||
		c.Grants == nil || c.Grants.Join.Has([]byte("x")) {
		t.Errorf("empty grants: %+v, %v", c, err)
	}
	all := &Rooms{Prefixes: []string{""}}
	if !all.Has([]byte("anything")) {
		t.Error("the empty prefix is not all rooms")
	}
}

func TestDisplayIdentities(t *testing.T) {
	tooLong := errors.New("too long")
	v := verifier(t, Config{Secret: secret, Display: "name", CheckDisplay: func(text string) error {
		if len(text) > 5 {
			return tooLong
		}
		return nil
	}})
	off := verifier(t, Config{Secret: secret})
	for _, c := range []struct {
		claim any
		want  string
		err   error
	}{
		{"Alice", "Alice", nil},
		{nil, "", nil},
		{"", "", nil},
		{"Alicia", "", tooLong},
		{7, "", ErrDisplay},
		{[]string{"Alice"}, "", ErrDisplay},
	} {
		text := sign(t, secret, Order{Subject: "a", Claims: map[string]any{"name": c.claim, "sub": "b"}})
		got, err := v.Verify(text)
		switch {
		case !errors.Is(err, c.err) || (err != nil && !errors.Is(err, ErrDisplay)):
			t.Errorf("%v: %v", c.claim, err)
		case err == nil && (got.Display != c.want || got.Subject != "a"):
			t.Errorf("%v: %+v", c.claim, got)
		}
		if got, err := off.Verify(text); err != nil || got.Display != "" {
			t.Errorf("nobody asked for it: %+v, %v", got, err)
		}
	}
	forged := sign(t, []byte(strings.Repeat("x", 32)), Order{Claims: map[string]any{"name": 7}})
	if _, err := v.Verify(forged); !errors.Is(err, ErrInvalid) {
		t.Errorf("%v: whoever has no key learns what is wrong", err)
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	small := rsaPair(t, 1024)
	for name, c := range map[string]Config{
		"none":         {},
		"short secret": {Secret: secret[1:]},
		"no PEM":       {PublicKeys: []byte("x")},
		"private key":  {PublicKeys: []byte(ed(t).private)},
		"another PEM":  {PublicKeys: []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")},
		"small RSA":    {PublicKeys: []byte(small.public)},
		"P-384":        {PublicKeys: []byte(ec(t, elliptic.P384()).public)},
		"http":         {JWKS: "http://keys.example.org/jwks"},
		"no URL":       {JWKS: "https://%zz"},
		"a file":       {JWKS: "file:///etc/passwd"},
	} {
		if _, err := NewVerifier(t.Context(), c); err == nil {
			t.Errorf("%s was taken", name)
		} else if strings.Contains(err.Error(), string(secret[1:])) {
			t.Errorf("%s: the error tells the secret", name)
		}
	}
	if _, err := Sign(secret[1:], Order{}); err == nil {
		t.Error("a short secret signs")
	}
	if _, err := Sign(small.private, Order{}); err == nil {
		t.Error("a small key signs")
	}
	if one, another := NewSecret(), NewSecret(); len(one) < MinSecretBytes || one == another {
		t.Error("no secret")
	}
}

// keySet is a server of a key set that changes.
type keySet struct {
	mu   sync.Mutex // guards keys
	keys map[string]pair
}

func (s *keySet) set(keys map[string]pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
}

// ServeHTTP sends the set (RFC 7517, RFC 7518 section 6), with a symmetric key in it.
func (s *keySet) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b64 := base64.RawURLEncoding.EncodeToString
	list := []map[string]string{{"kty": "oct", "kid": "shared", "alg": "HS256", "k": b64(secret)}}
	for kid, p := range s.keys {
		switch k := p.key.(type) {
		case *rsa.PublicKey:
			list = append(list, map[string]string{"kty": "RSA", "kid": kid, "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())})
		case *ecdsa.PublicKey:
			point, _ := k.Bytes()
			list = append(list, map[string]string{"kty": "EC", "crv": "P-256", "kid": kid, "x": b64(point[1:33]), "y": b64(point[33:])})
		case ed25519.PublicKey:
			list = append(list, map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(k)})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": list})
}

func withKid(t *testing.T, method jwt.SigningMethod, p pair, kid string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(p.private))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	token := jwt.NewWithClaims(method, jwt.MapClaims{"sub": kid})
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAKeySet(t *testing.T) {
	first, second, third := ec(t, elliptic.P256()), ed(t), rsaPair(t, 2048)
	set := &keySet{keys: map[string]pair{"one": first, "three": third}}
	srv := httptest.NewServer(set)
	defer srv.Close()
	defer srv.CloseClientConnections()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	local := ed(t)
	v := verifier(t, Config{JWKS: srv.URL, Client: client, PublicKeys: []byte(local.public)})
	es, eddsa, rs := jwt.SigningMethodES256, jwt.SigningMethodEdDSA, jwt.SigningMethodRS256
	for kid, text := range map[string]string{
		"one": withKid(t, es, first, "one"), "three": withKid(t, rs, third, "three"), "": withKid(t, es, first, ""),
	} {
		if c, err := v.Verify(text); err != nil || c.Subject != kid {
			t.Errorf("%q: %+v, %v", kid, c, err)
		}
	}
	if _, err := v.Verify(sign(t, local.private, Order{})); err != nil {
		t.Errorf("the key of the file: %v", err)
	}
	if _, err := v.Verify(withKid(t, es, first, "three")); !errors.Is(err, ErrInvalid) {
		t.Errorf("a key under another's name: %v", err)
	}
	confused := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{})
	confused.Header["kid"] = "shared"
	text, err := confused.SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(text); !errors.Is(err, ErrInvalid) {
		t.Errorf("a secret that is published in a key set: %v", err)
	}
	// A new key is found without waiting for the hour.
	set.set(map[string]pair{"two": second})
	if c, err := v.Verify(withKid(t, eddsa, second, "two")); err != nil || c.Subject != "two" {
		t.Errorf("the new key: %+v, %v", c, err)
	}
	if _, err := v.Verify(withKid(t, es, first, "one")); !errors.Is(err, ErrInvalid) {
		t.Errorf("the key that is gone: %v", err)
	}
}

// A key set that is out of reach stops nobody from starting.
func TestAKeySetThatIsAway(t *testing.T) {
	v := verifier(t, Config{JWKS: "http://127.0.0.1:1/", Secret: secret})
	if _, err := v.Verify(withKid(t, jwt.SigningMethodEdDSA, ed(t), "x")); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := v.Verify(sign(t, secret, Order{})); err != nil {
		t.Error(err)
	}
}

func BenchmarkVerify(b *testing.B) {
	v, err := NewVerifier(b.Context(), Config{Secret: secret})
	if err != nil {
		b.Fatal(err)
	}
	text, _ := Sign(secret, Order{Subject: "alice", Lifetime: time.Hour, Grants: &Grants{Signal: true}})
	for b.Loop() {
		if _, err := v.Verify(text); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleSign() {
	secret := []byte("a secret of at least thirty-two bytes")
	text, _ := Sign(secret, Order{Subject: "alice", Lifetime: time.Hour, Grants: &Grants{
		Join: &Rooms{Prefixes: []string{"team-7/"}}, Signal: true,
	}})
	fmt.Println(strings.Count(text, "."))
	// Output: 2
}
