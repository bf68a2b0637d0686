package settings_test

import (
	"math"
	"testing"

	"signalling/pkg/settings"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]settings.Size{
		"0": 0, "0KiB": 0, "1": 1, "17B": 17, "1024": settings.KiB, "256KiB": 256 * settings.KiB,
		"3 MiB": 3 * settings.MiB, " 2GiB ": 2 * settings.GiB, "9223372036854775807": math.MaxInt64,
	} {
		var got settings.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "B", "-1", "+1", "1.5MiB", "1KB", "1kib", "1 K", "1KiBKiB", "0x10", "1e3",
		"9223372036854775808", "99999999999999999999", "8589934592GiB",
	} {
		got := settings.Size(7)
		if err := got.UnmarshalText([]byte(text)); err == nil || got != 7 {
			t.Errorf("%q was accepted as %d", text, got)
		}
	}
}

func TestSizeString(t *testing.T) {
	for size, want := range map[settings.Size]string{
		0: "0B", 1: "1B", 1023: "1023B", settings.KiB: "1KiB", 1536: "1536B",
		256 * settings.KiB: "256KiB", 5 * settings.GiB: "5GiB", math.MaxInt64: "9223372036854775807B",
	} {
		text, err := size.MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("%d is written %q, %v; want %q", size, text, err, want)
		}
		var back settings.Size
		if err := back.UnmarshalText(text); err != nil || back != size {
			t.Errorf("%q reads back as %d, %v", text, back, err)
		}
	}
}
