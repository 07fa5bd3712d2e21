package volumeglance

import (
	"context"
	"fmt"
	"slices"
	"time"

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
	Size int `json:"size"`
	// Was is what the volume was like.
	Was      *document `json:"was,omitempty"`
	Snapshot string    `json:"snapshot,omitempty"`
	// Changing says that the volume may have other bytes than it had; Changed that it has
	// the checkpoint's; Settled that it keeps them.
	Changing bool `json:"changing,omitempty"`
	Changed  bool `json:"changed,omitempty"`
	Settled  bool `json:"settled,omitempty"`
	// Reverted says that the cloud has agreed to revert the volume, and Imaged from which
	// image it has agreed to overwrite it: once the volume is at rest, that is done, and is
	// not asked for again, by whatever run of a hook.
	Reverted bool   `json:"reverted,omitempty"`
	Imaged   string `json:"imaged,omitempty"`
	// Back says that the images of the bank's bytes are gone: the one that there is has
	// the snapshot's.
	Back bool `json:"back,omitempty"`
}

// overwritable describes what is to be overwritten, if it can be.
func (r *room) overwritable(ctx context.Context, c clients, call *protection.Call, doc document) (*placeRecord, error) {
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
	case slices.Contains(r.options.TypesNotInPlace, v.VolumeType):
		return nil, karbor.Errorf(karbor.Conflict, "volume %s has the type %q, and where volumes of that lie, what overwrites one overwrites its snapshots, too, "+
			"so that nothing would bring back what it holds: restore it to a new one", v.ID, v.VolumeType)
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
		if record.Place, err = r.overwritable(ctx, c, call, doc); err != nil {
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
		// It may have to stay, for its tenant: nothing tells the janitor that it is temporary.
		if record.Place.Snapshot, err = ensureSnapshot(ctx, c.volume, call, call.Tags()); err != nil {
			return err
		}
		if err := call.Hold(ctx, held(protection.HeldSnapshot, record.Place.Snapshot, record.Place.Was)); err != nil {
			return err
		}
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	_, err = r.waits().AwaitSnapshot(ctx, c.volume, call, record.Place.Snapshot)
	return err
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
		if err := r.replace(ctx, c, call, &record, true); err != nil {
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
	return call.NewResources.Set(ctx, call.Node.ID)
}

// replace puts the image's bytes in place of the volume's, off its server. sure says that
// nothing else that was asked for can still overwrite the volume.
func (r *room) replace(ctx context.Context, c clients, call *protection.Call, record *restoreRecord, sure bool) error {
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
	whole := false
	still := func(v *volumes.Volume) (bool, error) {
		whole = v.Status == "available"
		return whole || v.Status == "error", nil
	}
	if err := r.awaitOriginal(ctx, c.volume, call, "to be at rest", still); err != nil {
		return err
	}
	if whole && record.Place.Imaged == record.Image {
		return nil
	}
	// One that was asked for and has no answer shows as a volume that is downloading.
	_, err = openstack.Make(ctx, call, "overwriting of the volume", under(c, call, "downloading"), func(ctx context.Context) (string, error) {
		err := act(ctx, client, call.Node.ID, "os-reimage", map[string]any{"image_id": record.Image})
		return call.Node.ID, openstack.Explain(err, "overwriting volume %s", call.Node.ID)
	})
	if err != nil {
		return err
	}
	if sure {
		record.Place.Imaged = record.Image
		if err := agreed(ctx, call, record); err != nil {
			return err
		}
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

// under gives the find of openstack.Make for what shows as a state of the original.
func under(c clients, call *protection.Call, state string) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		v, err := volumes.Get(ctx, c.volume, call.Node.ID).Extract()
		if err != nil || v.Status != state {
			return "", openstack.Explain(err, "reading volume %s", call.Node.ID)
		}
		return v.ID, nil
	}
}

// agreedTime is how long it may take to record that the cloud has agreed.
const agreedTime = 10 * time.Second

// agreed records what the cloud has agreed to, even if the hook is to stop: its next run would
// ask again.
func agreed(ctx context.Context, call *protection.Call, record *restoreRecord) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), agreedTime)
	defer cancel()
	return call.Scratch.Save(ctx, record)
}

// settle is the Complete hook of a restore in place: all is overwritten, so the servers get
// their volumes back, what ran runs again, and the snapshot goes.
func (r *room) settle(ctx context.Context, call *protection.Call) error {
	c, _, record, err := placed(ctx, call)
	if err != nil || record.Place == nil {
		return err
	}
	if a := record.Place.Attachment; a != nil {
		err := r.reunite(ctx, c, call, a, always)
		if err == nil && a.Running {
			err = r.power(ctx, call, a, "ACTIVE")
		}
		if err := bereft(ctx, call, a, err); err != nil {
			return err
		}
	}
	record.Place.Settled = true
	if err := call.Scratch.Save(ctx, record); err != nil {
		return err
	}
	return r.removeTemporary(ctx, c, call, protectRecord{Snapshot: record.Place.Snapshot})
}
