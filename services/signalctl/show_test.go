package signalctl

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// Rooms' names, metadata and ids are the clients' own: nothing of them may move a cursor, change colours or the direction of
// text, or pass for another line.
func TestWhatClientsChooseIsMadeSafe(t *testing.T) {
	for text, want := range map[string]string{
		"lobby":           "lobby",
		"two words":       "two words",
		"größe 🙂":         "größe 🙂",
		"":                `""`,
		" lobby":          `" lobby"`,
		`"quoted"`:        `"\"quoted\""`,
		"a\nb":            `"a\nb"`,
		"\x1b[31mred":     `"\x1b[31mred"`,
		"\x9b31m":         `"\x9b31m"`,
		"\u009b31m":       `"\u009b31m"`,
		"a\u202eb":        `"a\u202eb"`,
		"zero\u200bwidth": `"zero\u200bwidth"`,
		"\xff":            `"\xff"`,
		"tab\there":       `"tab\there"`,
	} {
		if got := safe(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("lobby\x1b")
	f.Fuzz(func(t *testing.T, text string) {
		if got := safe(text); strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q: %q", text, got)
		}
	})
}

func TestNumbers(t *testing.T) {
	for want, all := range map[string][]int{"": nil, "3": {3}, "0-2, 7, 9-10": {10, 0, 2, 1, 7, 9}} {
		if got := numbers(all); got != want {
			t.Errorf("%v: %q", all, got)
		}
	}
}

func TestTimesAndSizes(t *testing.T) {
	for want, seconds := range map[string]float64{"0s": 0, "59s": 59, "1m05s": 65, "3h02m": 3*3600 + 125, "4d01h": 4*86400 + 3700} {
		if got := since(seconds); got != want {
			t.Errorf("%v: %q, want %q", seconds, got, want)
		}
	}
	for want, n := range map[string]uint64{"7 B": 7, "1.5 KiB": 1536, "2.0 MiB": 2 << 20, "3.0 GiB": 3 << 30} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// Ids may begin with a dash, and flags stand anywhere.
func TestArguments(t *testing.T) {
	for _, c := range []struct {
		args, words string
		limit       int
		largest     bool
		fails       bool
	}{
		{args: "a b", words: "a b", limit: 100},
		{args: "-limit 3 a", words: "a", limit: 3},
		{args: "a -limit=3 b --largest", words: "a b", limit: 3, largest: true},
		{args: "-abc -limit 7", words: "-abc", limit: 7},
		{args: "-largest -abc", words: "-abc", limit: 100, largest: true},
		{args: "-- -limit 3", words: "-limit 3", limit: 100},
		{args: "-", words: "-", limit: 100},
		{args: "a -limit", fails: true},
		{args: "-limit x", fails: true},
		{args: "-largest=maybe", fails: true},
		{args: "a -help", fails: true},
	} {
		f := flag.NewFlagSet("test", flag.ContinueOnError)
		f.SetOutput(&strings.Builder{})
		limit, largest := f.Int("limit", 100, ""), f.Bool("largest", false, "")
		words, err := parse(f, strings.Fields(c.args))
		if (err != nil) != c.fails {
			t.Errorf("%q: %v", c.args, err)
		}
		if err == nil && (!slices.Equal(words, strings.Fields(c.words)) || *limit != c.limit || *largest != c.largest) {
			t.Errorf("%q: %q, limit %d, largest %v", c.args, words, *limit, *largest)
		}
	}
}
