package layout09

import (
	"context"

	"github.com/karbor/karbor"
)

// Finding is what a verification found out about a resource.
type Finding struct {
	Resource karbor.Resource
	// Size is how many bytes of bulk data were read and have the right checksum;
	// Checked is false if the bank keeps none of them.
	Size    int64
	Checked bool
	// Err says what is wrong: *DamageError for damage, karbor.NotImplemented for what
	// can't be told from the bank alone.
	Err error
}

// Verify reads all that the bank holds of a checkpoint, its bulk data too, and gives a
// finding for each resource. It fails with what keeps it from reading, and with what
// is damaged in the checkpoint as a whole.
func (c *Checkpoints) Verify(ctx context.Context, id string, progress func(done int64)) ([]Finding, error) {
	cp, err := c.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	t, err := c.Contents(ctx, cp)
	if err != nil {
		return nil, err
	}
	var out []Finding
	var before int64
	for _, node := range cp.Graph.Nodes() {
		f := Finding{Resource: node.Resource}
		n, err := t.Node(ctx, node.Key())
		if err == nil && n.stream != nil {
			err = n.Data().Verify(ctx, dataName, func(done, _ int64) {
				if progress != nil {
					progress(before + done)
				}
			})
			before += n.stream.size
			f.Size, f.Checked = n.stream.size, n.stream.md5 != ""
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if karbor.IsTransient(err) {
			return out, err
		}
		f.Err = err
		out = append(out, f)
	}
	return out, nil
}
