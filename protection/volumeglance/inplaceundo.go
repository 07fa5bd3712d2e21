package volumeglance

import (
	"context"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// undoOverwrite is the Undo hook of a restore in place: the bytes that were there come
// back. The server gets the volume when all have come back.
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
	switch {
	case place.Settled:
		call.NotKept("The volume keeps what was restored: what it held before is in the safety checkpoint, which can be restored in place.")
	case place.Changing:
		if err := r.bringBack(ctx, c, call, &record); err != nil {
			return withSnapshot(err, place)
		}
		if place.Changing {
			return nil
		}
	}
	return r.removeTemporary(ctx, c, call, protectRecord{Image: record.Image, Snapshot: place.Snapshot})
}

// resume is the Resume hook of a restore in place: when nothing is brought back any more, the
// server gets its volumes back, and one that ran runs again, with all of them or not at all.
func (r *room) resume(ctx context.Context, call *protection.Call) error {
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || record.Place == nil {
		return err
	}
	a := record.Place.Attachment
	if a == nil || record.Place.Settled {
		return nil
	}
	return bereft(ctx, call, a, r.rejoin(ctx, c, call, record.Place))
}

// rejoin gives the server its volumes back, behind all Undo hooks, and starts it again if it ran and lacks none.
func (r *room) rejoin(ctx context.Context, c clients, call *protection.Call, place *placeRecord) error {
	a := place.Attachment
	if err := r.reunite(ctx, c, call, a, brought(c, call, place)); err != nil || !a.Running {
		return err
	}
	for _, id := range append([]string{call.Node.ID}, a.Others...) {
		v, err := volumes.Get(ctx, c.volume, id).Extract()
		if err != nil {
			return openstack.Explain(err, "reading volume %s", id)
		}
		if !on(v, a.Server) {
			return lacking(a, []slot{{Volume: id}})
		}
	}
	return r.power(ctx, call, a, "ACTIVE")
}

// withSnapshot tells, where the bytes did not come back, what holds them.
func withSnapshot(err error, place *placeRecord) error {
	return &karbor.Error{
		// Also where the cloud took too long: how often the step is tried is the bound. Nobody comes later
		// who may bring the bytes back.
		Kind: karbor.KindOf(err), Transient: karbor.IsTransient(err) || karbor.KindOf(err) == karbor.Unavailable, Cause: err,
		Message: karbor.Sentence(err) + "; what the volume held before is in its snapshot " + place.Snapshot + ", which stays until you delete it",
	}
}

