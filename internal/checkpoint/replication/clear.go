package replication

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/protection"
)

// mayLieOpen refuses what is sealed or encrypted where the target has no keys, unless that is
// allowed. The keys of encrypted volumes never lie in the clear: without its key a volume's
// bytes are of no use, and so such a checkpoint is not copied at all.
func (c *Copier) mayLieOpen(ctx context.Context, cp karbor.Checkpoint, streams []survey.Stream) error {
	encrypted := slices.ContainsFunc(streams, func(s survey.Stream) bool { return s.Format == format.Version })
	// A bank with keys seals documents, too, which tell names and settings.
	if c.To.Domains != nil || c.From.Domains == nil && !encrypted {
		return nil
	}
	if !c.InTheClear {
		return karbor.Errorf(karbor.Conflict, "checkpoint %s is encrypted, or of a bank with keys, and the other bank has no keys", cp.ID)
	}
	for _, n := range cp.Graph.Nodes() {
		d, err := c.From.Checkpoints.Documents(cp.ProjectID, cp.ID, n.Key())
		if err != nil {
			return err
		}
		keys, err := d.Keys(ctx)
		if err != nil {
			return err
		}
		if slices.Contains(keys, protection.KeyDocument) {
			return karbor.Errorf(karbor.Conflict, "checkpoint %s holds the key of the encrypted %s %s, which never lies in the clear: "+
				"the other bank needs keys", cp.ID, n.Type, n.ID)
		}
	}
	return nil
}
