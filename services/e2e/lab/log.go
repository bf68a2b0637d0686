package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// maxLogLines bounds what is kept of a log; older lines are dropped.
const maxLogLines = 50_000

// Log is what a process wrote, over all its runs.
type Log struct {
	mirror io.Writer // gets each line too, if not nil
	prefix string

	mu      sync.Mutex // guards what follows, and writing to mirror
	partial []byte     // a line that is not complete
	lines   []string
	dropped int           // lines that are no longer in lines
	more    chan struct{} // closed when a line comes
}

func newLog(name string, mirror io.Writer) *Log {
	return &Log{mirror: mirror, prefix: fmt.Sprintf("%-12s ", name), more: make(chan struct{})}
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		line, rest, complete := bytes.Cut(l.partial, []byte("\n"))
		if !complete {
			return len(p), nil
		}
		l.add(string(line))
		l.partial = append(l.partial[:0], rest...)
	}
}

// add appends a line. It is called with mu held.
func (l *Log) add(line string) {
	if len(l.lines) == maxLogLines {
		l.dropped += maxLogLines / 10
		l.lines = append([]string(nil), l.lines[maxLogLines/10:]...)
	}
	l.lines = append(l.lines, line)
	close(l.more)
	l.more = make(chan struct{})
	if l.mirror != nil {
		_, _ = io.WriteString(l.mirror, l.prefix+line+"\n")
	}
}

// Position is the number of lines so far.
func (l *Log) Position() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped + len(l.lines)
}

// Since returns the lines from a position on, as far as they are kept, and the channel that is closed when more come.
func (l *Log) Since(position int) (lines []string, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := min(max(position-l.dropped, 0), len(l.lines))
	return append([]string(nil), l.lines[from:]...), l.more
}

// Tail returns the last n lines since a position, with a note if there were more.
func (l *Log) Tail(position, n int) string {
	lines, _ := l.Since(position)
	note := ""
	if len(lines) > n {
		note = fmt.Sprintf("… %d lines before\n", len(lines)-n)
		lines = lines[len(lines)-n:]
	}
	return note + strings.Join(lines, "\n")
}

// wait returns the first result of find on the lines from a position on, or the context's error.
func (l *Log) wait(ctx context.Context, position int, find func(line string) (string, bool)) (string, error) {
	for {
		lines, more := l.Since(position)
		for _, line := range lines {
			if found, ok := find(line); ok {
				return found, nil
			}
		}
		position += len(lines)
		select {
		case <-more:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// fatal is what no log may have: the race detector's report, a panic, or the runtime's own end.
var fatal = regexp.MustCompile(`DATA RACE|panic|^fatal error: `)

// bad returns the lines from a position on that no log may have.
func (l *Log) bad(position int) (bad []string) {
	lines, _ := l.Since(position)
	for _, line := range lines {
		if fatal.MatchString(line) {
			bad = append(bad, line)
		}
	}
	return bad
}

// listening finds the address in the log line of a listener of our programs, in either of their formats.
func listening(what string) func(line string) (string, bool) {
	text := regexp.MustCompile(`\bmsg=listening\b.* for=` + regexp.QuoteMeta(what) + ` addr=(\S+)`)
	return func(line string) (string, bool) {
		var entry struct{ Msg, For, Addr string }
		if json.Unmarshal([]byte(line), &entry) == nil {
			return entry.Addr, entry.Msg == "listening" && entry.For == what
		}
		if m := text.FindStringSubmatch(line); m != nil {
			return m[1], true
		}
		return "", false
	}
}