// sweep is the Sweep hook of a restore in place: what was temporary goes. The volume is its
// tenant's again, and keeps its snapshot as long as that has what the volume has not.
func (r *room) sweep(ctx context.Context, call *protection.Call) error {
	c, err := connect(ctx, call)
	if err != nil {
		return err
	}
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || record.Place == nil {
		return err
	}
	if place := record.Place; !place.Changing || place.Settled {
		return r.removeTemporary(ctx, c, call, protectRecord{Image: record.Image, Snapshot: place.Snapshot})
	}
	if err := r.removeImages(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	return r.removeVolumes(ctx, c.volume, call, "")
}

// bringBack gives the volume the bytes of the snapshot: by reverting to it, which a tenant
// can't where the volume is in error; then by an image of it. The record is still changing
// as long as the cloud may overwrite the volume behind our back: then Undo runs again.
func (r *room) bringBack(ctx context.Context, c clients, call *protection.Call, record *restoreRecord) error {
	place := record.Place
	sure, err := settled(ctx, call)
	if err != nil {
		return err
	}
	if a := place.Attachment; a != nil {
		// A volume of it that is done with may have had it started again. It may be gone, or not to be
		// stopped: what counts is that the volume is off it.
		err := r.power(ctx, call, a, "SHUTOFF")
		if kind := karbor.KindOf(err); err != nil && kind != karbor.Conflict && kind != karbor.NotFound {
			return err
		}
		if err := r.detach(ctx, c, call, a); err != nil {
			return err
		}
	}
	broken := false
	err = r.awaitOriginal(ctx, c.volume, call, "to be at rest", func(v *volumes.Volume) (bool, error) {
		broken = v.Status == "error"
		return broken || v.Status == "available", nil
	})
	switch {
	case err != nil:
	case broken || place.Back:
		err = r.reimageBack(ctx, c, call, record, sure)
	case !place.Reverted:
		err = r.revert(ctx, c, call, record, sure)
	}
	if err != nil {
		return err
	}
	v, err := volumes.Get(ctx, c.volume, call.Node.ID).Extract()
	if err != nil {
		return openstack.Explain(err, "reading volume %s", call.Node.ID)
	}
	if err := finish(ctx, c.volume, call, *place.Was, v); err != nil {
		return err
	}
	if !sure {
		// What the cloud may have done to the volume since is brought back by the next run.
		return nil
	}
	place.Changing, place.Changed, place.Reverted, place.Imaged = false, false, false, ""
	return call.Scratch.Save(ctx, record)
}

// settled reports whether the cloud can't overwrite the volume any more for what it was asked
// for without an answer.
func settled(ctx context.Context, call *protection.Call) (bool, error) {
	if call.Intents == nil {
		return true, nil
	}
	pending, err := call.Intents.Pending(ctx)
	return len(pending) == 0, err
}

// revert has the cloud give the volume the bytes of the snapshot, which must be its newest.
func (r *room) revert(ctx context.Context, c clients, call *protection.Call, record *restoreRecord, sure bool) error {
	place := record.Place
	_, err := openstack.Make(ctx, call, "reverting of the volume", under(c, call, "reverting"), func(ctx context.Context) (string, error) {
		err := act(ctx, c.volume, call.Node.ID, "revert", map[string]any{"snapshot_id": place.Snapshot})
		return call.Node.ID, openstack.Explain(err, "reverting volume %s to the snapshot %s", call.Node.ID, place.Snapshot)
	})
	if err != nil && karbor.KindOf(err) == karbor.Invalid { // somebody has made a newer one
		return r.reimageBack(ctx, c, call, record, sure)
	}
	if err != nil {
		return err
	}
	if sure {
		place.Reverted = true
		if err := agreed(ctx, call, record); err != nil {
			return err
		}
	}
	return r.awaitOriginal(ctx, c.volume, call, "to be reverted", func(v *volumes.Volume) (bool, error) {
		if v.Status == "error" {
			return false, karbor.Errorf(karbor.Conflict, "volume %s went into error when it was reverted", v.ID)
		}
		return v.Status == "available", nil
	})
}

// imagesSettled reports, as an error that passes, that the cloud may still make an image that
// it was asked for without an answer: who looks for the snapshot's would find that one, which
// has the same name and gets no bytes from anybody.
func imagesSettled(ctx context.Context, call *protection.Call) error {
	if call.Intents == nil {
		return nil
	}
	left, err := call.Intents.Unsettled(ctx, temporaryImage)
	if err == nil && left > 0 {
		err = karbor.Transientf("the cloud did not answer when it was asked for an image for volume %s, and may still make it", call.Node.ID)
	}
	return err
}

// reimageBack overwrites the volume with an image of the snapshot.
func (r *room) reimageBack(ctx context.Context, c clients, call *protection.Call, record *restoreRecord, sure bool) error {
	if record.Image == "" || !record.Place.Back {
		if err := imagesSettled(ctx, call); err != nil {
			return err
		}
	}
	if !record.Place.Back {
		// Images of the bank's bytes have the same name.
		if err := r.removeImages(ctx, c.image, call, record.Image); err != nil {
			return err
		}
		record.Image, record.Place.Back, record.Place.Reverted = "", true, false
		if err := call.Scratch.Save(ctx, record); err != nil {
			return err
		}
	}
	if record.Image == "" {
		back := protectRecord{Source: &document{Size: record.Place.Size}, Snapshot: record.Place.Snapshot}
		volume, err := ensureVolume(ctx, c.volume, call, back)
		if err != nil {
			return err
		}
		if err := call.Hold(ctx, held(protection.HeldVolume, volume, back.Source)); err != nil {
			return err
		}
		if record.Image, err = r.ensureUpload(ctx, c, call, volume); err != nil {
			return err
		}
		if err := call.Hold(ctx, held(protection.HeldImage, record.Image, back.Source)); err != nil {
			return err
		}
		if err := agreed(ctx, call, record); err != nil {
			return err
		}
	}
	if _, err := r.awaitImage(ctx, c.image, call, record.Image); err != nil {
		return err
	}
	return r.replace(ctx, c, call, record, sure)
}
