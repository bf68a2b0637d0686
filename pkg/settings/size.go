package settings

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is an amount of bytes, written as "256KiB". The units are B, KiB, MiB
// and GiB, powers of 1024; a number alone counts bytes. The number is a whole
// one and not negative. KB and MB are refused, because people differ on what
// they mean.
type Size int64

// The units of [Size].
const (
	Byte Size = 1
	KiB       = 1024 * Byte
	MiB       = 1024 * KiB
	GiB       = 1024 * MiB
)

// sizeUnits is ordered so that a unit precedes those that its name ends with.
var sizeUnits = []struct {
	name string
	unit Size
}{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", Byte}}

var errSize = errors.New("want a whole number of B, KiB, MiB or GiB, such as 256KiB")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), Byte
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimRight(n, " "), u.unit
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if errors.Is(err, strconv.ErrRange) || err == nil && n > uint64(math.MaxInt64/unit) { // #nosec G115 -- a unit is positive
		return errors.New("the size is too large")
	}
	if err != nil {
		return errSize
	}
	*s = Size(n) * unit
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes s in the largest unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.unit == 0 {
			return fmt.Sprintf("%d%s", s/u.unit, u.name)
		}
	}
	return "0B"
}
