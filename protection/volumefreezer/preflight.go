package volumefreezer

import (
	"context"

	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/protection"
)

// foresee is the Preflight hook of protect. What a scheduler makes for a while, Freezer does not tell.
var foresee = blockstorage.Foresee(blockstorage.Use{Backups: 1}, blockstorage.Use{})

// preflight is the Preflight hook of restore. A restore needs Cinder's backup and a scheduler of Freezer's, and
// no record of the backup there.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	client, err := connect(ctx, call)
	if err != nil {
		return nil, err
	}
	freezer, err := r.reach(ctx, call)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	f, err := blockstorage.Preflight(ctx, client, call, blockstorage.Foresight{
		Volume: doc.Volume, Placed: true,
		Sound: func(ctx context.Context) error {
			return blockstorage.SoundBackup(ctx, client, call, doc.BackupID, doc.Size)
		},
	})
	if err != nil {
		return nil, err
	}
	return f, f.Look(ctx, "Register a scheduler of Freezer's in the project that can restore volumes.", func(ctx context.Context) error {
		_, err := freezer.scheduler(ctx, "restore")
		return err
	})
}
