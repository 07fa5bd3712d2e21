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

// patience is how many failures in a row say that the bank takes and lets go nothing for now.
const patience = 3

// failures are what went wrong, and how often in a row.
type failures struct {
	errs  []error
	inRow int
}

// add adds what came of one record, and reports whether to give up.
func (f *failures) add(err error) bool {
	if err == nil {
		f.inRow = 0
		return false
	}
	f.errs = append(f.errs, err)
	f.inRow++
	return f.inRow >= patience
}

// Tidy puts the records into the bank of a place that are not there yet, and removes those of drills that
// were deleted. One that fails holds up no other; after some in a row it is the bank, and Tidy ends.
func Tidy(ctx context.Context, s Store, p *provider.Provider, log *slog.Logger) error {
	return errors.Join(putMissing(ctx, s, p, log), removeDeleted(ctx, s, p))
}

func putMissing(ctx context.Context, s Store, p *provider.Provider, log *slog.Logger) error {
	var failed failures
	for behind := ""; ; {
		found, err := s.UnkeptProofs(ctx, p.ID, p.Target, behind, batch)
		if err != nil {
			return errors.Join(append(failed.errs, err)...)
		}
		for _, u := range found {
			behind = u.ID
			tried, err := putOne(ctx, s, p, u)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !tried && err == nil {
				continue
			}
			if noteErr := s.NoteProof(ctx, u.ID, noteOf(err)); noteErr != nil {
				return errors.Join(append(failed.errs, noteErr)...)
			}
			switch {
			case err == nil:
				log.InfoContext(ctx, "the record of a drill was put into the bank", "provider", p.Place(), "project", u.ProjectID, "drill", u.ID)
			case !karbor.IsTransient(err) && karbor.KindOf(err) != karbor.OverLimit && karbor.KindOf(err) != karbor.Internal:
				continue // it is about this record, and noted
			}
			if failed.add(err) {
				return errors.Join(failed.errs...)
			}
		}
		if len(found) < batch {
			return errors.Join(failed.errs...)
		}
	}
}

// putOne puts one record into the bank that the database has. That it may lie there is noted before: else
// nobody would remove it, once its drill is deleted. Nothing is tried if its drill, or its checkpoint, is
// deleted since it was listed: on a bank that locks all, nobody could remove what is put there now.
func putOne(ctx context.Context, s Store, p *provider.Provider, u store.UnkeptProof) (tried bool, err error) {
	if text := bytes.TrimSpace(u.Evidence); len(text) == 0 || string(text) == "null" {
		return false, karbor.Errorf(karbor.NotFound, "no key signed its record")
	}
	file, err := evidence.File(u.Evidence)
	if err != nil {
		return false, err
	}
	proof, err := checkpoint.NewProof(file, u.Drill)
	if err != nil {
		return false, err
	}
	if may, err := s.BeginProof(ctx, u.ID, p.ID, p.Target); err != nil || !may {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, bankTime)
	defer cancel()
	return true, p.Checkpoints().PutProof(ctx, u.ProjectID, u.CheckpointID, proof)
}

func removeDeleted(ctx context.Context, s Store, p *provider.Provider) error {
	var failed failures
	for behind := ""; ; {
		found, err := s.DeletedProofs(ctx, p.ID, p.Target, behind, batch)
		if err != nil {
			return errors.Join(append(failed.errs, err)...)
		}
		for _, d := range found {
			behind = d.ID
			err := p.Checkpoints().RemoveProof(ctx, d.ProjectID, d.CheckpointID, d.ID)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			switch {
			case err == nil:
				err = s.ForgetProof(ctx, d.ID)
			case karbor.KindOf(err) == karbor.Conflict:
				err = nil // the bank has locked it, and lets it go later
			}
			if failed.add(err) {
				return errors.Join(failed.errs...)
			}
		}
		if len(found) < batch {
			return errors.Join(failed.errs...)
		}
	}
}
