package volumeglance

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// reimages is the microversion from which Cinder puts an image's bytes in place of a
// volume's.
const reimages = "3.68"

// placeRecord is what a restore in place has to bring back when it fails.
type placeRecord struct {
	// Attachment is how the volume hung on its server; nil if it hung on none.
	Attachment *attachment `json:"attachment,omitempty"`
	// Size is the volume's, in GiB, and Snapshot the one of its bytes as they were.
	Size     int    `json:"size"`
	// Was is what the volume was like.
	Was *document `json:"was,omitempty"`
	Snapshot string `json:"snapshot,omitempty"`
	// Changing says that the volume may have other bytes than it had; Changed that it has
	// the checkpoint's; Settled that it keeps them.
	Changing bool `json:"changing,omitempty"`
	Changed  bool `json:"changed,omitempty"`
	Settled  bool `json:"settled,omitempty"`
}

// overwritable describes what is to be overwritten, if it can be.
func overwritable(ctx context.Context, c clients, call *protection.Call, doc document) (*placeRecord, error) {
	if _, err := openstack.BlockStorageFrom(ctx, call.Cloud, reimages); err != nil {
		return nil, fmt.Errorf("overwriting volume %s: %w", call.Node.ID, err)
	}
	v, err := volumes.Get(ctx, c.volume, call.Node.ID).Extract()
	if openstack.IsNotFound(err) {
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is not there any more, so that it can't be overwritten: restore it to a new one", call.Node.ID)
	}
	if err != nil {
		return nil, openstack.Explain(err, "reading volume %s", call.Node.ID)
	}
	const gib = 1 << 30
	summary, err := call.Data.Stat(ctx, dataName)
	if err != nil {
		return nil, err
	}
	place := &placeRecord{Size: v.Size, Was: describe(v, call)}
	switch {
	case v.Encrypted || doc.Encrypted:
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is encrypted, and Cinder would keep its key for bytes of another one: restore it to a new one", v.ID)
	case int64(v.Size) < (summary.Size+gib-1)/gib:
		return nil, karbor.Errorf(karbor.Conflict, "volume %s has %d GiB, and there are %d bytes to restore: extend it first", v.ID, v.Size, summary.Size)
	case v.Status == "in-use":
		place.Attachment, err = attached(ctx, call, v)
		return place, err
	case v.Status != "available":
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is %s: it must be available, or attached to one server", v.ID, v.Status)
	}
	return place, nil
}

// placed loads what a hook of a restore in place needs. The record has its place once
// halt has looked.
func placed(ctx context.Context, call *protection.Call) (c clients, doc document, record restoreRecord, err error) {
	if c, err = connect(ctx, call); err != nil {
		return c, doc, record, err
	}
	if err = call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return c, doc, record, err
	}
	err = call.Scratch.Load(ctx, &record)
	return c, doc, record, err
}

