package settings

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrStale is wrapped by [CheckBlock]'s error when a block differs from what
// it should be.
var ErrStale = errors.New("the generated block is out of date")

// Markdown renders table as a Markdown table.
func Markdown(table []Setting) string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, s := range table {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, s.markdownDefault(), escapeCell(s.Description))
	}
	return b.String()
}

func (s Setting) markdownDefault() string {
	switch {
	case s.Required:
		return "required"
	case s.Default == "":
		return ""
	default:
		return "`" + escapeCell(s.Default) + "`"
	}
}

// escapeCell keeps s inside its cell.
func escapeCell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

// CheckBlock compares the block of the given name in a Markdown file with
// content. A block is what stands between the lines
//
//	<!-- settings:NAME -->
//	<!-- /settings:NAME -->
//
// A difference is an error that wraps [ErrStale].
func CheckBlock(path, name, content string) error {
	old, updated, err := replaceBlock(path, name, content)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, updated) {
		return fmt.Errorf("%s: settings:%s: %w", path, name, ErrStale)
	}
	return nil
}

// UpdateBlock replaces the block of the given name in a Markdown file with
// content. A file that is right already is not written.
func UpdateBlock(path, name, content string) error {
	old, updated, err := replaceBlock(path, name, content)
	if err != nil || bytes.Equal(old, updated) {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, updated, info.Mode().Perm())
}

// replaceBlock returns the file at path as it is and as it should be.
func replaceBlock(path, name, content string) (old, updated []byte, err error) {
	old, err = os.ReadFile(path) //nolint:gosec // the path is the caller's, who is a generator or a test
	if err != nil {
		return nil, nil, err
	}
	begin, end := "<!-- settings:"+name+" -->\n", "<!-- /settings:"+name+" -->"
	before, rest, ok := bytes.Cut(old, []byte(begin))
	if !ok {
		return nil, nil, fmt.Errorf("%s: no line %q", path, strings.TrimSpace(begin))
	}
	_, after, ok := bytes.Cut(rest, []byte(end))
	if !ok {
		return nil, nil, fmt.Errorf("%s: no line %q after its beginning", path, end)
	}
	block := strings.TrimRight(content, "\n") + "\n"
	updated = bytes.Join([][]byte{before, []byte(begin), []byte(block), []byte(end), after}, nil)
	return old, updated, nil
}
