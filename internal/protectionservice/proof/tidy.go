package proof

import (
	"bytes"
	"context"
	"errors"
	"log/slog"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// batch is how many records are read at a time.
const batch = 50

// Tidy puts the records into the bank of a place that are not there yet, and removes those of drills that
// were deleted. It ends at the first that the bank does not take for now.
func Tidy(ctx context.Context, s Store, p *provider.Provider, log *slog.Logger) error {
	return errors.Join(putMissing(ctx, s, p, log), removeDeleted(ctx, s, p))
}

func putMissing(ctx context.Context, s Store, p *provider.Provider, log *slog.Logger) error {
	for behind := ""; ; {
		found, err := s.UnkeptProofs(ctx, p.ID, p.Target, behind, batch)
		if err != nil {
			return err
		}
		for _, u := range found {
			behind = u.ID
			err := putOne(ctx, p, u)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if noteErr := s.NoteProof(ctx, u.ID, noteOf(err)); noteErr != nil {
				return noteErr
			}
			switch {
			case err == nil:
				log.InfoContext(ctx, "the record of a drill was put into the bank", "provider", p.Place(), "project", u.ProjectID, "drill", u.ID)
			case karbor.IsTransient(err) || karbor.KindOf(err) == karbor.OverLimit || karbor.KindOf(err) == karbor.Internal:
				return err // so the bank takes no other either
			}
		}
		if len(found) < batch {
			return nil
		}
	}
}

// putOne puts one record into the bank that the database has.
func putOne(ctx context.Context, p *provider.Provider, u store.UnkeptProof) error {
	if text := bytes.TrimSpace(u.Evidence); len(text) == 0 || string(text) == "null" {
		return karbor.Errorf(karbor.NotFound, "no key signed its record")
	}
	file, err := evidence.File(u.Evidence)
	if err != nil {
		return err
	}
	proof, err := checkpoint.NewProof(file, u.Drill)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bankTime)
	defer cancel()
	return p.Checkpoints().PutProof(ctx, u.ProjectID, u.CheckpointID, proof)
}

func removeDeleted(ctx context.Context, s Store, p *provider.Provider) error {
	found, err := s.DeletedProofs(ctx, p.ID, p.Target, batch)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range found {
		err := p.Checkpoints().RemoveProof(ctx, d.ProjectID, d.CheckpointID, d.ID)
		if karbor.KindOf(err) == karbor.Conflict && err != nil {
			continue // the bank has locked it, and lets it go later
		}
		if err == nil {
			err = s.ForgetProof(ctx, d.ID)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
