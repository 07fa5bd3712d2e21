package deletion

import (
	"context"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/store"
)

// expiryPause is the time between looks for checkpoints that have expired, unless rounds
// of upkeep are nearer, and expiryBatch how many are read at a time.
const (
	expiryPause = time.Minute
	expiryBatch = 100
)

// Run deletes checkpoints whose date has come, until ctx ends.
func (d *Deleter) Run(ctx context.Context) {
	ticker := time.NewTicker(min(expiryPause, d.custody.Interval()))
	defer ticker.Stop()
	waiting := map[string]string{}
	for {
		var err error
		if waiting, err = d.expire(ctx, waiting); err != nil && ctx.Err() == nil {
			d.log.ErrorContext(ctx, "deleting checkpoints that have expired failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// expire deletes the checkpoints whose date has come. It gives those that stay with the
// reason; told are those of the last time, which are not logged again.
func (d *Deleter) expire(ctx context.Context, told map[string]string) (map[string]string, error) {
	waiting := map[string]string{}
	for behind := (store.Expired{}); ; {
		page, err := d.store.ExpiredCheckpoints(ctx, d.now(), behind, expiryBatch)
		if err != nil {
			return told, err
		}
		for _, e := range page {
			behind = e
			who := admission.Caller{Identity: &karbor.Identity{UserID: e.UserID, ProjectID: e.ProjectID}}
			err := d.Delete(ctx, who, Request{
				ProviderID: e.ProviderID, ID: e.CheckpointID, By: ByExpiry,
				Reason: "it has expired at " + e.ExpiresAt.UTC().Format(time.RFC3339),
			})
			if ctx.Err() != nil {
				return waiting, ctx.Err()
			}
			if err == nil {
				continue
			}
			if waiting[e.CheckpointID] = err.Error(); told[e.CheckpointID] != err.Error() {
				d.log.WarnContext(ctx, "a checkpoint has expired and can't be deleted yet; it is tried again",
					"project", e.ProjectID, "checkpoint", e.CheckpointID, "error", err)
			}
		}
		if len(page) < expiryBatch {
			return waiting, nil
		}
	}
}
