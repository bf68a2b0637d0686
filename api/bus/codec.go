package bus

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"signalling/api/internal/jsonscan"
)

var (
	errMissing = errors.New("is missing")
	errRange   = errors.New("is out of range")
	errHeader  = errors.New("bus: a signal without a header")
)

// codec writes or reads the fields of one message; each message lists them once for both directions. Fields with zero
// values are left out.
type codec struct {
	// Writing: the object so far, without its closing brace.
	dst     []byte
	reading bool
	// Reading: the members of the object. at is where the next one is expected, because both sides use the same order.
	members []field
	at      int
	found   int // how many have been handed out; of the fields that are left nobody needs to look for any
	err     error
	member  func(name, value []byte) error // appends to members
}

type field struct{ name, value []byte }

// message is any message of this package that is one JSON object.
type message interface{ fields(c *codec) }

// pooled codecs are kept for reuse: one would be allocated for each message otherwise.
var pooled = sync.Pool{New: func() any {
	c := new(codec)
	c.member = func(name, value []byte) error {
		c.members = append(c.members, field{name, value})
		return nil
	}
	return c
}}

func (c *codec) release() {
	clear(c.members)
	c.dst, c.members, c.at, c.found, c.err = nil, c.members[:0], 0, 0, nil
	pooled.Put(c)
}

func appendMessage[M message](dst []byte, m M) []byte {
	c := pooled.Get().(*codec)
	dst = append(dst, '{')
	c.reading, c.dst = false, dst
	m.fields(c)
	dst = c.dst
	c.release()
	return append(dst, '}')
}

func decodeMessage[M message](text []byte, m M) error {
	c := pooled.Get().(*codec)
	defer c.release()
	c.reading = true
	if err := jsonscan.Object(text, c.member); err != nil {
		return err
	}
	m.fields(c)
	return c.err
}

// lookup returns the member of the name, or nil. A null counts as absent.
func (c *codec) lookup(name string) []byte {
	if c.err != nil || c.found == len(c.members) {
		return nil
	}
	for range c.members {
		if c.at == len(c.members) {
			c.at = 0
		}
		if f := &c.members[c.at]; string(f.name) == name {
			c.at++
			c.found++
			if string(f.value) == "null" {
				return nil
			}
			return f.value
		}
		c.at++
	}
	return nil
}

func (c *codec) fail(name string, err error) {
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("bus: %q %w", name, err)
	}
}

func (c *codec) name(name string) {
	if c.dst[len(c.dst)-1] != '{' {
		c.dst = append(c.dst, ',')
	}
	c.dst = append(c.dst, '"')
	c.dst = append(c.dst, name...)
	c.dst = append(c.dst, '"', ':')
}

// required marks a string without which the message means nothing. A message that is decoded into again keeps a value that is
// the same.
func (c *codec) required(name string, v *string) {
	if !c.reading {
		c.str(name, v)
		return
	}
	var s []byte
	var err error
	if value := c.lookup(name); value != nil {
		s, err = jsonscan.Unquote(value)
	}
	switch {
	case err != nil:
		c.fail(name, err)
	case len(s) == 0:
		c.fail(name, errMissing)
	case string(s) != *v:
		*v = string(s)
	}
}

func (c *codec) str(name string, v *string) {
	switch {
	case !c.reading && *v != "":
		c.name(name)
		c.dst = jsonscan.AppendString(c.dst, *v)
	case c.reading:
		if value := c.lookup(name); value != nil {
			s, err := jsonscan.String(value)
			*v = s
			c.fail(name, err)
		}
	}
}

// text is str for bytes, which alias the message when read.
func (c *codec) text(name string, v *[]byte) {
	switch {
	case !c.reading:
		c.name(name)
		c.dst = jsonscan.AppendString(c.dst, *v)
	default:
		value := c.lookup(name)
		if value == nil {
			c.fail(name, errMissing)
			return
		}
		s, err := jsonscan.Unquote(value)
		*v = s
		c.fail(name, err)
	}
}

// raw is JSON text as it is, not null. What is read is a copy.
func (c *codec) raw(name string, v *[]byte) {
	switch {
	case !c.reading && len(*v) > 0:
		c.name(name)
		c.dst = append(c.dst, *v...)
	case c.reading:
		if value := c.lookup(name); value != nil {
			*v = append([]byte(nil), value...)
		}
	}
}

