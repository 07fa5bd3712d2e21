package dispatch

import (
	"context"
	"fmt"
	"sync"

	"github.com/karbor/karbor/internal/store"
)

// places is what this process knows of the operations that have a place.
type places struct {
	mu sync.Mutex
	// known counts no fewer than there are; nil if nobody has looked.
	known *tally
	// entering are those that are being accepted with a place.
	entering *tally
	// waits says that operations wait for a place, as far as this process knows.
	waits bool
}

// givePlaces puts into the outbox what may begin of the operations that wait.
func (d *Dispatcher) givePlaces(ctx context.Context) error {
	p := &d.places
	p.mu.Lock()
	defer p.mu.Unlock()
	left, err := d.store.GivePlaces(ctx, func(groups []store.OperationGroup) []int { return d.limits.share(groups, p.entering) })
	p.known = nil
	p.waits = left || err != nil
	return err
}

// Enter gives operations that are about to be accepted their places at once, all of them or
// none: if there is room, and nobody waits who is to go before them. Otherwise they are to be
// accepted as waiting. leave must be called once they are accepted, or are not.
//
// It is for the process that runs the operations, where no other gives out places.
func (d *Dispatcher) Enter(ctx context.Context, operations []store.Operation) (leave func(), ok bool) {
	if d.limits.none() {
		return func() {}, true
	}
	p := &d.places
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := newTally()
	if p.known == nil || !d.fits(p.known, wanted, operations) {
		groups, err := d.store.OperationGroups(ctx)
		if err != nil {
			return func() {}, false // the dispatcher will see to them
		}
		p.known = countWorking(groups)
		p.known.join(p.entering)
		wanted = newTally()
		if d.behind(groups, operations) || !d.fits(p.known, wanted, operations) {
			p.known = nil
			return func() {}, false
		}
	}
	p.known.join(wanted)
	p.entering.join(wanted)
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.entering.remove(wanted)
	}), true
}

// fits reports whether there is room for operations, and counts them.
func (d *Dispatcher) fits(known, wanted *tally, operations []store.Operation) bool {
	all := newTally()
	all.join(known)
	for _, o := range operations {
		if !store.Counted(o.Type) {
			continue
		}
		if d.limits.full(all, o.ProjectID, o.ProviderID) != "" {
			return false
		}
		all.add(o.ProjectID, o.ProviderID, 1)
		wanted.add(o.ProjectID, o.ProviderID, 1)
	}
	return true
}

// behind reports whether others wait for what operations want.
func (d *Dispatcher) behind(groups []store.OperationGroup, operations []store.Operation) bool {
	for _, g := range groups {
		for _, o := range operations {
			alike := d.limits.Service > 0 || g.ProjectID == o.ProjectID || g.ProviderID == o.ProviderID && d.limits.Providers[o.ProviderID] > 0
			if g.Waiting > 0 && alike && store.Counted(o.Type) {
				return true
			}
		}
	}
	return false
}

// Ended tells that an operation is over: another may get its place.
func (d *Dispatcher) Ended() {
	d.places.mu.Lock()
	waits := d.places.waits
	d.places.mu.Unlock()
	if waits {
		d.Wake()
	}
}

// Waits says, for its tenant, why an operation has no place yet, and how many are to get one
// before it; "" if it does not wait for one.
func (d *Dispatcher) Waits(ctx context.Context, o store.Operation) (string, error) {
	if !o.Waiting || !o.EndedAt.IsZero() {
		return "", nil
	}
	groups, err := d.store.OperationGroups(ctx)
	if err != nil {
		return "", err
	}
	why := d.limits.full(countWorking(groups), o.ProjectID, o.ProviderID)
	if why == "" {
		return "", nil // its turn comes within seconds
	}
	before, err := d.store.WaitingBefore(ctx, o)
	if err != nil {
		return "", err
	}
	if before == 0 {
		return "waiting: " + why + "; it is the next of the project", nil
	}
	return fmt.Sprintf("waiting: %s; %d before it", why, before), nil
}
