package room

import (
	"flag"
	"os"
	"testing"
)

// TestMain makes the model test longer than rapid's default, which would miss rare orders of events. It stays short.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		_ = flag.Set("rapid.checks", "1500") // the flag is there
	}
	os.Exit(m.Run())
}
