package upkeep

import (
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/verification"
)

// Policy says how a bank is looked after. The zero Policy collects at any time of the day,
// and verifies nothing.
type Policy struct {
	// Off leaves collecting to an operator.
	Off bool
	// Only says that no other process collects in the bank. A bank on which two racing creates can
	// both win is not collected without.
	Only bool
	// After is how long after a deletion its space is collected, so that several are collected
	// together; 0 is DefaultAfter.
	After time.Duration
	// Every is how long after the last collection a domain is collected when nothing was deleted:
	// what failed operations leave goes then; 0 is DefaultEvery.
	Every time.Duration
	// Hours are when it may be done; none is at any time.
	Hours Hours
	// MaxRewrite is about how many bytes one collection writes to join what is left of packs; 0 is
	// DefaultMaxRewrite.
	MaxRewrite int64
	// BytesPerSecond is how much a collection reads; 0 is no limit.
	BytesPerSecond int64
	// Verify says how data is verified.
	Verify Verify
}

// Verify says how the data of a bank is verified, share by share.
type Verify struct {
	// Every is in what time all of it is to be verified; 0 is never.
	Every time.Duration
	// For is how long it is done each day; 0 is DefaultFor.
	For time.Duration
	// Depth is how deep is looked; "" is full.
	Depth verification.Depth
	// BytesPerSecond is how much is read; 0 is no limit.
	BytesPerSecond int64
}

// What stands for zeros.
const (
	DefaultAfter      = 2 * time.Minute
	DefaultEvery      = 24 * time.Hour
	DefaultMaxRewrite = 32 << 30
	DefaultFor        = 4 * time.Hour
)

func (p Policy) filled() Policy {
	if p.After == 0 {
		p.After = DefaultAfter
	}
	if p.Every == 0 {
		p.Every = DefaultEvery
	}
	if p.MaxRewrite == 0 {
		p.MaxRewrite = DefaultMaxRewrite
	}
	if p.Verify.For == 0 {
		p.Verify.For = DefaultFor
	}
	return p
}

// Hours are times of the day. The zero Hours are all day.
type Hours struct {
	from, to int // minutes of the day; from > to is over midnight
	zone     *time.Location
}

// ParseHours reads times of the day such as "22:00-06:00", in a zone of the IANA database; ""
// is UTC.
func ParseHours(text, zone string) (Hours, error) {
	h := Hours{zone: time.UTC}
	if zone != "" {
		var err error
		if h.zone, err = time.LoadLocation(zone); err != nil {
			return Hours{}, karbor.Errorf(karbor.Invalid, "%q is not a time zone such as Europe/Berlin", zone)
		}
	}
	from, to, ok := strings.Cut(text, "-")
	a, errA := time.Parse("15:04", from)
	b, errB := time.Parse("15:04", to)
	if !ok || errA != nil || errB != nil || a.Equal(b) {
		return Hours{}, karbor.Errorf(karbor.Invalid, "%q are no times of the day such as 22:00-06:00", text)
	}
	h.from, h.to = a.Hour()*60+a.Minute(), b.Hour()*60+b.Minute()
	return h, nil
}

// String gives what ParseHours reads, with the zone.
func (h Hours) String() string {
	if h.zone == nil {
		return "at any time"
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d %s", h.from/60, h.from%60, h.to/60, h.to%60, h.zone)
}

// Open reports whether a time is among them.
func (h Hours) Open(at time.Time) bool {
	if h.zone == nil {
		return true
	}
	at = at.In(h.zone)
	now := at.Hour()*60 + at.Minute()
	if h.from < h.to {
		return h.from <= now && now < h.to
	}
	return h.from <= now || now < h.to
}
