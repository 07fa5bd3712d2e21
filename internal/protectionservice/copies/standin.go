package copies

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// StandIns has copies stand in for checkpoints that can't be used. It is safe for concurrent
// use.
type StandIns struct {
	store *store.Store
	banks Banks
	log   *slog.Logger
}

// NewStandIns makes what knows the copies in a store.
func NewStandIns(db *store.Store, banks Banks, log *slog.Logger) *StandIns {
	return &StandIns{store: db, banks: banks, log: log}
}

// EvenDamaged has a copy stand in for a checkpoint, too, that is known to be damaged.
const EvenDamaged = true

// Origin gives the checkpoint that was asked for, or, where it can't be used, a copy of it that
// can: it is gone, its bank does not answer, or, if that counts, its newest verification has
// found it damaged. Without such a copy it is the checkpoint itself all the same.
func (s *StandIns) Origin(ctx context.Context, projectID string, p *provider.Provider, id string, damaged bool) (karbor.Checkpoint, *karbor.StandIn, error) {
	cp, err := s.store.Checkpoint(ctx, projectID, p.ID, id)
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		return cp, nil, err
	}
	why, lookErr := s.unfit(ctx, p, cp, err, damaged)
	if why == "" || lookErr != nil {
		return cp, nil, lookErr
	}
	copies, listErr := s.store.CopiesOf(ctx, projectID, p.ID, id)
	if listErr != nil {
		return cp, nil, listErr
	}
	for _, one := range copies {
		at, atErr := p.At(one.Bank)
		if atErr != nil || one.Status != karbor.CheckpointAvailable {
			continue
		}
		if bad, err := s.unfit(ctx, at, one, nil, true); err != nil || bad != "" {
			continue
		}
		s.log.WarnContext(ctx, "a copy stands in for a checkpoint", "provider", p.Name, "checkpoint", id, "copy", one.ID,
			"bank", one.Bank, "reason", why)
		return one, &karbor.StandIn{CheckpointID: one.ID, Bank: one.Bank, Reason: why}, nil
	}
	return cp, nil, err
}

// unfit says why a checkpoint can't be used; "" if it can, as far as is known.
func (s *StandIns) unfit(ctx context.Context, p *provider.Provider, cp karbor.Checkpoint, missing error, damaged bool) (string, error) {
	if missing != nil {
		return "it is not there any more", nil
	}
	if cp.Status != karbor.CheckpointAvailable {
		return fmt.Sprintf("it is %s", cp.Status), nil
	}
	at, err := p.At(cp.Bank)
	if err == nil {
		err = s.banks.Readable(at)
	}
	if err != nil {
		return karbor.Sentence(err), nil
	}
	if !damaged {
		return "", nil
	}
	keepings, err := s.store.Keepings(ctx, cp.ProviderID, []string{cp.ID})
	if err != nil {
		return "", err
	}
	if k := keepings[cp.ID]; faulty(k) {
		return fmt.Sprintf("its newest verification, of %s, has found faults", k.LastVerified.At.UTC().Format("2006-01-02 15:04:05 UTC")), nil
	}
	return "", nil
}

// faulty reports whether the newest verification of a checkpoint that came to its end has found
// faults in it: one that was cancelled, or that a copy stood in for, tells nothing.
func faulty(k karbor.Keeping) bool {
	return k.LastVerified != nil && k.LastVerified.Result == karbor.VerificationError
}

// Asked gives the id of the checkpoint that was asked for.
func Asked(cp karbor.Checkpoint, standIn *karbor.StandIn) string {
	if standIn != nil {
		return cp.CopyOf
	}
	return cp.ID
}

// StandInInfo says in an operation log that a copy stands in.
func StandInInfo(standIn *karbor.StandIn) map[string]json.RawMessage {
	if standIn == nil {
		return nil
	}
	text, err := json.Marshal(standIn)
	if err != nil {
		return nil // three texts can't fail
	}
	return map[string]json.RawMessage{"stand_in": text}
}
