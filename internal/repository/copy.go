package repository

import (
	"context"
	"errors"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/copying"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/verification"
)

// Copy copies streams of a domain of another bank, or of this one, into the domain that a project
// writes to here, which is made if it is not there. See copying.Streams.
func (d *Domains) Copy(ctx context.Context, from *Domains, domain, project string, streams []copying.Stream, o copying.Options) (copying.Result, error) {
	source, err := from.Use(ctx, domain)
	if err != nil {
		return copying.Result{}, err
	}
	defer source.Done()
	target, err := d.use(ctx, d.Domain(project), true)
	if err != nil {
		return copying.Result{}, err
	}
	defer target.Done()
	if err := source.Refresh(ctx); err != nil {
		return copying.Result{}, err
	}
	writing, _, err := target.domain.guarded(ctx)
	if err != nil {
		return copying.Result{}, err
	}
	return copying.Streams(ctx, source.Domain(), writing, streams, o)
}

// Look gives what reads packs of the domain that a project writes to here back as they land, for
// copying.Options.Landed, so that a verification on arrival need not.
func (d *Domains) Look(project string, state *verification.State) func(ctx context.Context, kind format.Kind, name format.Name) {
	return func(ctx context.Context, kind format.Kind, name format.Name) {
		verification.Look(ctx, d.options.Bank, d.Domain(project), kind, name, state, d.options.Now)
	}
}

// Twin gives a domain a twin in this bank, if there is no domain of its name yet, and if a key at
// hand opens the one in the other bank: what is stored there travels as it is then. It reports
// whether the domain here is of the same repository.
func (d *Domains) Twin(ctx context.Context, from *Domains, domain string) (bool, error) {
	theirs, err := keyring.New(from.options.Bank, domain)
	if err != nil {
		return false, err
	}
	ours, err := keyring.New(d.options.Bank, domain)
	if err != nil {
		return false, err
	}
	there, err := ours.Document(ctx)
	if err == nil {
		document, err := theirs.Document(ctx)
		return err == nil && document.Repository == there.Repository, err
	}
	if karbor.KindOf(err) != karbor.NotFound {
		return false, err
	}
	_, err = theirs.Open(ctx, d.Sources())
	if _, locked := errors.AsType[*keyring.LockedError](err); locked {
		return false, nil // it gets a key of its own
	}
	if err != nil {
		return false, err
	}
	return copying.Twin(ctx, from.options.Bank, d.options.Bank, domain)
}
