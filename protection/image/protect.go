package image

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// protect is the Main hook of protect. Once the bytes are committed, what a
// later run has left to do is to clean up.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	client, err := openstack.Image(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if r.snapshots(call) && record.Snapshot == "" {
		return fmt.Errorf("protecting image %s of server %s: no snapshot was recorded", call.Node.ID, call.Node.Role)
	}
	summary, err := call.Data.Stat(ctx, dataName)
	switch {
	case err == nil:
		call.Progress(summary.Size, summary.Size)
	case karbor.KindOf(err) != karbor.NotFound:
		return err
	default:
		if record.Document, err = r.describeSource(ctx, client, call, record); err != nil {
			return err
		}
		record.Document.BackupName = call.Text("backup_name")
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
		if err := transfer(ctx, client, call, protection.First(record.Snapshot, call.Node.ID), *record.Document); err != nil {
			return err
		}
	}
	if err := removeSnapshots(ctx, client, call, record); err != nil {
		return err
	}
	if record.Document == nil {
		return fmt.Errorf("protecting image %s: its bytes are kept, but no description of it", call.Node.ID)
	}
	return call.Documents.CreateJSON(ctx, documentKey, record.Document)
}

// undoProtect is the Undo hook of protect.
func (r *room) undoProtect(ctx context.Context, call *protection.Call) error {
	if call.Node.Role == "" {
		return nil
	}
	client, err := openstack.Image(ctx, call.Cloud)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	return removeSnapshots(ctx, client, call, record)
}

// removeSnapshots removes the snapshot images that the hooks made: the one that
// the record names, and what an earlier run did not live to record.
func removeSnapshots(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, record protectRecord) error {
	if call.Node.Role == "" {
		return nil
	}
	made, err := findImages(ctx, client, call, call.Name())
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	if record.Snapshot != "" {
		ids[record.Snapshot] = true
	}
	for _, i := range made {
		ids[i.ID] = true
	}
	for id := range ids {
		if err := images.Delete(ctx, client, id).ExtractErr(); err != nil && !openstack.IsNotFound(err) {
			return openstack.Explain(err, "deleting snapshot %s of server %s", id, call.Node.Role)
		}
		if err := call.Release(ctx, protection.HeldImage, id); err != nil {
			return err
		}
	}
	return nil
}

// transfer streams an image's bytes into the bank, and commits them only if they
// have the digest that Glance has.
func transfer(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string, doc document) (err error) {
	// The writer first: it may have to wait for its turn, which Glance would not.
	writer, err := call.Data.Create(ctx, dataName)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// The first error is the one to tell; what stays is taken over by
			// the next Create.
			_ = protection.GiveUp(ctx, writer)
		}
	}()
	want := openstack.ImageDigest{Size: doc.Size, Checksum: doc.Checksum, HashAlgo: doc.HashAlgo, HashValue: doc.HashValue}
	if err := openstack.CopyImage(ctx, client, id, want, writer, call.Progress); err != nil {
		return fmt.Errorf("copying the bytes of image %s into the bank: %w", call.Node.ID, err)
	}
	_, err = writer.Commit(ctx)
	return err
}
