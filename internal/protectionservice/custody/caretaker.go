package custody

import (
	"context"
	"sync"
	"time"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/checkpoint/upkeep"
	"github.com/karbor/karbor/internal/provider"
)

// caretakers look after the banks whose data has keys: they free the space of what was deleted, and
// verify. Each works by itself: a bank that hangs holds up no other, be it of the same provider. The zero one is ready.
type caretakers struct {
	mu  sync.Mutex
	all map[*provider.Provider]*upkeep.Keeper
}

// add keeps the keeper of a place.
func (c *caretakers) add(place *provider.Provider, caretaker *upkeep.Keeper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[*provider.Provider]*upkeep.Keeper{}
	}
	c.all[place] = caretaker
}

// freed tells that a checkpoint of a project was deleted in a place.
func (c *caretakers) freed(p *provider.Provider, project string) {
	c.mu.Lock()
	caretaker := c.all[p]
	c.mu.Unlock()
	if caretaker != nil {
		caretaker.Freed(project)
	}
}

// lookAfter has the bank of a place looked after until ctx ends.
func (k *Keeper) lookAfter(ctx context.Context, p *provider.Provider) {
	if p.Domains() == nil {
		return
	}
	caretaker, err := upkeep.New(upkeep.Options{
		Name: p.Place(), Bank: p.Bank(), Checkpoints: p.Checkpoints(), Domains: p.Domains(), Copies: k.otherBanks(p), Policy: p.Upkeep(),
		States: p.VerifiedFolder(), Now: k.now, Logger: k.log,
	})
	if err != nil {
		k.log.ErrorContext(ctx, "a bank is not looked after", "provider", p.Place(), "error", err)
		return
	}
	k.care.add(p, caretaker)
	caretaker.Run(ctx)
}

// otherBanks gives the banks that may hold copies of what lies in a place.
func (k *Keeper) otherBanks(p *provider.Provider) []bank.Bank {
	var out []bank.Bank
	for _, other := range k.places() {
		if other.ID == p.ID && other.Target != p.Target {
			out = append(out, other.Bank())
		}
	}
	return out
}

// tellAsked logs what a bank was asked since it was last told: how often, how long that took, and what
// failed.
func (k *Keeper) tellAsked(ctx context.Context, p *provider.Provider) {
	for _, f := range p.Asked() {
		k.log.InfoContext(ctx, "a bank was asked", "provider", p.Place(), "method", f.Method, "calls", f.Calls, "failed", f.Failed, "bytes", f.Bytes,
			"mean", (f.Took / time.Duration(f.Calls)).Round(time.Microsecond), "longest", f.Longest.Round(time.Microsecond))
	}
}

// Freed tells that a checkpoint of a project was deleted in a place.
func (k *Keeper) Freed(p *provider.Provider, project string) { k.care.freed(p, project) }
