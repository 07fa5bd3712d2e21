package protectionservice

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
)

// Rebuild fills the catalogue of each provider that it holds nothing of from the
// provider's bank, which is the truth: so a service with a new database lists,
// restores and deletes what the bank holds.
func (s *Service) Rebuild(ctx context.Context) error {
	for _, p := range s.providers {
		known, err := s.store.Checkpoints(ctx, store.CheckpointFilter{ProviderID: p.ID}, store.Page{Limit: 1})
		if err != nil {
			return fmt.Errorf("looking into the catalogue of provider %s: %w", p.Name, err)
		}
		if len(known) > 0 {
			continue
		}
		found := 0
		err = p.Checkpoints().Scan(ctx, func(cp karbor.Checkpoint) error {
			if cp.ProviderID != p.ID {
				return nil // of another provider in the same bank
			}
			found++
			return s.adopt(ctx, p, cp)
		})
		if err != nil {
			return fmt.Errorf("filling the catalogue of provider %s from its bank: %w", p.Name, err)
		}
		if found > 0 {
			s.log.InfoContext(ctx, "catalogue filled from the bank", "provider", p.Name, "checkpoints", found)
		}
	}
	return nil
}

// lost is the reason of a checkpoint whose operation went with its database.
const lost = "the service that worked on it has lost its database"

// adopt puts a checkpoint of the bank into the catalogue. One that nobody works on
// any more ends in error, from where it can be deleted.
func (s *Service) adopt(ctx context.Context, p *provider.Provider, cp karbor.Checkpoint) error {
	to := cp.Status
	switch cp.Status {
	case karbor.CheckpointProtecting:
		to = karbor.CheckpointError
	case karbor.CheckpointDeleting:
		to = karbor.CheckpointErrorDeleting
	default: // nobody was working on it
	}
	if to != cp.Status {
		reasons := map[string]string{"": lost}
		err := p.Checkpoints().SetState(ctx, cp.ProjectID, cp.ID, to, checkpoint.Change{Reasons: reasons})
		switch {
		case err == nil:
			cp.Status, cp.Reasons = to, reasons
		case karbor.KindOf(err) != karbor.Conflict: // a Conflict: another service works on it
			return err
		}
	}
	return s.store.PutCheckpoint(ctx, cp)
}
