package natsbus_test

import (
	"strings"
	"testing"

	"signalling/pkg/natsbus"
	"signalling/pkg/settings"
	"signalling/pkg/settings/settingstest"
)

func TestSettingsAreDescribed(t *testing.T) {
	settingstest.Described(t, &natsbus.Config{}, settings.Options{})
}

func TestDefaultURL(t *testing.T) {
	var cfg natsbus.Config
	if err := settings.Parse(&cfg, settings.Options{Environ: map[string]string{}}); err != nil {
		t.Fatal(err)
	}
	if want := (natsbus.Config{URL: "nats://127.0.0.1:4222"}); cfg != want {
		t.Errorf("got %+v, want %+v", cfg, want)
	}
}

func TestValidateAccepts(t *testing.T) {
	for _, cfg := range []natsbus.Config{
		{},
		{URL: "localhost"},
		{URL: "localhost:4222"},
		{URL: "nats://[::1]:4222"},
		{URL: "nats://a:4222, tls://user:pass@b:4222 ,ws://c:80,wss://d"},
		{Creds: "file"},
		{NKey: "file", TLSCA: "file", TLSCert: "file", TLSKey: "file"},
	} {
		if err := cfg.Validate(); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  natsbus.Config
		want string
	}{
		"empty entry":     {natsbus.Config{URL: "nats://a,,nats://b"}, "NATS_URL: entry 2 is empty"},
		"other scheme":    {natsbus.Config{URL: "http://u:hunter2@a"}, "NATS_URL: entry 1 has a scheme other"},
		"no host":         {natsbus.Config{URL: "nats://:4222"}, "NATS_URL: entry 1 names no host"},
		"no URL":          {natsbus.Config{URL: "nats://u:hunter2/x@a:b"}, "NATS_URL: entry 1 is not a URL"},
		"two identities":  {natsbus.Config{Creds: "a", NKey: "b"}, "NATS_CREDS and NATS_NKEY"},
		"cert, no key":    {natsbus.Config{TLSCert: "a"}, "NATS_TLS_CERT and NATS_TLS_KEY"},
		"key, no cert":    {natsbus.Config{TLSKey: "a"}, "NATS_TLS_CERT and NATS_TLS_KEY"},
		"several at once": {natsbus.Config{URL: "x://a", TLSKey: "a"}, "\nNATS_TLS_CERT"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.cfg.Validate()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}
