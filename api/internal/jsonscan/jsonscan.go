// Package jsonscan reads JSON (RFC 8259) in one pass and without building values: it validates, tells where each value
// begins and ends, and leaves it to the caller which of them to decode. A signal's data is thereby checked once and then
// relayed byte for byte.
//
// It is strict: no trailing commas, no control characters in strings, no leading zeros. It does not check that the text is
// UTF-8, because the doors have done so for the whole frame before.
package jsonscan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// MaxDepth is how deeply arrays and objects may nest. Session descriptions and candidates need fewer than ten levels.
const MaxDepth = 512

var (
	errEnd     = errors.New("unexpected end of JSON text")
	errDepth   = fmt.Errorf("JSON nests deeper than %d levels", MaxDepth)
	errLiteral = errors.New("invalid literal")
)

// Space returns the index of the first byte at or after i that is not JSON white space (RFC 8259 section 2).
func Space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// Value validates the value that begins at b[i] and returns the index after its last byte. Nesting is followed without
// recursion, so that a hostile text costs no stack.
func Value(b []byte, i int) (int, error) {
	var inObject [MaxDepth / 64]uint64 // one bit a level: set for an object, clear for an array
	depth := 0
	var err error
	for {
		// Here a value begins at b[i].
		if i >= len(b) {
			return i, errEnd
		}
		opened := false
		switch c := b[i]; c {
		case '{', '[':
			if depth == MaxDepth {
				return i, errDepth
			}
			if c == '{' {
				inObject[depth/64] |= 1 << (depth % 64)
			} else {
				inObject[depth/64] &^= 1 << (depth % 64)
			}
			depth++
			i = Space(b, i+1)
			opened = true
		default:
			if i, err = scalar(b, i); err != nil {
				return i, err
			}
		}
		// Here either a container was opened or a value has ended: close what closes, then find the next value.
		for {
			if depth == 0 {
				return i, nil
			}
			object := inObject[(depth-1)/64]&(1<<((depth-1)%64)) != 0
			if !opened {
				i = Space(b, i)
			}
			if i >= len(b) {
				return i, errEnd
			}
			if (object && b[i] == '}') || (!object && b[i] == ']') {
				i, opened = i+1, false
				depth--
				continue
			}
			if !opened {
				if b[i] != ',' {
					return i, unexpected(b, i, "',' or a closing bracket")
				}
				i = Space(b, i+1)
			}
			if object {
				if i, err = key(b, i); err != nil {
					return i, err
				}
			}
			break
		}
	}
}

// key skips an object's member name and its colon, and returns where the member's value begins.
func key(b []byte, i int) (int, error) {
	if i >= len(b) {
		return i, errEnd
	}
	if b[i] != '"' {
		return i, unexpected(b, i, "a member name")
	}
	i, err := stringEnd(b, i)
	if err != nil {
		return i, err
	}
	i = Space(b, i)
	if i >= len(b) {
		return i, errEnd
	}
	if b[i] != ':' {
		return i, unexpected(b, i, "':'")
	}
	return Space(b, i+1), nil
}

func scalar(b []byte, i int) (int, error) {
	switch c := b[i]; {
	case c == '"':
		return stringEnd(b, i)
	case c == '-' || (c >= '0' && c <= '9'):
		return numberEnd(b, i)
	case c == 't':
		return literal(b, i, "true")
	case c == 'f':
		return literal(b, i, "false")
	case c == 'n':
		return literal(b, i, "null")
	}
	return i, unexpected(b, i, "a value")
}

func literal(b []byte, i int, word string) (int, error) {
	if len(b)-i < len(word) {
		return i, errEnd
	}
	if string(b[i:i+len(word)]) != word {
		return i, errLiteral
	}
	return i + len(word), nil
}

// stringEnd validates the string whose opening quote is b[i] and returns the index after its closing quote.
func stringEnd(b []byte, i int) (int, error) {
	for i = plain(b, i+1); i < len(b); i = plain(b, i+1) {
		switch b[i] {
		case '"':
			return i + 1, nil
		case '\\':
			i++
			if i >= len(b) {
				return i, errEnd
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(b, i+1); !ok {
					return i, errors.New(`invalid \u escape`)
				}
				i += 4
			default:
				return i, errors.New("invalid escape in a string")
			}
		default:
			return i, unexpected(b, i, "no control character in a string")
		}
	}
	return i, errEnd
}

// Eight bytes at a time: each of them 1, and each of them 128.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns the index of the first byte at or after i that does not just stand for itself in a string: a quote, a
// backslash or a control character. A signal is one long string as a rule, so this is most of what a scan does.
func plain(b []byte, i int) int {
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, escape := w^('"'*ones), w^('\\'*ones)
		// A byte x is less than n, both below 128, if x-n borrows from its highest bit; so is a 0 less than 1. What a borrow
		// does to the bytes behind does not matter, because the first one counts.
		found := ((w-' '*ones)&^w | (quote-ones)&^quote | (escape-ones)&^escape) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

func hex4(b []byte, i int) (rune, bool) {
	if len(b)-i < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// numberEnd follows the grammar of RFC 8259 section 6.
func numberEnd(b []byte, i int) (int, error) {
	if b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return i, errEnd
	case b[i] == '0':
		i++
	case b[i] >= '1' && b[i] <= '9':
		i = digits(b, i)
	default:
		return i, unexpected(b, i, "a digit")
	}
	if i < len(b) && b[i] == '.' {
		from := i + 1
		if i = digits(b, from); i == from {
			return i, errors.New("no digit after the decimal point")
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from := i
		if i = digits(b, from); i == from {
			return i, errors.New("no digit in the exponent")
		}
	}
	return i, nil
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// unexpected never quotes the input: the text goes back to the client that sent it and into logs.
func unexpected(_ []byte, i int, want string) error {
	return fmt.Errorf("invalid JSON at byte %d: want %s", i, want)
}
