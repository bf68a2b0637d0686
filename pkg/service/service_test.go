package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"

	"signalling/pkg/settings"
	"signalling/pkg/settings/settingstest"
)

type config struct {
	Listen string `env:"LISTEN" envDefault:":8080" desc:"address"`
	Count  int    `env:"COUNT" envDefault:"3" desc:"how many"`
}

// result is what one run of a program left behind.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, p Program, environ map[string]string, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	if environ == nil {
		environ = map[string]string{}
	}
	code := p.main(t.Context(), args, environ, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func program(cfg *config, run func(context.Context, *slog.Logger) error) Program {
	return Program{
		Name: "prog", Summary: "does things", Config: cfg,
		Defaults: map[string]string{"LISTEN": "127.0.0.1:1"}, Run: run,
	}
}

func TestRunWithSettings(t *testing.T) {
	var cfg config
	r := run(t, program(&cfg, func(_ context.Context, log *slog.Logger) error {
		log.Debug("inside", "listen", cfg.Listen, "count", cfg.Count)
		return nil
	}), map[string]string{"COUNT": "5", "LOG_LEVEL": "debug", "LOG_FORMAT": "json"})
	if r.code != ExitOK {
		t.Errorf("exit code %d", r.code)
	}
	if want := `"msg":"inside","listen":"127.0.0.1:1","count":5}`; !strings.Contains(r.stderr, want) {
		t.Errorf("the log has no %s:\n%s", want, r.stderr)
	}
	if r.stdout != "" {
		t.Errorf("standard output has %q", r.stdout)
	}
}

func TestTheLogIsTextFromInfoOn(t *testing.T) {
	r := run(t, Program{Name: "prog", Run: func(_ context.Context, log *slog.Logger) error {
		log.Debug("hidden")
		slog.Info("shown", "a", 1) // the default logger is ours
		return nil
	}}, nil)
	if !strings.Contains(r.stderr, "level=INFO msg=shown a=1") || strings.Contains(r.stderr, "hidden") {
		t.Errorf("log:\n%s", r.stderr)
	}
}

func TestExitCodes(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want int
	}{
		"success":                     {t.Context(), nil, ExitOK},
		"stopped":                     {ended, fmt.Errorf("serving: %w", context.Canceled), ExitOK},
		"failed while stopping":       {ended, errors.New("boom"), ExitFailure},
		"failed":                      {t.Context(), errors.New("boom"), ExitFailure},
		"cancelled, but not by us":    {t.Context(), context.Canceled, ExitFailure},
		"wrong setting found by Run":  {t.Context(), fmt.Errorf("x: %w", settings.ErrInvalid), ExitConfig},
		"wrong setting when stopping": {ended, settings.ErrInvalid, ExitConfig},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			p := Program{Name: "prog", Run: func(context.Context, *slog.Logger) error { return c.err }}
			if got := p.main(c.ctx, nil, map[string]string{}, &stdout, &stderr); got != c.want {
				t.Errorf("exit code %d, want %d; log:\n%s", got, c.want, &stderr)
			}
			if c.want == ExitFailure && !strings.Contains(stderr.String(), c.err.Error()) {
				t.Errorf("the error is not in the log:\n%s", &stderr)
			}
		})
	}
}

func TestWrongSettings(t *testing.T) {
	r := run(t, program(&config{}, func(context.Context, *slog.Logger) error {
		t.Error("Run was called")
		return nil
	}), map[string]string{"COUNT": "x", "LOG_FORMAT": "xml"})
	if r.code != ExitConfig {
		t.Errorf("exit code %d, want %d", r.code, ExitConfig)
	}
	for _, want := range []string{"prog: ", `COUNT="x"`, `LOG_FORMAT="xml": want text or json`} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("standard error has no %q:\n%s", want, r.stderr)
		}
	}
}

func TestArguments(t *testing.T) {
	p := program(&config{}, func(context.Context, *slog.Logger) error {
		t.Error("Run was called")
		return nil
	})
	help := run(t, p, nil, "--help")
	if help.code != ExitOK {
		t.Errorf("--help: exit code %d", help.code)
	}
	for _, want := range []string{
		"prog: does things", "LISTEN\n        address (default 127.0.0.1:1)", "COUNT", "LOG_LEVEL", "LOG_FORMAT",
	} {
		if !strings.Contains(help.stdout, want) {
			t.Errorf("--help has no %q:\n%s", want, help.stdout)
		}
	}
	if v := run(t, p, nil, "--version"); v.code != ExitOK || !strings.HasPrefix(v.stdout, "prog ") {
		t.Errorf("--version: %+v", v)
	}
	if r := run(t, p, nil, "--listen=:1"); r.code != ExitConfig || !strings.Contains(r.stderr, "--listen=:1") {
		t.Errorf("an unknown argument: %+v", r)
	}
}

func TestSettingsAreDescribed(t *testing.T) {
	settingstest.Described(t, &LogConfig{}, settings.Options{})
}

func TestTheLinkersVersionCounts(t *testing.T) {
	version = "v9"
	t.Cleanup(func() { version = "" })
	if v := Version(); v != "v9" {
		t.Errorf("version %q", v)
	}
}

func TestVersion(t *testing.T) {
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef"},
			{Key: "vcs.modified", Value: modified},
		}
	}
	for want, info := range map[string]debug.BuildInfo{
		"v1.2.3":        {Main: debug.Module{Version: "v1.2.3"}, Settings: vcs("false")},
		"0123456789ab":  {Main: debug.Module{Version: "(devel)"}, Settings: vcs("false")},
		"0123456789ab+": {Settings: vcs("true")},
		"devel":         {},
	} {
		if got := versionOf(&info); got != want {
			t.Errorf("version %q, want %q", got, want)
		}
	}
}
