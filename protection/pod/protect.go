package pod

import (
	"context"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// protectRecord is the scratch record of a protect operation.
type protectRecord struct {
	Source *document `json:"source,omitempty"`
}

// look is the PrepareFinish hook of protect: it notes down the pod as it is when its
// volumes are snapshotted.
func (r *room) look(ctx context.Context, call *protection.Call) error {
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || record.Source != nil {
		return err
	}
	cluster, err := r.clusters.Connect(ctx, call.Cloud)
	if err != nil {
		return err
	}
	p, err := cluster.Pod(ctx, call.Node.ID)
	if err != nil {
		return err
	}
	if why := p.Unfit(); why != "" {
		return karbor.Errorf(karbor.Conflict, "pod %s is %s and can't be protected", p.Title(), why)
	}
	mounts, err := cluster.Mounts(ctx, p)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.VolumeID != "" && call.Graph.Node(volumeKey(m.VolumeID)) == nil {
			return karbor.Errorf(karbor.Conflict, "the volume %q of pod %s is the Cinder volume %s, which is not in this checkpoint: "+
				"it is another project's, or the pod has just got it", m.Name, p.Title(), m.VolumeID)
		}
	}
	if record.Source, err = describe(p, mounts); err != nil {
		return err
	}
	return call.Scratch.Save(ctx, record)
}

// volumeKey is the key of a Cinder volume's node.
func volumeKey(id string) karbor.NodeKey {
	return karbor.MakeNodeKey(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")
}

// protect is the Main hook of protect.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Source == nil {
		return fmt.Errorf("protecting pod %s: nothing was recorded of it", call.Node.ID)
	}
	if len(record.Source.Outside) > 0 {
		call.NotKept("The data of volumes that are not Cinder's: " + strings.Join(record.Source.Outside, ", ") + ".")
	}
	return call.Documents.CreateJSON(ctx, documentKey, record.Source)
}
