package upkeep

import (
	"context"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository/verification"
)

const (
	// shareEvery is the time between two shares.
	shareEvery = 24 * time.Hour
	// slice is how long a share goes on before what it has found good is kept, and others
	// have their turn.
	slice = 15 * time.Minute
)

// verifyShare verifies the day's share of the bank, if its time has come: the domains that were
// looked at longest ago first, until the share is over or all is known to be good.
func (k *Keeper) verifyShare(ctx context.Context) {
	v := k.policy.Verify
	now := k.options.Now()
	if v.Every <= 0 {
		return
	}
	names, err := survey.DomainNames(ctx, k.options.Bank)
	if err != nil {
		if ctx.Err() == nil {
			k.log.WarnContext(ctx, "looking for what is to be verified failed; it is tried again", "error", err)
		}
		return
	}
	if k.shared.IsZero() {
		// A restart does not begin the day anew.
		k.lookedAt, k.shared = k.states.compared()
		for _, domain := range names {
			if at := k.states.at(domain); at.After(k.shared) {
				k.shared = at
			}
		}
	}
	if now.Sub(k.shared) < shareEvery {
		return
	}
	k.shared = now
	slices.SortStableFunc(names, func(a, b string) int { return k.states.at(a).Compare(k.states.at(b)) })
	until := now.Add(v.For)
	k.lookForLost(ctx, until) // first: it is short, and a large bank fills each share
	for _, domain := range names {
		for left := true; left && ctx.Err() == nil && k.options.Now().Before(until) && k.policy.Hours.Open(k.options.Now()); {
			left = k.verifySlice(ctx, domain, until)
		}
	}
}

// verifySlice verifies some of a domain, and reports whether some of it is left.
func (k *Keeper) verifySlice(ctx context.Context, domain string, until time.Time) (left bool) {
	state, err := k.states.of(domain)
	if err != nil {
		k.log.WarnContext(ctx, "verifying begins anew", "domain", domain, "error", err)
		state = verification.NewState()
	}
	v, began := k.policy.Verify, k.options.Now()
	found, err := survey.Verify(ctx, survey.VerifyOptions{
		Bank: k.options.Bank, Checkpoints: k.options.Checkpoints, Keys: k.options.Domains, Domains: []string{domain}, Depth: v.Depth,
		State: func(string) *verification.State { return state }, Since: began.Add(-v.Every), Until: earlier(until, began.Add(slice)),
		BytesPerSecond: v.BytesPerSecond, Repair: true, Copies: k.options.Copies, Now: k.options.Now,
	})
	// What was done counts, also when it was broken off.
	if err := k.states.save(domain, state, began); err != nil {
		k.log.WarnContext(ctx, "what was verified is not kept over a restart", "domain", domain, "error", err)
	}
	if err != nil {
		if ctx.Err() == nil {
			level := k.log.WarnContext
			if karbor.KindOf(err) == karbor.Unavailable && !karbor.IsTransient(err) {
				level = k.log.DebugContext // no key opens it: collecting says so
			}
			level(ctx, "verifying a key domain failed; it is tried again tomorrow", "domain", domain, "error", err)
		}
		return false
	}
	for _, d := range found.Domains {
		k.report(ctx, &d)
		left = left || d.Result.Left > 0
	}
	return left
}

// report logs what was found.
func (k *Keeper) report(ctx context.Context, d *survey.DomainVerified) {
	r := d.Result
	for i := range r.Damaged {
		x := &r.Damaged[i]
		k.log.ErrorContext(ctx, "an object of a repository is damaged", "domain", d.Name, "key", x.Key, "missing", x.Missing, "needed", x.Needed, "reason", x.Why)
	}
	for i := range r.Hurt {
		h := &r.Hurt[i]
		k.log.ErrorContext(ctx, "data of a checkpoint is damaged", "domain", d.Name, "project", h.Stream.Project, "checkpoint", h.Stream.Checkpoint,
			"resource", h.Stream.Resource, "stream", h.Stream.Name, "reason", h.Sentence())
	}
	for _, m := range d.Mended {
		k.log.WarnContext(ctx, "what was damaged was dealt with", "domain", d.Name, "key", m.Key, "mended", m.Done || m.Sound, "how", m.Why)
	}
	k.log.InfoContext(ctx, "a share of a key domain was verified", "domain", d.Name, "depth", string(r.Depth), "packs", r.Packs, "bytes", r.Bytes,
		"known_good", r.Known, "left", r.Left, "streams", r.Streams, "damaged", len(r.Damaged), "hurt", len(r.Hurt))
}
