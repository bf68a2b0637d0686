package settings_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalling/pkg/settings"
)

type limits struct {
	Rooms int           `env:"ROOMS" envDefault:"10" desc:"rooms per client"`
	Frame settings.Size `env:"FRAME" envDefault:"256KiB" desc:"largest message"`
}

type shared struct {
	URL string `env:"BUS_URL" envDefault:"nats://there" desc:"the bus"`
}

type config struct {
	Listen  string        `env:"LISTEN" envDefault:":8080" desc:"address"`
	Idle    time.Duration `env:"IDLE" envDefault:"45s" desc:"silence allowed"`
	Level   slog.Level    `env:"LEVEL" envDefault:"info" desc:"log level"`
	Origins []string      `env:"ORIGINS" desc:"allowed origins"`
	Key     string        `env:"KEY,file" secret:"true" desc:"path of the key"`
	Token   int           `env:"TOKEN" secret:"true" desc:"a secret number"`
	Limits  limits        `envPrefix:"LIMIT_"`
	Bus     shared
	Other   struct{ Bus shared } // a second part with the same setting

	Hook   func() // no setting
	hidden string //nolint:unused // unexported fields are no settings
}

func TestParseDefaults(t *testing.T) {
	got := config{Key: "kept"}
	if err := settings.Parse(&got, settings.Options{Environ: map[string]string{}}); err != nil {
		t.Fatal(err)
	}
	want := config{
		Listen: ":8080", Idle: 45 * time.Second, Key: "kept",
		Limits: limits{Rooms: 10, Frame: 256 * settings.KiB},
		Bus:    shared{"nats://there"},
	}
	want.Other.Bus = want.Bus
	if d := cmp.Diff(want, got, cmp.AllowUnexported(config{})); d != "" {
		t.Error(d)
	}
}

func TestParseEnvironment(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("s3cret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got config
	err := settings.Parse(&got, settings.Options{Environ: map[string]string{
		"LISTEN": "", // as if unset
		"IDLE":   "1m", "LEVEL": "WARN", "ORIGINS": "a,b", "KEY": key,
		"LIMIT_ROOMS": "3", "LIMIT_FRAME": "1MiB", "BUS_URL": "nats://here",
		"UNRELATED": "x",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Listen: ":8080", Idle: time.Minute, Level: slog.LevelWarn, Origins: []string{"a", "b"}, Key: "s3cret",
		Limits: limits{Rooms: 3, Frame: settings.MiB},
		Bus:    shared{"nats://here"},
	}
	want.Other.Bus = want.Bus
	if d := cmp.Diff(want, got, cmp.AllowUnexported(config{})); d != "" {
		t.Error(d)
	}
}

func TestParseReadsTheProcessEnvironment(t *testing.T) {
	t.Setenv("LISTEN", ":1234")
	var got config
	if err := settings.Parse(&got, settings.Options{}); err != nil {
		t.Fatal(err)
	}
	if got.Listen != ":1234" {
		t.Errorf("Listen = %q", got.Listen)
	}
}

func TestReplacedDefaults(t *testing.T) {
	opts := settings.Options{
		Environ:  map[string]string{"LIMIT_ROOMS": "3", "BUS_URL": ""},
		Defaults: map[string]string{"LISTEN": "127.0.0.1:8080", "LIMIT_ROOMS": "7", "BUS_URL": ""},
	}
	var got config
	if err := settings.Parse(&got, opts); err != nil {
		t.Fatal(err)
	}
	if got.Listen != "127.0.0.1:8080" || got.Limits.Rooms != 3 || got.Bus.URL != "" || got.Other.Bus.URL != "" {
		t.Errorf("got %+v", got)
	}
	opts.Environ["BUS_URL"] = "nats://given"
	if err := settings.Parse(&got, opts); err != nil {
		t.Fatal(err)
	}
	if got.Bus.URL != "nats://given" {
		t.Errorf("a variable lost against a default: %q", got.Bus.URL)
	}

	opts.Defaults = map[string]string{"LISTN": "x"}
	if err := settings.Parse(&got, opts); err == nil || errors.Is(err, settings.ErrInvalid) {
		t.Errorf("a default for an unknown setting: %v, want an error of the program", err)
	}
}

func TestParseReportsEverythingAtOnce(t *testing.T) {
	var cfg struct {
		config
		Must string `env:"MUST,required"`
		Full string `env:"FULL,notEmpty"`
	}
	err := settings.Parse(&cfg, settings.Options{Environ: map[string]string{
		"IDLE": "soon", "LEVEL": "loud", "KEY": "/nowhere/key", "TOKEN": "topsecret",
		"LIMIT_ROOMS": "many", "LIMIT_FRAME": "256KB",
	}})
	if !errors.Is(err, settings.ErrInvalid) {
		t.Fatalf("got %v, want ErrInvalid", err)
	}
	want := `invalid settings:
  IDLE="soon": time: invalid duration "soon"
  LEVEL="loud": slog: level string "loud": unknown name
  KEY: open /nowhere/key: no such file or directory
  TOKEN is not a valid int
  LIMIT_ROOMS="many": invalid syntax for type int
  LIMIT_FRAME="256KB": want a whole number of B, KiB, MiB or GiB, such as 256KiB
  MUST is required
  FULL is required`
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
}

// checked is a group with a method Validate.
type checked struct {
	Min int `env:"MIN" envDefault:"1"`
	Max int `env:"MAX" envDefault:"2"`
}

func (c *checked) Validate() error {
	if c.Min > c.Max {
		return errors.New("MIN is more than MAX")
	}
	return nil
}

type checkedOuter struct {
	checked        // embedded: the method is also checkedOuter's
	Second  int    `env:"SECOND" envDefault:"5"`
	Sub     subset `envPrefix:"SUB_"`
}

type subset struct {
	Max int `env:"MAX" envDefault:"2"`
}

func (s subset) Validate() error {
	if s.Max < 0 {
		return errors.New("SUB_MAX is negative")
	}
	return nil
}

func TestValidate(t *testing.T) {
	var cfg checkedOuter
	if err := settings.Parse(&cfg, settings.Options{Environ: map[string]string{}}); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	err := settings.Parse(&cfg, settings.Options{Environ: map[string]string{"MIN": "9", "SUB_MAX": "-1"}})
	if !errors.Is(err, settings.ErrInvalid) || strings.Count(err.Error(), "MIN is more") != 1 ||
		!strings.Contains(err.Error(), "SUB_MAX is negative") {
		t.Errorf("got %v", err)
	}
	// Nothing is validated before everything could be read.
	err = settings.Parse(&cfg, settings.Options{Environ: map[string]string{"MIN": "9", "SECOND": "x"}})
	if err == nil || strings.Contains(err.Error(), "MIN") {
		t.Errorf("got %v", err)
	}
}

func TestParseRefusesWhatItCannotFill(t *testing.T) {
	for name, dst := range map[string]any{
		"a struct":  config{},
		"nil":       (*config)(nil),
		"no struct": new(string),
		"an unknown option": &struct {
			A string `env:"A,nonsense"`
		}{},
		"no name": &struct {
			A string `env:",required"`
		}{},
		"an unknown type": &struct {
			A chan int `env:"A"`
		}{},
	} {
		t.Run(name, func(t *testing.T) {
			err := settings.Parse(dst, settings.Options{Environ: map[string]string{"A": "1"}})
			if err == nil {
				t.Error("accepted")
			}
		})
	}
}
