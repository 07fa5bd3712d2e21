package verification

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// Copy is where another bank keeps packs of the same master key and repository, under the
// same names.
type Copy struct {
	Bank   bank.Bank
	Domain string
}

// Mended says what a repair has done to one object.
type Mended struct {
	// Key is where it lies.
	Key string
	// Done says that it is whole now. Sound says that it was so when the repair came to it,
	// and that nothing was done.
	Done, Sound bool
	// Why says why it is not whole.
	Why string
}

// Repair puts good bytes in the place of packs that are damaged or missing: those that the
// copies have under the same names. Each is fetched whole and its hash compared with its
// name, before the damaged one goes. Packs to which no stream refers are left as they
// are: they may be garbage. What it could not do is in the list; the error is the bank's,
// or ctx's. It may be broken off at any time, and done again.
//
// Damage that no copy can mend is mended by the next protect of the source, once its
// packs are marked: see Mark.
func Repair(ctx context.Context, b bank.Bank, domain string, damaged []Damage, copies ...Copy) ([]Mended, error) {
	c, err := newChecker(b, domain, nil, nil)
	if err != nil {
		return nil, err
	}
	var out []Mended
	for i := range damaged {
		d := &damaged[i]
		if d.Kind == 0 || !d.Needed {
			continue
		}
		m := Mended{Key: d.Key}
		_, still, err := c.pack(ctx, packID{d.Kind, d.Pack}, Stored, 0)
		switch {
		case err != nil:
			return out, err
		case still == nil:
			m.Sound = true
		default:
			if err := mend(ctx, b, domain, d, still.Missing, copies); err != nil {
				if ctx.Err() != nil || karbor.IsTransient(err) {
					return out, err
				}
				m.Why = karbor.Sentence(err)
			} else {
				m.Done = true
			}
		}
		if m.Done || m.Sound {
			if err := Unmark(ctx, b, domain, d.Pack); err != nil {
				return out, err
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// healings is how often Heal verifies at most: pages that came back may lead to more damage.
const healings = 4

// Heal verifies a domain as the function Domain does, marks what is damaged and repairs it,
// until it is sound or nothing more can be done. Marks of packs that are whole, or that are
// there no more and not needed, go. It gives the last verification's result,
// and what was mended, in the order in which it was.
func Heal(ctx context.Context, d *dedup.Domain, project string, o Options, copies ...Copy) (*Result, []Mended, error) {
	var all []Mended
	for round := 1; ; round++ {
		own, err := newRun(d.Bank(), d.Name(), d, o)
		if err != nil {
			return nil, all, err
		}
		r, err := own.whole(ctx, project)
		if err == nil {
			err = own.tidy(ctx, project == "")
		}
		if err != nil || r.Good() || round == healings {
			return r, all, err
		}
		if err := Mark(ctx, d.Bank(), d.Name(), r.Damaged, o.Now()); err != nil {
			return r, all, err
		}
		mended, err := Repair(ctx, d.Bank(), d.Name(), r.Damaged, copies...)
		all = append(all, mended...)
		if err != nil || !slices.ContainsFunc(mended, func(m Mended) bool { return m.Done }) {
			return r, all, err
		}
	}
}

// errNoCopy says that no copy has a pack.
var errNoCopy = karbor.Errorf(karbor.NotFound, "no copy has it whole")

// mend puts one pack in place.
func mend(ctx context.Context, b bank.Bank, domain string, d *Damage, missing bool, copies []Copy) error {
	good, err := fetch(ctx, d, copies)
	if err != nil {
		return err
	}
	key := dedup.PackKey(domain, d.Kind, d.Pack)
	if !missing {
		if err := b.Delete(ctx, key); err != nil {
			return fmt.Errorf("removing the damaged %s: %w", key, err)
		}
	}
	err = b.Create(ctx, key, bytes.NewReader(good), int64(len(good)))
	if err != nil && karbor.KindOf(err) != karbor.Conflict {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	// One that somebody else has written meanwhile has the same bytes, or is looked at by
	// the next verification.
	return nil
}

// fetch gives the bytes of a pack from the first copy that has them.
func fetch(ctx context.Context, d *Damage, copies []Copy) ([]byte, error) {
	var failed error
	for _, c := range copies {
		key := dedup.PackKey(c.Domain, d.Kind, d.Pack)
		body, err := c.Bank.Get(ctx, key, 0, format.MaxPack+1)
		var good []byte
		if err == nil {
			good, err = io.ReadAll(body)
			err = errors.Join(err, body.Close())
		}
		switch {
		case err == nil && format.NameOf(good) == d.Pack:
			return good, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && karbor.KindOf(err) != karbor.NotFound:
			failed = fmt.Errorf("fetching %s: %w", key, err)
		}
	}
	if failed != nil {
		return nil, failed
	}
	return nil, errNoCopy
}
