package volumesnapshot

import (
	"context"

	"github.com/karbor/karbor/internal/blockstorage"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// foresee is the Preflight hook of protect.
var foresee = blockstorage.Foresee(blockstorage.Use{Snapshots: 1}, blockstorage.Use{})

// preflight is the Preflight hook of restore. Type and availability zone are those of the snapshot.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	client, err := openstack.BlockStorage(ctx, call.Cloud)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return nil, err
	}
	return blockstorage.Preflight(ctx, client, call, blockstorage.Foresight{
		Volume: doc.Volume, Sound: func(ctx context.Context) error { return sound(ctx, call, &doc) },
	})
}
