package hub

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Token names a session and its incarnation. With it, signed, a client shows that the session is its own.
type Token struct {
	// Client is the session's client id.
	Client string
	// Gateway is the one that held the session when the token was made.
	Gateway string
	// Inc is the incarnation: 0 at first, a higher number after each resumption. See proof.go for which are good.
	Inc uint64
}

// ErrToken says only that a token is none of ours: not why.
var ErrToken = errors.New("the token is not valid")

// Seal signs a token for a purpose, such as the door that it is for: HMAC-SHA256 (RFC 2104), cut to 128 bits.
func (r *Resume) Seal(purpose string, t Token) string {
	text := t.Client + "." + t.Gateway + "." + strconv.FormatUint(t.Inc, 36)
	return text + "." + r.sign(purpose, text)
}

// Open checks a token that Seal made for the same purpose.
func (r *Resume) Open(purpose, sealed string) (Token, error) {
	i := strings.LastIndexByte(sealed, '.')
	if i < 0 || !hmac.Equal([]byte(sealed[i+1:]), []byte(r.sign(purpose, sealed[:i]))) {
		return Token{}, ErrToken
	}
	parts := strings.Split(sealed[:i], ".")
	if len(parts) != 3 {
		return Token{}, ErrToken
	}
	inc, err := strconv.ParseUint(parts[2], 36, 64)
	if err != nil {
		return Token{}, ErrToken
	}
	return Token{Client: parts[0], Gateway: parts[1], Inc: inc}, nil
}

func (r *Resume) sign(purpose, text string) string {
	mac := hmac.New(sha256.New, r.Secret)
	mac.Write([]byte(purpose + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
