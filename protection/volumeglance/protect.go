package volumeglance

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// clients are the services that the hooks talk to.
type clients struct{ volume, image *gophercloud.ServiceClient }

func connect(ctx context.Context, call *protection.Call) (clients, error) {
	volume, err := openstack.BlockStorage(ctx, call.Cloud)
	if err != nil {
		return clients{}, err
	}
	image, err := openstack.Image(ctx, call.Cloud)
	return clients{volume: volume, image: image}, err
}

// protect is the Main hook of protect: snapshot, volume, image, bank. Once the
// bytes are committed, what a later run has left to do is to clean up.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record protectRecord
	if err := call.Scratch.Load(ctx, &record); err != nil {
		return err
	}
	if record.Source == nil || record.Snapshot == "" && !record.Late {
		return fmt.Errorf("protecting volume %s: no snapshot was recorded", call.Node.ID)
	}
	summary, err := call.Data.Stat(ctx, dataName)
	switch {
	case err == nil:
		call.Progress(summary.Size, summary.Size)
	case karbor.KindOf(err) != karbor.NotFound:
		return err
	default:
		if err := r.stage(ctx, c, call, &record); err != nil {
			return err
		}
		if err := transfer(ctx, c.image, call, record.Image, *record.Digest, record.Source.Size); err != nil {
			return err
		}
	}
	if err := r.removeTemporary(ctx, c, call, record); err != nil {
		if !undeletable(err) {
			return err
		}
		// The bytes are sound, and who waits on gets no further. It is in the ledger, and Sweep comes for it.
		call.NotKept("Something temporary is left in the project, and uses its quota: " + karbor.Sentence(err) + ".")
	}
	if record.Digest == nil {
		return fmt.Errorf("protecting volume %s: its bytes are kept, but no digest of them", call.Node.ID)
	}
	doc := *record.Source
	doc.Image = *record.Digest
	return call.Documents.CreateJSON(ctx, documentKey, doc)
}

// stage makes the temporary volume and its image, and records each.
func (r *room) stage(ctx context.Context, c clients, call *protection.Call, record *protectRecord) (err error) {
	if record.Volume == "" {
		record.Volume, err = r.temporaryVolume(ctx, c, call, record)
		if err != nil {
			return err
		}
		if err := call.Hold(ctx, held(protection.HeldVolume, record.Volume, record.Source)); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if record.Image == "" {
		if record.Image, err = r.ensureUpload(ctx, c, call, record.Volume); err != nil {
			return err
		}
		if err := call.Hold(ctx, held(protection.HeldImage, record.Image, record.Source)); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
		if err := r.mark(ctx, c.image, call, record.Image); err != nil {
			return err
		}
	}
	digest, err := r.awaitImage(ctx, c.image, call, record.Image)
	if openstack.IsNotFound(err) || karbor.KindOf(err) == karbor.NotFound {
		// Cinder deletes the image of an upload that fails: the next run tries
		// it once more.
		if err := call.Release(ctx, protection.HeldImage, record.Image); err != nil {
			return err
		}
		record.Image = ""
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
		return karbor.Transientf("the upload of the temporary volume of volume %s to an image failed in the cloud", call.Node.ID)
	}
	if err != nil {
		return err
	}
	if record.Source.Encrypted {
		// Before the bytes, so that whoever finds them finds the key, too.
		if err := keepKey(ctx, c.image, call, record.Image); err != nil {
			return err
		}
	}
	record.Digest = digest
	return call.Scratch.Save(ctx, record)
}

// ensureVolume gives the call's temporary volume, and makes it from the snapshot
// if there is none.
func ensureVolume(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, record protectRecord) (string, error) {
	find := func(ctx context.Context) (string, error) { return first(findVolumes(ctx, client, call)) }
	return openstack.Make(ctx, call, "temporary volume", find, func(ctx context.Context) (string, error) {
		v, err := volumes.Create(ctx, client, volumes.CreateOpts{
			Name: call.Name(), SnapshotID: record.Snapshot, Size: record.Source.Size, Metadata: call.TemporaryTags(),
		}, nil).Extract()
		if err != nil {
			return "", openstack.Explain(err, "creating a temporary volume from snapshot %s of volume %s", record.Snapshot, call.Node.ID)
		}
		return v.ID, nil
	})
}

// findVolumes gives the ids of the volumes that the call's hooks made.
func findVolumes(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call) ([]string, error) {
	all, err := openstack.AllPages(ctx, volumes.List(client, volumes.ListOpts{Metadata: call.Tags()}), volumes.ExtractVolumes)
	if err != nil {
		return nil, openstack.Explain(err, "looking for the volumes made for volume %s", call.Node.ID)
	}
	var ids []string
	for _, v := range all {
		if call.Tagged(v.Metadata) {
			ids = append(ids, v.ID)
		}
	}
	return ids, nil
}

// awaitVolume waits until a volume that the hooks made is available.
func (r *room) awaitVolume(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, id string) (*volumes.Volume, error) {
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	what := fmt.Sprintf("volume %s, made for volume %s", id, call.Node.ID)
	var volume *volumes.Volume
	err := openstack.Poll(ctx, what, r.options.PollInterval, func(ctx context.Context) (bool, error) {
		v, err := volumes.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading %s", what)
		}
		volume = v
		switch v.Status {
		case "available":
			return true, nil
		case "creating", "downloading", "uploading", "reserved", "retyping":
			return false, openstack.Still("in state %q", v.Status)
		default:
			return false, karbor.Errorf(karbor.Conflict, "%s went into state %q", what, v.Status)
		}
	})
	return volume, err
}
