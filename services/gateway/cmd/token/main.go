// Command token makes and checks tokens for the gateway, for development and to find out why one is refused.
//
//	token secret > secret                                    a new secret, for GATEWAY_AUTH_SECRET_FILE
//	token make -secret secret -sub alice -join-prefix team/  a token that may join rooms whose names begin with team/
//	token make -secret secret -sub alice -claim name=Alice   a token with one more claim
//	token check -secret secret TOKEN                         what a token says, or why it is not valid
//
// A token without grants (-create, -join, -signal and their like) may do everything.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"signalling/api/client"
	"signalling/pkg/token"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(os.Stderr, "token: %v\n", err)
		}
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: token secret, token make, or token check; -help after one of them tells more")

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "secret":
		_, err := fmt.Fprintln(out, token.NewSecret())
		return err
	case "make":
		return create(args[1:], out)
	case "check":
		return check(ctx, args[1:], in, out)
	}
	return errUsage
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// claims is a flag of claims with texts, NAME=VALUE.
type claims map[string]any

func (c *claims) String() string { return "" }

func (c *claims) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("it is not NAME=VALUE")
	}
	if *c == nil {
		*c = claims{}
	}
	(*c)[name] = value
	return nil
}

func create(args []string, out io.Writer) error {
	var (
		f                     = flag.NewFlagSet("token make", flag.ContinueOnError)
		secret                = f.String("secret", "", "`file` with a secret (HS256)")
		key                   = f.String("key", "", "PEM `file` with a private key in PKCS #8 form (RS256, ES256, EdDSA)")
		order                 token.Order
		grants                token.Grants
		createRooms, joinable token.Rooms
	)
	f.StringVar(&order.Subject, "sub", "", "`user` whose token it is")
	f.StringVar(&order.Issuer, "iss", "", "issuer")
	f.Var((*list)(&order.Audience), "aud", "audience; may be repeated")
	f.Var((*claims)(&order.Claims), "claim", "another claim and its text, `NAME=VALUE`, such as name=Alice; may be repeated")
	f.DurationVar(&order.Lifetime, "for", time.Hour, "how long it is good; 0 for ever")
	f.Var((*list)(&createRooms.Names), "create", "`room` that may be created; may be repeated, as those below")
	f.Var((*list)(&createRooms.Prefixes), "create-prefix", "`beginning` of rooms that may be created")
	f.Var((*list)(&joinable.Names), "join", "`room` that may be joined")
	f.Var((*list)(&joinable.Prefixes), "join-prefix", "`beginning` of rooms that may be joined")
	f.BoolVar(&grants.Signal, "signal", false, "signals may be sent")
	if err := f.Parse(args); err != nil {
		return err
	}
	f.Visit(func(given *flag.Flag) {
		switch given.Name {
		case "create", "create-prefix":
			grants.Create, order.Grants = &createRooms, &grants
		case "join", "join-prefix":
			grants.Join, order.Grants = &joinable, &grants
		case "signal":
			order.Grants = &grants
		}
	})
	signer, err := signer(*secret, *key)
	if err != nil {
		return err
	}
	text, err := token.Sign(signer, order)
	if err == nil {
		_, err = fmt.Fprintln(out, text)
	}
	return err
}

func signer(secretFile, keyFile string) (any, error) {
	switch {
	case (secretFile == "") == (keyFile == ""):
		return nil, errors.New("one of -secret and -key is needed")
	case keyFile != "":
		text, err := os.ReadFile(keyFile) // #nosec G304 -- the person's own
		return string(text), err
	}
	return readSecret(secretFile)
}

// readSecret reads as the gateway does: a line break at the end is not part of it.
func readSecret(file string) ([]byte, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- the person's own
	return []byte(strings.TrimRight(string(text), "\r\n")), err
}

func check(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	f := flag.NewFlagSet("token check", flag.ContinueOnError)
	c := token.Config{Logger: slog.New(slog.DiscardHandler), CheckDisplay: client.CheckDisplay}
	secret := f.String("secret", "", "`file` with a secret")
	key := f.String("key", "", "PEM `file` with public keys")
	f.StringVar(&c.JWKS, "jwks", "", "`URL` of a key set")
	f.StringVar(&c.Issuer, "iss", "", "issuer that it must name")
	f.Var((*list)(&c.Audience), "aud", "audience that it must name; may be repeated")
	f.Var((*list)(&c.Required), "require", "`claim` that it must have; may be repeated")
	f.StringVar(&c.Display, "display", "", "`claim` with the display identity, as GATEWAY_AUTH_DISPLAY")
	err := f.Parse(args)
	if err == nil && *secret != "" {
		c.Secret, err = readSecret(*secret)
	}
	if err == nil && *key != "" {
		c.PublicKeys, err = os.ReadFile(*key)
	}
	if err != nil {
		return err
	}
	text := f.Arg(0)
	if text == "" {
		b, err := io.ReadAll(io.LimitReader(in, 64<<10))
		if err != nil {
			return err
		}
		text = strings.TrimSpace(string(b))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v, err := token.NewVerifier(ctx, c)
	if err != nil {
		return err
	}
	claims, err := v.Verify(text)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(claims)
}
