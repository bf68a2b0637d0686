package signalctl

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// json writes what programs read.
func (c *call) writeJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes rows in columns, the first of them as their heads.
type table struct{ tab *tabwriter.Writer }

func newTable(w io.Writer, heads ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(heads)
	return t
}

// add adds a row. Whatever is in a cell, it is one.
func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = shown(fmt.Sprint(c))
	}
	t.row(row)
}

func (t *table) row(cells []string) {
	fmt.Fprintln(t.tab, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t *table) end() error { return t.tab.Flush() }

// say writes for people. Its strings are made safe: they are what somebody else has said.
func (c *call) say(format string, args ...any) { _ = c.write(format, args...) } // into memory, but for a tail

// write is say for who has to know whether it was taken.
func (c *call) write(format string, args ...any) error {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = shown(text)
		}
	}
	_, err := fmt.Fprintf(c.out, format, args...)
	return err
}

// shown is safe for what may be empty, or was made so already.
func shown(text string) string {
	if text == "" || printable(text) && text == strings.TrimSpace(text) {
		return text
	}
	return safe(text)
}

// printable says whether a terminal takes the text for nothing but text.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// escaped has escapes for what a terminal would take for more than text, but for the ends of lines.
func escaped(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !printable(line) {
			quoted := strconv.Quote(line)
			lines[i] = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
		}
	}
	return strings.Join(lines, "\n")
}

// safe makes text of clients fit for a terminal: what could move its cursor, change its colours or its direction, or end a
// line is written as Go's escapes, in quotes. Quotes are also around what would not be seen as one word.
func safe(text string) string {
	if !printable(text) || text == "" || text != strings.TrimSpace(text) || strings.HasPrefix(text, `"`) {
		return strconv.Quote(text)
	}
	return text
}

// since writes a time in seconds as people say it.
func since(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// size writes a number of bytes as people say it.
func size(n uint64) string {
	const k = 1 << 10
	switch {
	case n < k:
		return fmt.Sprintf("%d B", n)
	case n < k*k:
		return fmt.Sprintf("%.1f KiB", float64(n)/k)
	case n < k*k*k:
		return fmt.Sprintf("%.1f MiB", float64(n)/k/k)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/k/k/k)
}

// millis writes microseconds.
func millis(micros float64) string { return fmt.Sprintf("%.2f ms", micros/1e3) }

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// numbers writes partitions shortly: 0-3, 7.
func numbers(all []int) string {
	slices.Sort(all)
	var parts []string
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(all[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", all[i], all[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