// halt is the PrepareBegin hook of a restore in place: it looks at the original, and stops
// the server that has it, so that nobody writes to what is snapshotted and overwritten.
func (r *room) halt(ctx context.Context, call *protection.Call) error {
	c, doc, record, err := placed(ctx, call)
	if err != nil {
		return err
	}
	if record.Place == nil {
		if record.Place, err = overwritable(ctx, c, call, doc); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if a := record.Place.Attachment; a != nil && !record.Place.Changing {
		return r.power(ctx, call, a, "SHUTOFF")
	}
	return nil
}

// safeguard is the PrepareFinish hook of a restore in place: a snapshot, from which Undo
// brings the bytes back. The safety checkpoint, in the bank, is for afterwards.
func (r *room) safeguard(ctx context.Context, call *protection.Call) error {
	c, _, record, err := placed(ctx, call)
	if err != nil || record.Place == nil || record.Place.Changing {
		return err
	}
	if record.Place.Snapshot == "" {
		if record.Place.Snapshot, err = ensureSnapshot(ctx, c.volume, call); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	return r.awaitSnapshot(ctx, c.volume, call, record.Place.Snapshot)
}

// overwrite is the Main hook of a restore in place: bank, image, the original.
func (r *room) overwrite(ctx context.Context, call *protection.Call) error {
	c, doc, record, err := placed(ctx, call)
	if err != nil {
		return err
	}
	if record.Place == nil || record.Place.Snapshot == "" {
		return fmt.Errorf("overwriting volume %s: no snapshot was recorded", call.Node.ID)
	}
	if !record.Place.Changed {
		if err := r.bring(ctx, c, call, doc, &record); err != nil {
			return err
		}
		if err := r.replace(ctx, c, call, &record, record.Image); err != nil {
			return err
		}
		record.Place.Changed = true
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	v, err := volumes.Get(ctx, c.volume, call.Node.ID).Extract()
	if err != nil {
		return openstack.Explain(err, "reading volume %s", call.Node.ID)
	}
	if err := finish(ctx, c.volume, call, doc, v); err != nil {
		return err
	}
	if err := r.removeImages(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	if a := record.Place.Attachment; a != nil {
		if err := r.attach(ctx, c, call, a); err != nil {
			return err
		}
	}
	return call.NewResources.Set(ctx, call.Node.ID)
}

// replace puts an image's bytes in place of the volume's, off its server.
func (r *room) replace(ctx context.Context, c clients, call *protection.Call, record *restoreRecord, image string) error {
	if a := record.Place.Attachment; a != nil {
		if err := r.detach(ctx, c, call, a); err != nil {
			return err
		}
	}
	record.Place.Changing = true
	if err := call.Scratch.Save(ctx, record); err != nil {
		return err
	}
	client, err := openstack.BlockStorageFrom(ctx, call.Cloud, reimages)
	if err != nil {
		return err
	}
	still := func(v *volumes.Volume) (bool, error) { return v.Status == "available" || v.Status == "error", nil }
	if err := r.awaitOriginal(ctx, c.volume, call, "to be at rest", still); err != nil {
		return err
	}
	// One that was asked for and has no answer shows as a volume that is downloading.
	under := func(ctx context.Context) (string, error) {
		v, err := volumes.Get(ctx, c.volume, call.Node.ID).Extract()
		if err != nil || v.Status != "downloading" {
			return "", openstack.Explain(err, "reading volume %s", call.Node.ID)
		}
		return v.ID, nil
	}
	_, err = openstack.Make(ctx, call, "overwriting of the volume", under, func(ctx context.Context) (string, error) {
		err := act(ctx, client, call.Node.ID, "os-reimage", map[string]any{"image_id": image})
		return call.Node.ID, openstack.Explain(err, "overwriting volume %s", call.Node.ID)
	})
	if err != nil {
		return err
	}
	return r.awaitOriginal(ctx, c.volume, call, "to be overwritten", func(v *volumes.Volume) (bool, error) {
		switch v.Status {
		case "available":
			return true, nil
		case "downloading":
			return false, nil
		default:
			return false, karbor.Errorf(karbor.Conflict, "volume %s went into state %q when it was overwritten", v.ID, v.Status)
		}
	})
}

// settle is the Complete hook of a restore in place: all is overwritten, so what ran runs
// again, and the snapshot goes.
func (r *room) settle(ctx context.Context, call *protection.Call) error {
	c, _, record, err := placed(ctx, call)
	if err != nil || record.Place == nil {
		return err
	}
	if a := record.Place.Attachment; a != nil && a.Running {
		if err := r.power(ctx, call, a, "ACTIVE"); err != nil {
			return err
		}
	}
	record.Place.Settled = true
	if err := call.Scratch.Save(ctx, record); err != nil {
		return err
	}
	return r.removeTemporary(ctx, c, call, protectRecord{Snapshot: record.Place.Snapshot})
}

// undoOverwrite is the Undo hook of a restore in place: the bytes that were there come
// back, and the server gets them back.
func (r *room) undoOverwrite(ctx context.Context, call *protection.Call) error {
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || record.Place == nil {
		return err
	}
	place := record.Place
	if place.Settled {
		call.NotKept("The volume keeps what was restored: what it held before is in the safety checkpoint, which can be restored in place.")
	} else {
		if place.Changing {
			if err := r.bringBack(ctx, c, call, &record); err != nil {
				return err
			}
		}
		if a := place.Attachment; a != nil {
			if err := r.attach(ctx, c, call, a); err != nil {
				return err
			}
			if a.Running {
				if err := r.power(ctx, call, a, "ACTIVE"); err != nil {
					return err
				}
			}
		}
	}
	return r.removeTemporary(ctx, c, call, protectRecord{Image: record.Image, Snapshot: place.Snapshot})
}

// bringBack gives the volume the bytes of the snapshot: by reverting to it, which a tenant
// can't where the volume is in error; then by an image of it.
func (r *room) bringBack(ctx context.Context, c clients, call *protection.Call, record *restoreRecord) error {
	if a := record.Place.Attachment; a != nil {
		if err := r.detach(ctx, c, call, a); err != nil {
			return err
		}
	}
	broken := false
	err := r.awaitOriginal(ctx, c.volume, call, "to be at rest", func(v *volumes.Volume) (bool, error) {
		broken = v.Status == "error"
		return broken || v.Status == "available", nil
	})
	if err != nil {
		return err
	}
	if broken {
		err = r.reimageBack(ctx, c, call, record)
	} else {
		err = act(ctx, c.volume, call.Node.ID, "revert", map[string]any{"snapshot_id": record.Place.Snapshot})
		err = openstack.Explain(err, "reverting volume %s to the snapshot %s", call.Node.ID, record.Place.Snapshot)
		switch {
		case err != nil && karbor.KindOf(err) == karbor.Invalid: // somebody has made a newer one
			err = r.reimageBack(ctx, c, call, record)
		case err == nil:
			err = r.awaitOriginal(ctx, c.volume, call, "to be reverted", func(v *volumes.Volume) (bool, error) {
				if v.Status == "error" {
					return false, karbor.Errorf(karbor.Conflict, "volume %s went into error when it was reverted", v.ID)
				}
				return v.Status == "available", nil
			})
		}
	}
	if err != nil {
		return err
	}
	v, err := volumes.Get(ctx, c.volume, call.Node.ID).Extract()
	if err != nil {
		return openstack.Explain(err, "reading volume %s", call.Node.ID)
	}
	if err := finish(ctx, c.volume, call, *record.Place.Was, v); err != nil {
		return err
	}
	record.Place.Changing, record.Place.Changed = false, false
	return call.Scratch.Save(ctx, record)
}

// reimageBack overwrites the volume with an image of the snapshot.
func (r *room) reimageBack(ctx context.Context, c clients, call *protection.Call, record *restoreRecord) error {
	// Images of the bank's bytes have the same name.
	if err := r.removeImages(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	back := protectRecord{Source: &document{Size: record.Place.Size}, Snapshot: record.Place.Snapshot}
	volume, err := ensureVolume(ctx, c.volume, call, back)
	if err != nil {
		return err
	}
	if record.Image, err = r.ensureUpload(ctx, c, call, volume); err != nil {
		return err
	}
	if _, err := r.awaitImage(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	return r.replace(ctx, c, call, record, record.Image)
}
