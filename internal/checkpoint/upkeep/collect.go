package upkeep

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/collection"
)

// collect collects in a domain, unless somebody else has or does.
func (k *Keeper) collect(ctx context.Context, domain string, c *care) {
	now, err := k.options.Bank.Now(ctx)
	if err != nil {
		return // it is still due at the next round
	}
	if !k.begins(ctx, domain, c) {
		return
	}
	o := collection.Options{Only: k.policy.Only, MinAge: settleAge, MaxRewrite: k.policy.MaxRewrite, BytesPerSecond: k.policy.BytesPerSecond,
		// The domain of a provider has the provider's id, which is a UUID with dashes: all projects
		// may refer to it. That of a project is its own alone.
		OwnProject: !karbor.IsUUID(domain)}
	r, err := k.options.Domains.Collect(ctx, domain, o, nil)
	if err == nil {
		k.ended(ctx, domain, c, &r)
		return
	}
	if ctx.Err() == nil {
		if later, nowErr := k.options.Bank.Now(ctx); nowErr == nil {
			now = later
		}
		c.failed(now)
		k.tell(ctx, domain, c, err)
		if r.Deleted > 0 {
			k.log.InfoContext(ctx, "a collection that was broken off has freed space", "domain", domain, "packs", r.Deleted, "bytes", r.Freed)
		}
	}
}

// keptAgain is when what writers had kept is collected once more.
const keptAgain = time.Hour

// begins looks whether the domain is still to be collected: another service may have done so since
// it was looked at.
func (k *Keeper) begins(ctx context.Context, domain string, c *care) bool {
	last, err := collection.ReadLast(ctx, k.options.Bank, domain)
	if err != nil {
		return true // the collection finds out
	}
	now, err := k.options.Bank.Now(ctx)
	if err != nil {
		return true
	}
	if last.Done && last.Began.After(c.collected) {
		c.collected = last.Began
		return !c.due(k.policy).After(now)
	}
	if !last.Done && last.Until.After(now) {
		c.again = last.Until
		c.retry = now.Add(min(firstRetry, last.Until.Sub(now)))
		return false
	}
	return true
}

// ended notes a collection that has come to its end.
func (k *Keeper) ended(ctx context.Context, domain string, c *care, r *collection.Result) {
	c.collected, c.failures, c.told = r.Began(), 0, ""
	c.again, c.retry = time.Time{}, time.Time{}
	switch {
	case r.Left > 0:
		c.again = c.collected
	case r.Young > 0 && c.collected.Sub(c.deleted) < settleAge:
		// Some of them may be of what was deleted, and not of what is written just now.
		c.again = c.deleted.Add(settleAge)
	case r.Locked > 0:
		c.again = r.Unlocked
	case slices.ContainsFunc(r.Kept, func(p collection.Kept) bool { return p.Why == collection.InUse }):
		c.again = c.collected.Add(keptAgain)
	}
	level := k.log.DebugContext
	if r.Deleted > 0 || r.Rewritten > 0 {
		level = k.log.InfoContext
	}
	level(ctx, "a key domain was collected", "domain", domain, "epoch", r.Epoch, "streams", r.Streams, "packs", r.Packs, "deleted", r.Deleted,
		"freed_bytes", r.Freed, "rewritten", r.Rewritten, "written_bytes", r.Written, "kept", r.KeptPacks, "young", r.Young, "locked", r.Locked, "left", r.Left)
}

// tell logs why a domain was not collected, once for each reason.
func (k *Keeper) tell(ctx context.Context, domain string, c *care, err error) {
	locked := karbor.KindOf(err) == karbor.Unavailable && !karbor.IsTransient(err)
	if locked {
		now, nowErr := k.options.Bank.Now(ctx)
		if nowErr == nil {
			c.retry = now.Add(closedRetry)
		}
	}
	if c.told == err.Error() {
		return
	}
	c.told = err.Error()
	_, damaged := errors.AsType[*collection.DamageError](err)
	switch {
	case damaged:
		k.log.ErrorContext(ctx, "nothing is freed in a key domain, as it can't be known what is needed; verify and repair the bank", "domain", domain, "error", err)
	case locked:
		k.log.WarnContext(ctx, "nothing is freed in a key domain, as no key opens it", "domain", domain, "error", err)
	case karbor.KindOf(err) == karbor.Conflict || karbor.IsTransient(err):
		k.log.InfoContext(ctx, "a key domain can't be collected now; it is tried again", "domain", domain, "again_at", c.retry, "error", err)
	default:
		k.log.ErrorContext(ctx, "collecting in a key domain failed; it is tried again", "domain", domain, "again_at", c.retry, "error", err)
	}
}
