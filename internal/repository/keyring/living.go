package keyring

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
)

const (
	// listTime is how long a bank whose listings lag may take to show a slot: as long as
	// leases wait for one.
	listTime = 10 * time.Minute
	// looks is how often it is looked in that time whether one has appeared.
	looks = 20
)

// ErrReplaced says that an opened domain is not in the bank any more: it was removed, or another
// one was made in its place. It is transient: who opens the domain again finds what is there now.
var ErrReplaced = karbor.Transientf("the key domain was removed from the bank, or made anew in it")

// Living looks whether an opened domain is the one that is in the bank, and has a slot: what is
// written to one without any can be read only as long as its master key is in memory. The
// errors are ErrReplaced and a *LockedError, which is Early where listings lag.
func (r *Ring) Living(ctx context.Context, o *Opened) error {
	if err := r.living(ctx, o); err != nil {
		return fmt.Errorf("looking for the keys of the domain %s: %w", r.domain, err)
	}
	return nil
}

func (r *Ring) living(ctx context.Context, o *Opened) error {
	document, err := r.document(ctx)
	switch {
	case err == nil && document.Repository != o.Document.Repository:
		return ErrReplaced
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		return ErrReplaced
	case err != nil:
		return err
	}
	// The slot that opened it is there at once, even if it is not listed yet.
	_, err = r.bank.Stat(ctx, r.slotKey(o.Slot))
	if err == nil || karbor.KindOf(err) != karbor.NotFound {
		return err
	}
	slots, err := r.Slots(ctx)
	if err != nil {
		return err
	}
	if len(slots) == 0 {
		return &LockedError{Domain: r.domain, Early: !r.bank.Traits().ConsistentList}
	}
	return nil
}

// early reports whether the domain is so new that its slots may not be listed yet.
func (r *Ring) early(ctx context.Context) (bool, error) {
	if r.bank.Traits().ConsistentList {
		return false, nil
	}
	info, err := r.bank.Stat(ctx, r.documentKey())
	if err != nil {
		return false, err
	}
	now, err := r.bank.Now(ctx)
	return now.Sub(info.ModTime) < r.listing, err
}

// wait waits until ctx ends, at most for a while.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
