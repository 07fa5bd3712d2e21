package cinder

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// reverting is the state of a volume that gets its newest snapshot's bytes.
const reverting = "reverting"

// reimage puts an image's bytes in place of a volume's (since 3.68).
func (c *Cinder) reimage(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct {
		ImageID  string `json:"image_id"`
		Reserved flag   `json:"reimage_reserved"`
	}
	if err := read(arg, &ask); err != nil {
		return err
	}
	if !r.Version.AtLeast(3, 68) {
		return fabric.BadRequest("There is no such action: os-reimage. Verify the request body and Content-Type header and try again.")
	}
	fresh := volume{ImageID: ask.ImageID, SizeGiB: v.SizeGiB}
	if err := c.deriveFromImage(r.Identity, &fresh); err != nil {
		return err
	}
	v, err := c.change(v.ID, func(v *volume) error {
		if v.Status != available && v.Status != failed && !(v.Status == reserved && bool(ask.Reserved)) {
			return fabric.Conflict("Invalid volume: Volume %s status must be available or error, but current status is: %s.", v.ID, v.Status)
		}
		v.Before, v.Status = available, downloading
		if bool(ask.Reserved) {
			v.Before = reserved
		}
		v.ImageID, v.SnapshotID, v.SourceVolume = ask.ImageID, "", ""
		v.Bootable, v.ImageMetadata = true, fresh.ImageMetadata
		return nil
	})
	if err != nil {
		return err
	}
	c.fill(v)
	return r.Empty(http.StatusAccepted)
}

// revert puts the newest snapshot's bytes in place of a volume's (since 3.40).
func (c *Cinder) revert(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct {
		SnapshotID string `json:"snapshot_id"`
	}
	if err := read(arg, &ask); err != nil {
		return err
	}
	if !r.Version.AtLeast(3, 40) {
		return fabric.BadRequest("There is no such action: revert. Verify the request body and Content-Type header and try again.")
	}
	s, err := c.snapshot(r.Identity, ask.SnapshotID)
	if err != nil {
		return err
	}
	own := c.snapshots.List(func(s snapshot) bool { return s.VolumeID == v.ID })
	if len(own) == 0 || own[len(own)-1].ID != s.ID {
		return fabric.BadRequest("Invalid input received: Specified snapshot_id=%s isn't the most recent one of volume %s.", s.ID, v.ID)
	}
	v, err = c.change(v.ID, func(v *volume) error {
		if v.Status != available || s.Status != available || s.SizeGiB != v.SizeGiB {
			return fabric.BadRequest("Invalid volume: Volume %s can't be reverted to snapshot %s: both must be available and of one size.", v.ID, s.ID)
		}
		v.Status, v.RevertTo = reverting, s.ID
		return nil
	})
	if err != nil {
		return err
	}
	c.rewind(v)
	return r.Empty(http.StatusAccepted)
}

// rewind copies the snapshot's bytes into a volume that is reverting.
func (c *Cinder) rewind(v volume) {
	c.fab.Transit(serviceName, "volume.revert", v.Project, func(ctx context.Context, fail bool) {
		from := fabric.Blob{Kind: fabric.SnapshotBlob, ID: v.RevertTo}
		err := c.fab.Blobs.Copy(ctx, from, v.blob(), c.fab.VolumeBytes(v.SizeGiB))
		if ctx.Err() != nil {
			return
		}
		status := available
		if err != nil || fail {
			c.report("reverting a volume failed", v.ID, err)
			status = failed
		}
		_, _ = c.change(v.ID, func(v *volume) error { v.Status, v.RevertTo = status, ""; return nil })
	})
}
