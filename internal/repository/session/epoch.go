package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// Epoch says which packs are condemned: until the next epoch, no writer refers to them
// any more that does not keep them.
type Epoch struct {
	Number int
	// Condemned are the packs of the list, and Gone the part of them that was no
	// longer there when the epoch was written.
	Condemned, Gone map[format.Name]struct{}
	// CreatedAt is by the bank's clock.
	CreatedAt time.Time
}

// epochDocument is an epoch in the bank.
type epochDocument struct {
	Format    string    `json:"format"`
	Epoch     int       `json:"epoch"`
	Condemned []string  `json:"condemned"`
	Gone      []string  `json:"gone"`
	CreatedAt time.Time `json:"created_at"`
}

// EpochKey is where an epoch lies.
func EpochKey(domain string, n int) string { return epochsPrefix(domain) + number(n) }

// Epochs lists the numbers of the epochs that are there, in order.
func Epochs(ctx context.Context, b bank.Bank, domain string) ([]int, error) {
	var out []int
	err := eachKey(ctx, b, epochsPrefix(domain), func(i bank.Info) error {
		if n, ok := parseNumber(i.Key[len(epochsPrefix(domain)):]); ok {
			out = append(out, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the epochs of %s: %w", domain, err)
	}
	return out, nil
}

// WriteEpoch writes an epoch. One that is there with another text is karbor.Conflict:
// somebody else has collected.
func WriteEpoch(ctx context.Context, b bank.Bank, domain string, e *Epoch) error {
	if e.Number > maxNumber {
		return karbor.Errorf(karbor.Internal, "the domain %s has no number left for an epoch", domain)
	}
	return CreateDocument(ctx, b, EpochKey(domain, e.Number), epochDocument{Format: format.Version, Epoch: e.Number,
		Condemned: texts(e.Condemned), Gone: texts(e.Gone), CreatedAt: stored(e.CreatedAt)})
}

// ReadEpoch reads an epoch. One that can't be understood is a *format.DamageError.
func ReadEpoch(ctx context.Context, b bank.Bank, domain string, n int) (*Epoch, error) {
	var d epochDocument
	if err := ReadDocument(ctx, b, EpochKey(domain, n), &d); err != nil {
		return nil, fmt.Errorf("reading the epoch %d: %w", n, err)
	}
	e := &Epoch{Number: n, Condemned: names(d.Condemned), Gone: names(d.Gone), CreatedAt: d.CreatedAt}
	if d.Format != format.Version || d.Epoch != n || len(e.Condemned) != len(d.Condemned) || len(e.Gone) != len(d.Gone) {
		return nil, fmt.Errorf("reading the epoch %d: %w", n, &format.DamageError{What: "epoch", Why: "it is not the one that its key tells"})
	}
	return e, nil
}

// DamagedEpochError says that the newest epoch can't be understood, so that nobody knows
// what is condemned. The next collection puts another one in its place; it is the
// cause of a transient error.
type DamagedEpochError struct {
	Key    string
	Number int
	// Before are the epochs before it that are there, in order.
	Before []*Epoch
	Err    *format.DamageError
}

// Error implements error.
func (e *DamagedEpochError) Error() string { return e.Key + ": " + e.Err.Error() }

// Unwrap gives the damage.
func (e *DamagedEpochError) Unwrap() error { return e.Err }

// NewestEpoch finds the newest epoch, and gives those after the given number that are still
// there in order, the newest last; none if there is none. whole says that they are
// all: none after the given number was removed yet. If the newest one is damaged, the error is
// transient, and a *DamagedEpochError.
func NewestEpoch(ctx context.Context, b bank.Bank, domain string, known int) (found []*Epoch, whole bool, err error) {
	const tries = 4
	for range tries {
		from, whole := known, true
		if known == 0 {
			listed, err := Epochs(ctx, b, domain)
			if err != nil {
				return nil, false, err
			}
			if len(listed) > 0 {
				from = listed[0] - 1
				whole = from == 0
			}
		}
		found, ok, err := follow(ctx, b, domain, from, known == 0)
		if err != nil || ok {
			last := from
			if len(found) > 0 {
				last = found[len(found)-1].Number
			}
			return found, whole && last == from+len(found), err
		}
		known = 0 // it was removed meanwhile, or long ago
	}
	return nil, false, karbor.Transientf("the epochs of %s change faster than they can be read", domain)
}

// follow reads the epochs after one, from key to key. ok is false if some are removed just
// now: the last one must still be there after none was found behind it, as the newest two are
// never removed, and older ones in order.
func follow(ctx context.Context, b bank.Bank, domain string, from int, listed bool) (found []*Epoch, ok bool, err error) {
	last := from
	var damage *format.DamageError
	for ; ; last++ {
		e, err := ReadEpoch(ctx, b, domain, last+1)
		if karbor.KindOf(err) == karbor.NotFound {
			break
		}
		// One that is damaged does not matter if there is a newer one.
		var bad bool
		if damage, bad = errors.AsType[*format.DamageError](err); bad {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		found = append(found, e)
	}
	if damage != nil {
		cause := &DamagedEpochError{Key: EpochKey(domain, last), Number: last, Before: found, Err: damage}
		return nil, false, karbor.Transientf("the newest epoch of %s is damaged, and the next collection replaces it: %w", domain, cause)
	}
	if last > 0 {
		_, err := b.Stat(ctx, EpochKey(domain, last))
		if karbor.KindOf(err) == karbor.NotFound {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("looking for the epoch %d: %w", last, err)
		}
		return found, true, nil
	}
	if !listed {
		return nil, true, nil
	}
	// None was listed, and there is no first one: unless it is gone already.
	again, err := Epochs(ctx, b, domain)
	return nil, len(again) == 0, err
}

// stored gives a time as documents have it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
