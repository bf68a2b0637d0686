package jsonscan

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errTrailing  = errors.New("text after the JSON value")
	errObject    = errors.New("not a JSON object")
	errArray     = errors.New("not a JSON array")
	errString    = errors.New("not a JSON string")
	errSurrogate = errors.New("a lone surrogate is no character")
)

// Object calls member for each member of the one object that text holds, in their order: the name unescaped, the value as
// it stands (validated, without surrounding white space). Both alias text where they can and are valid during the call.
func Object(text []byte, member func(name, value []byte) error) error {
	i := Space(text, 0)
	if i >= len(text) || text[i] != '{' {
		return errObject
	}
	i = Space(text, i+1)
	if i < len(text) && text[i] == '}' {
		return end(text, i+1)
	}
	for {
		start := i
		var err error
		if i, err = key(text, i); err != nil {
			return err
		}
		name, err := Unquote(text[start:])
		if err != nil {
			return err
		}
		start = i
		if i, err = Value(text, i); err != nil {
			return err
		}
		if err = member(name, text[start:i]); err != nil {
			return err
		}
		var last bool
		if i, last, err = next(text, i, '}'); err != nil {
			return err
		}
		if last {
			return end(text, i)
		}
	}
}

// Array calls element for each element of the one array that text holds, as Object does for members.
func Array(text []byte, element func(n int, value []byte) error) error {
	i := Space(text, 0)
	if i >= len(text) || text[i] != '[' {
		return errArray
	}
	i = Space(text, i+1)
	if i < len(text) && text[i] == ']' {
		return end(text, i+1)
	}
	for n := 0; ; n++ {
		start := i
		var err error
		if i, err = Value(text, i); err != nil {
			return err
		}
		if err = element(n, text[start:i]); err != nil {
			return err
		}
		var last bool
		if i, last, err = next(text, i, ']'); err != nil {
			return err
		}
		if last {
			return end(text, i)
		}
	}
}

// next steps over what follows a value in a container: a comma, or the closing bracket.
func next(text []byte, i int, closing byte) (after int, last bool, err error) {
	i = Space(text, i)
	switch {
	case i >= len(text):
		return i, false, errEnd
	case text[i] == closing:
		return i + 1, true, nil
	case text[i] == ',':
		return Space(text, i+1), false, nil
	}
	return i, false, unexpected(text, i, "',' or a closing bracket")
}

func end(text []byte, i int) error {
	if Space(text, i) != len(text) {
		return errTrailing
	}
	return nil
}

// Unquote returns the characters of the string that text begins with. Without escapes the result aliases text. An
// escape that names half of a surrogate pair is an error, because no UTF-8 text stands for it and two different names
// must never become the same.
func Unquote(text []byte) ([]byte, error) {
	if len(text) == 0 || text[0] != '"' {
		return nil, errString
	}
	i := plain(text, 1)
	switch {
	case i >= len(text):
		return nil, errEnd
	case text[i] == '"':
		return text[1:i:i], nil
	case text[i] == '\\':
		return unescape(text, i)
	}
	return nil, unexpected(text, i, "no control character in a string")
}

// unescape is Unquote from the first escape on, which stands at text[i].
func unescape(text []byte, i int) ([]byte, error) {
	stop, err := stringEnd(text, 0)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, stop), text[1:i]...)
	for i < stop-1 {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		i++
		switch c := text[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, n, err := escapedRune(text, i)
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
			i += n
			continue
		default: // quote, backslash, solidus
			out = append(out, c)
		}
		i++
	}
	return out, nil
}

// escapedRune decodes the \u escape, or the pair of them, whose first 'u' is text[i]; n is how many bytes it takes.
func escapedRune(text []byte, i int) (r rune, n int, err error) {
	r, _ = hex4(text, i+1)
	if !utf16.IsSurrogate(r) {
		return r, 5, nil
	}
	if i+6 < len(text) && text[i+5] == '\\' && text[i+6] == 'u' {
		if low, ok := hex4(text, i+7); ok {
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				return r, 11, nil
			}
		}
	}
	return 0, 0, errSurrogate
}

// Uint decodes a JSON number that is a whole number from 0 to 2^64-1.
func Uint(value []byte) (uint64, error) {
	return strconv.ParseUint(string(value), 10, 64)
}

// String decodes a JSON string into a string of its own.
func String(value []byte) (string, error) {
	s, err := Unquote(value)
	return string(s), err
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Only what RFC 8259 section 7 demands is escaped.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
		from = i + 1
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
