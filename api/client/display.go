package client

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Faults of a display identity.
var (
	errDisplayUTF8   = errors.New("it is not UTF-8")
	errDisplayLength = fmt.Errorf("it is longer than %d bytes", MaxDisplayBytes)
	errDisplayHidden = errors.New("it has control characters")
)

// CheckDisplay reports why a text cannot be a display identity: it is shown beside those of others, so it is short and stays in
// its line. Control characters, line and paragraph separators, and what turns the direction of the text around it
// (U+202A to U+202E, U+2066 to U+2069, UAX 9) are no part of it. An empty one is none, and no fault.
func CheckDisplay(display string) error {
	switch {
	case !utf8.ValidString(display):
		return errDisplayUTF8
	case len(display) > MaxDisplayBytes:
		return errDisplayLength
	case strings.ContainsFunc(display, hidden):
		return errDisplayHidden
	}
	return nil
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) ||
		(r >= '\u202a' && r <= '\u202e') || (r >= '\u2066' && r <= '\u2069')
}
