package share

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/sharedfilesystems/v2/snapshots"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// protectRecord is the scratch record of a protect operation.
type protectRecord struct {
	// Source describes the share as it was when it was snapshotted.
	Source   *document `json:"source,omitempty"`
	Snapshot string    `json:"snapshot,omitempty"`
}

// snapshot is the PrepareFinish hook of protect.
func (r *room) snapshot(ctx context.Context, call *protection.Call) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Source == nil {
		if record.Source, err = inspect(ctx, client, call); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if record.Snapshot == "" {
		if record.Snapshot, err = ensureSnapshot(ctx, client, call, record.Source); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	return r.awaitSnapshot(ctx, client, call, record.Snapshot)
}

// mark is what the descriptions of the call's snapshots end with. Snapshots have
// metadata only since microversion 2.73, and their names are the tenant's.
func mark(call *protection.Call) string { return "[" + call.Name() + "]" }

// ensureSnapshot gives the call's snapshot, and asks for it if there is none.
func ensureSnapshot(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, source *document) (string, error) {
	find := func(ctx context.Context) (string, error) {
		ids, err := findSnapshots(ctx, client, call)
		return first(ids), err
	}
	id, err := openstack.Make(ctx, call, "snapshot", find, func(ctx context.Context) (string, error) {
		s, err := snapshots.Create(ctx, client, snapshots.CreateOpts{
			ShareID: call.Node.ID, Name: protection.First(call.Text("snapshot_name"), call.Name()),
			Description: strings.TrimSpace(call.Text("description") + " " + mark(call)),
		}).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating a snapshot of share %s", call.Node.ID)
		}
		return s.ID, nil
	})
	return id, lacking(ctx, call, err, "the snapshot",
		needs(source.ShareTypeName, protection.NeedShareSnapshots, protection.NeedShareSnapshotGigabytes, source.Size))
}

// first gives the first id, or "".
func first(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// findSnapshots gives the ids of the snapshots that the call's hooks made.
func findSnapshots(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	all, err := openstack.AllPages(ctx, snapshots.ListDetail(client, snapshots.ListOpts{ShareID: call.Node.ID, Limit: pageSize}), snapshots.ExtractSnapshots)
	if err != nil {
		return nil, openstack.Explain(err, "listing the snapshots of share %s", call.Node.ID)
	}
	var ids []string
	for _, s := range all {
		if s.ShareID == call.Node.ID && s.ProjectID == call.Cloud.ProjectID() && strings.HasSuffix(s.Description, mark(call)) && !slices.Contains(ids, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}

// pageSize is how many things are asked for at once.
const pageSize = 500

func (r *room) awaitSnapshot(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) error {
	ctx, cancel := r.waits.Within(ctx)
	defer cancel()
	what := "snapshot " + id + " of share " + call.Node.ID
	return openstack.Poll(ctx, what, r.waits.Longest, func(ctx context.Context) (bool, error) {
		s, err := snapshots.Get(ctx, client, id).Extract()
		switch {
		case err != nil:
			return false, openstack.Explain(err, "reading %s", what)
		case s.Status == "available":
			return true, nil
		case s.Status == "creating":
			return false, openstack.Still("in state %q", s.Status)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q", what, s.Status)
		}
	})
}

// protect is the Main hook of protect: it tells what was snapshotted.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Source == nil || record.Snapshot == "" {
		return fmt.Errorf("protecting share %s: no snapshot was recorded", call.Node.ID)
	}
	doc := *record.Source
	doc.SnapshotID = record.Snapshot
	return call.Documents.CreateJSON(ctx, documentKey, doc)
}

// undoProtect is the Undo hook of protect.
func (r *room) undoProtect(ctx context.Context, call *protection.Call) error {
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	return r.drop(ctx, call, record.Snapshot)
}

// remove is the Main hook of delete. What has no document, as its protect came to
// nothing, or one that can't be read, may still have a snapshot: its mark tells.
func (r *room) remove(ctx context.Context, call *protection.Call) error {
	var doc document
	err := call.Documents.GetJSON(ctx, documentKey, &doc)
	if err != nil && (karbor.IsTransient(err) || ctx.Err() != nil) {
		return err
	}
	return r.drop(ctx, call, doc.SnapshotID)
}

// drop removes the call's snapshots: those that are found, and the recorded one.
func (r *room) drop(ctx context.Context, call *protection.Call, recorded string) error {
	client, err := connect(ctx, call)
	if err != nil {
		return err
	}
	ids, err := findSnapshots(ctx, client, call)
	if err != nil {
		return err
	}
	if recorded != "" && !slices.Contains(ids, recorded) {
		ids = append(ids, recorded)
	}
	limited, cancel := r.waits.Within(ctx)
	defer cancel()
	for _, id := range ids {
		err := r.waits.Remove(limited, fmt.Sprintf("snapshot %s of share %s", id, call.Node.ID), openstack.Removal{
			State: func(ctx context.Context) (string, error) {
				s, err := snapshots.Get(ctx, client, id).Extract()
				if err != nil {
					return "", err
				}
				return s.Status, nil
			},
			Drop: func(ctx context.Context) error { return snapshots.Delete(ctx, client, id).ExtractErr() },
		})
		if err != nil {
			return err
		}
	}
	return nil
}
