package volumebackup

import (
	"context"

	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/protection"
)

// foresee is the Preflight hook of protect.
var foresee = blockstorage.Foresee(blockstorage.Use{Backups: 1}, blockstorage.Use{Snapshots: 1})

// preflight is the Preflight hook of restore.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	client, err := connect(ctx, call)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	look := blockstorage.Foresight{
		Volume: doc.Volume, Placed: true,
		Sound: func(ctx context.Context) error { return sound(ctx, call, &doc) },
	}
	if into := call.Text("volume_id"); into != "" {
		look.Into = func(ctx context.Context) error {
			_, err := fit(ctx, client, call, doc, into)
			return err
		}
	}
	return blockstorage.Preflight(ctx, client, call, look)
}