// nested is a message within a message, left out if there is none.
func nested[T any, M interface {
	*T
	message
}](c *codec, name string, v **T) {
	switch {
	case !c.reading && *v != nil:
		c.name(name)
		c.dst = appendMessage(c.dst, M(*v))
	case c.reading:
		if value := c.lookup(name); value != nil {
			*v = new(T)
			c.fail(name, decodeMessage(value, M(*v)))
		}
	}
}

func (c *codec) uint(name string, v *uint64) {
	switch {
	case !c.reading && *v != 0:
		c.name(name)
		c.dst = strconv.AppendUint(c.dst, *v, 10)
	case c.reading:
		if value := c.lookup(name); value != nil {
			n, err := jsonscan.Uint(value)
			*v = n
			c.fail(name, err)
		}
	}
}

func (c *codec) flag(name string, v *bool) {
	switch {
	case !c.reading && *v:
		c.name(name)
		c.dst = append(c.dst, "true"...)
	case c.reading:
		*v = string(c.lookup(name)) == "true"
	}
}

// partition writes the number plus one, so that "every partition" (-1) is the one that is left out.
func (c *codec) partition(v *int) {
	var n uint64
	if !c.reading {
		n = uint64(*v + 1) // #nosec G115 -- from -1 to Partitions
	}
	c.uint("partition", &n)
	if n > Partitions {
		c.fail("partition", errRange)
		n = 0
	}
	*v = int(n) - 1 // #nosec G115 -- checked above
}

func (c *codec) stamp(epoch, version string, v *Stamp) {
	c.uint(epoch, &v.Epoch)
	c.uint(version, &v.Version)
}

// list writes or reads an array whose elements are each written by write and read by read.
func list[T any](c *codec, name string, v *[]T, write func(dst []byte, e *T) []byte, read func(value []byte, e *T) error) {
	if !c.reading {
		if len(*v) == 0 {
			return
		}
		c.name(name)
		c.dst = append(c.dst, '[')
		for i := range *v {
			if i > 0 {
				c.dst = append(c.dst, ',')
			}
			c.dst = write(c.dst, &(*v)[i])
		}
		c.dst = append(c.dst, ']')
		return
	}
	value := c.lookup(name)
	if value == nil {
		return
	}
	c.fail(name, jsonscan.Array(value, func(_ int, element []byte) error {
		var e T
		if err := read(element, &e); err != nil {
			return err
		}
		*v = append(*v, e)
		return nil
	}))
}

func (c *codec) strs(name string, v *[]string) {
	list(c, name, v,
		func(dst []byte, s *string) []byte { return jsonscan.AppendString(dst, *s) },
		func(value []byte, s *string) (err error) {
			*s, err = jsonscan.String(value)
			return err
		})
}

// roster writes members as arrays: [client, gateway, since, seq, inc, proven, display]. Of the last three those are left out after
// which none is set.
func (c *codec) roster(name string, v *[]Member) { list(c, name, v, appendMember, readMember) }

func appendMember(dst []byte, m *Member) []byte {
	dst = jsonscan.AppendString(append(dst, '['), m.Client)
	dst = jsonscan.AppendString(append(dst, ','), m.Gateway)
	dst = strconv.AppendUint(append(dst, ','), m.Since, 10)
	dst = strconv.AppendUint(append(dst, ','), m.Seq, 10)
	if m.Inc != 0 || m.Display != "" {
		dst = strconv.AppendUint(append(dst, ','), m.Inc, 10)
		dst = strconv.AppendUint(append(dst, ','), m.Proven, 10)
	}
	if m.Display != "" {
		dst = jsonscan.AppendString(append(dst, ','), m.Display)
	}
	return append(dst, ']')
}

func readMember(value []byte, m *Member) error {
	return jsonscan.Array(value, func(n int, element []byte) (err error) {
		switch n {
		case 0:
			m.Client, err = jsonscan.String(element)
		case 1:
			m.Gateway, err = jsonscan.String(element)
		case 2:
			m.Since, err = jsonscan.Uint(element)
		case 3:
			m.Seq, err = jsonscan.Uint(element)
		case 4:
			m.Inc, err = jsonscan.Uint(element)
		case 5:
			m.Proven, err = jsonscan.Uint(element)
		case 6:
			m.Display, err = jsonscan.String(element)
		}
		return err
	})
}
