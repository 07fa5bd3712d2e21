package layout09

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/protection"
)

// Target is where checkpoints are imported to.
type Target struct {
	// Checkpoints are those of the bank of layout 1, whose lease is held.
	Checkpoints *checkpoint.Checkpoints
	// Data gives the bulk data of a node there.
	Data func(ctx context.Context, projectID, checkpointID string, key karbor.NodeKey) (protection.Repository, error)
	// ProviderID is the provider that the checkpoints are to belong to; "" keeps theirs.
	ProviderID string
}

// Import is a checkpoint that can be imported: all of it but its bulk data was read and
// translated.
type Import struct {
	// Checkpoint is what will be written.
	Checkpoint karbor.Checkpoint
	// Size is how many bytes of bulk data it has.
	Size  int64
	nodes []*Node
}

// importedFrom is the member of extra_info that tells where a checkpoint comes from.
const importedFrom = "imported_from"

// Prepare reads a checkpoint for an import, and writes nothing. One that is not
// available is karbor.Conflict. One of whose resources something can't be imported, as
// its bytes are in the cloud, say, is karbor.NotImplemented; what is damaged is a
// *DamageError. The error joins those of all resources.
func (c *Checkpoints) Prepare(ctx context.Context, id string) (*Import, error) {
	cp, err := c.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return nil, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one can be imported", id, cp.Status)
	}
	t, err := c.Contents(ctx, cp)
	if err != nil {
		return nil, err
	}
	i := &Import{Checkpoint: cp.Checkpoint}
	i.Checkpoint.ExtraInfo = map[string]json.RawMessage{}
	maps.Copy(i.Checkpoint.ExtraInfo, cp.ExtraInfo)
	i.Checkpoint.ExtraInfo[importedFrom] = json.RawMessage(`"layout ` + version + `"`)
	var errs []error
	for _, node := range cp.Graph.Nodes() {
		n, err := t.Node(ctx, node.Key())
		if err == nil && node.Type != karbor.ProjectType && n.Status != "" && n.Status != string(karbor.CheckpointAvailable) {
			err = karbor.Errorf(karbor.Conflict, "what was kept of %s is in state %q", node.Resource.Key(), n.Status)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if n.stream != nil {
			i.Size += n.stream.size
		}
		i.nodes = append(i.nodes, n)
	}
	return i, errors.Join(errs...)
}

// Run writes the checkpoint as one of layout 1, with the same ids, and reports bytes of
// bulk data as they are written. One that is broken off goes on where it was when
// it is run again; one that is there already is karbor.Conflict. When bulk data turns
// out to be damaged, the new checkpoint ends in error, with the reasons.
func (i *Import) Run(ctx context.Context, to Target, progress func(done, total int64)) error {
	cp := i.Checkpoint
	if to.ProviderID != "" {
		cp.ProviderID, cp.Plan.ProviderID = to.ProviderID, to.ProviderID
	}
	if err := to.Checkpoints.Create(ctx, cp); err != nil {
		return err
	}
	var done int64
	for _, n := range i.nodes {
		err := i.node(ctx, to, n, func(bytes int64) {
			if progress != nil {
				progress(done+bytes, i.Size)
			}
		})
		if _, damage := errors.AsType[*DamageError](err); damage {
			reasons := map[string]string{n.Node.Resource.Key(): "it is damaged in the bank that it was imported from"}
			return errors.Join(err, to.Checkpoints.SetState(ctx, cp.ProjectID, cp.ID, karbor.CheckpointError, checkpoint.Change{Reasons: reasons}))
		}
		if err != nil {
			return fmt.Errorf("importing %s: %w", n.Node.Resource.Key(), err)
		}
		if n.stream != nil {
			done += n.stream.size
		}
	}
	return to.Checkpoints.SetState(ctx, cp.ProjectID, cp.ID, karbor.CheckpointAvailable, checkpoint.Change{Size: i.Size})
}

// node imports one node: its bulk data, then its document.
func (i *Import) node(ctx context.Context, to Target, n *Node, progress func(bytes int64)) error {
	key := n.Node.Key()
	if n.stream != nil {
		into, err := to.Data(ctx, i.Checkpoint.ProjectID, i.Checkpoint.ID, key)
		if err != nil {
			return err
		}
		if err := transfer(ctx, n.stream, into, progress); err != nil {
			return err
		}
	}
	if n.Document == nil {
		return nil
	}
	documents, err := to.Checkpoints.Documents(i.Checkpoint.ProjectID, i.Checkpoint.ID, key)
	if err != nil {
		return err
	}
	return documents.CreateJSON(ctx, documentKey, n.Document)
}

// transfer copies bulk data, unless it is there.
func transfer(ctx context.Context, from *stream, into protection.Repository, progress func(bytes int64)) error {
	there, err := into.Stat(ctx, dataName)
	if err == nil {
		if there.Size != from.size {
			return karbor.Errorf(karbor.Conflict, "there are other data, of %d bytes", there.Size)
		}
		progress(from.size)
		return nil
	}
	if karbor.KindOf(err) != karbor.NotFound {
		return err
	}
	w, err := into.Create(ctx, dataName)
	if err != nil {
		return err
	}
	r := from.reader(ctx)
	n, err := io.CopyBuffer(w, struct{ io.Reader }{&protection.Meter{
		Reader: r, Report: func(done, _ int64) { progress(done) },
	}}, make([]byte, copyBuffer))
	if err == nil && n != from.size {
		err = fmt.Errorf("copying the data of %d bytes: %d came", from.size, n)
	}
	if err = errors.Join(err, r.Close()); err == nil {
		_, err = w.Commit(ctx)
	}
	if err != nil {
		// The context may have ended; what is left is little, and harmless.
		return errors.Join(err, protection.GiveUp(ctx, w))
	}
	return nil
}

const copyBuffer = 256 << 10
