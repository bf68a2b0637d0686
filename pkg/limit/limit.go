// Package limit holds what bounds how often something may happen: rates with bursts as settings, and their buckets, which are
// one number each and cost a few instructions.
package limit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalling/pkg/settings"
)

// Rate is an amount per second, and how much may come at once after a quiet time. It is written "20:200"; "20" alone has a burst
// of 20, "0.1:5" lets one through every ten seconds, and amounts of bytes may have units: "256KiB:4MiB". 0 means no limit.
type Rate struct {
	PerSecond float64
	Burst     int64
}

var errRate = errors.New("want an amount per second and a burst, such as 20:200, or 0 for no limit")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Rate) UnmarshalText(text []byte) error {
	rate, burst, two := strings.Cut(string(text), ":")
	if !two {
		burst = rate
	}
	n, err := amount(burst)
	if err != nil {
		return errRate
	}
	*r = Rate{float64(n), n}
	if two {
		if r.PerSecond, err = perSecond(rate); err != nil {
			return errRate
		}
	}
	if (r.PerSecond > 0) != (r.Burst > 0) || r.PerSecond > maxAmount || r.Burst > maxAmount {
		return errRate
	}
	return nil
}

// What a rate may be. They keep the arithmetic of Limit far from overflow, as does maxTime.
const (
	minRate   = 0.001
	maxAmount = 1 << 40
	maxTime   = 365 * 24 * time.Hour
)

func perSecond(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil: // perhaps with a unit
		n, err := amount(text)
		return float64(n), err
	case f == 0 || f >= minRate: // a number, and not NaN
		return f, nil
	}
	return 0, errRate
}

func amount(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return n, nil
	}
	var s settings.Size
	err := s.UnmarshalText([]byte(text))
	return int64(s), err
}

// String writes the rate as UnmarshalText reads it.
func (r Rate) String() string {
	if r.PerSecond == 0 {
		return "0"
	}
	return fmt.Sprintf("%s:%d", strconv.FormatFloat(r.PerSecond, 'f', -1, 64), r.Burst)
}

// Limit is a Rate ready for use. The zero value limits nothing.
type Limit struct {
	interval float64       // ns for one
	burst    time.Duration // the time in which the burst comes back
}

// New returns the limit of a rate.
func New(r Rate) Limit {
	if r.PerSecond <= 0 {
		return Limit{}
	}
	interval := float64(time.Second) / r.PerSecond
	return Limit{interval, time.Duration(min(max(interval*float64(r.Burst), 1), float64(maxTime)))}
}

// Off reports whether it limits nothing.
func (l *Limit) Off() bool { return l.burst == 0 }

// Bucket is what is left of a Limit for one client. The zero value is full.
//
// It is the one number of the generic cell rate algorithm (ITU-T I.371): the time at which the bucket will be full again.
type Bucket struct{ full time.Duration }

// Take takes n out of the bucket, now being any clock that only goes forward. It returns 0, or, if there is less than n, the
// time after which there will be enough; nothing is taken then. A full bucket gives whatever is asked.
func (l *Limit) Take(b *Bucket, now time.Duration, n int) (wait time.Duration) {
	if l.burst == 0 {
		return 0
	}
	full := max(b.full, now)
	next := full + time.Duration(l.interval*float64(n))
	if wait = next - now - l.burst; wait > 0 && full > now {
		return wait
	}
	b.full = next
	return 0
}

// Full reports whether nothing is missing in the bucket: it may be forgotten.
func (b *Bucket) Full(now time.Duration) bool { return b.full <= now }

// began is long before the program, so that Now is positive in testing/synctest too, where it is the year 2000.
var began = time.Now().Add(-40 * 365 * 24 * time.Hour)

// Now is a clock for Take, which goes forward only.
func Now() time.Duration { return time.Since(began) }
