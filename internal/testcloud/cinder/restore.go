package cinder

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func (c *Cinder) restoreBackup(r *fabric.Request) error {
	var body struct {
		Restore struct {
			VolumeID text `json:"volume_id"`
			Name     text `json:"name"`
		} `json:"restore"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	b, err := c.backup(r.Identity, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := mayWrite(r, "backup:restore"); err != nil {
		return err
	}
	var v volume
	if body.Restore.VolumeID == "" {
		v, err = c.volumeFromBackup(r.Identity, b.ID, volume{Name: cmp.Or(string(body.Restore.Name), autoName+b.ID),
			Description: "auto-created_from_restore_from_backup"}, restoringTo)
	} else {
		v, err = c.restoreInto(r.Identity, b.ID, string(body.Restore.VolumeID))
	}
	if err != nil {
		return err
	}
	return r.JSON(http.StatusAccepted, map[string]any{"restore": map[string]any{
		"backup_id": b.ID, "volume_id": v.ID, "volume_name": v.Name}})
}

// claim makes an available backup restoring to the volume.
func (c *Cinder) claim(id, volumeID string) (backup, error) {
	return c.changeBackup(id, func(b *backup) error {
		if b.Status != available {
			return fabric.BadRequest("Invalid backup: Backup status must be available")
		}
		b.Status, b.RestoreTo = restoring, volumeID
		return nil
	})
}

// autoName begins the names of volumes that restores make unasked.
const autoName = "restore_backup_"

// volumeFromBackup makes a new volume of a backup, which is in this state meanwhile. A
// size of 0 stands for the backup's.
func (c *Cinder) volumeFromBackup(who fabric.Identity, id string, v volume, status string) (volume, error) {
	b, err := c.backup(who, id)
	if err != nil {
		return volume{}, err
	}
	if b.Status != available {
		return volume{}, fabric.BadRequest("Invalid backup: Backup status must be available")
	}
	if err := v.atLeast("backup", b.SizeGiB); err != nil {
		return v, err
	}
	v.keyFrom = b.KeyID
	if err := c.keep(who, &v, status); err != nil {
		return v, err
	}
	if b, err = c.claim(id, v.ID); err != nil {
		c.volumes.Delete(v.ID)
		return v, err
	}
	c.bringBack(b)
	return v, nil
}

func (c *Cinder) restoreInto(who fabric.Identity, id, volumeID string) (volume, error) {
	v, err := c.volume(who, volumeID)
	if err != nil {
		return v, err
	}
	b, err := c.backup(who, id)
	if err != nil {
		return v, err
	}
	v, err = c.change(v.ID, func(v *volume) error {
		switch {
		case v.Status != available:
			return fabric.BadRequest("Invalid volume: Volume to be restored to must be available")
		case v.SizeGiB < b.SizeGiB:
			return fabric.BadRequest("Invalid volume: volume size %d is too small to restore backup of size %d.", v.SizeGiB, b.SizeGiB)
		}
		v.Status = restoringTo
		return nil
	})
	if err != nil {
		return v, err
	}
	if b, err = c.claim(id, v.ID); err != nil {
		c.become(v.ID, available)
		return v, err
	}
	c.bringBack(b)
	return v, nil
}

// isRestored tells whether a backup is being restored to the volume.
func (c *Cinder) isRestored(volumeID string) bool {
	return len(c.backups.List(func(b backup) bool { return b.Status == restoring && b.RestoreTo == volumeID })) > 0
}

// bringBack copies the bytes of a backup that is restoring.
func (c *Cinder) bringBack(b backup) {
	c.fab.Transit(serviceName, "backup.restore", b.Project, func(ctx context.Context, fail bool) {
		v, ok := c.volumes.Get(b.RestoreTo)
		var err error
		if ok && !fail {
			err = c.fab.Blobs.Copy(ctx, b.blob(), v.blob(), c.fab.VolumeBytes(v.SizeGiB))
		}
		if ctx.Err() != nil {
			return
		}
		_, _ = c.changeBackup(b.ID, func(b *backup) error { b.Status, b.RestoreTo = available, ""; return nil })
		status := available
		if err != nil || fail {
			c.report("restoring a backup failed", b.ID, err)
			status = "error_restoring" // of a volume that is new, too
		}
		_, _ = c.change(b.RestoreTo, func(v *volume) error {
			v.Status = status
			if status == available {
				b.into(v)
			}
			return nil
		})
	})
}

// into gives a volume what the backup holds beside the bytes, as Cinder does: metadata
// take the place of the volume's own.
func (b backup) into(v *volume) {
	if strings.HasPrefix(v.Name, autoName) && b.VolumeName != "" {
		v.Name, v.Description = b.VolumeName, b.VolumeDescription
	}
	if len(b.VolumeMetadata) > 0 {
		v.Metadata = maps.Clone(b.VolumeMetadata)
	}
	if b.VolumeID != v.ID {
		if v.Metadata == nil {
			v.Metadata = map[string]string{}
		}
		v.Metadata["src_backup_id"] = b.ID
	}
	if len(b.ImageMetadata) > 0 {
		v.Bootable, v.ImageMetadata = true, maps.Clone(b.ImageMetadata)
	}
}

func (c *Cinder) updateBackup(r *fabric.Request) error {
	var body backupRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if _, err := c.backup(r.Identity, r.PathValue("id")); err != nil {
		return err
	}
	if err := mayWrite(r, "backup:update"); err != nil {
		return err
	}
	b, err := c.changeBackup(r.PathValue("id"), func(b *backup) error { body.into(b); return nil })
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"backup": map[string]any{
		"id": b.ID, "name": textOrNull(b.Name), "links": links(r, "backups/"+b.ID)}})
}

func (c *Cinder) actOnBackup(r *fabric.Request) error {
	name, arg, err := r.Action()
	if err != nil {
		return err
	}
	b, err := c.backup(r.Identity, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := mayAdmin(r, "volume_extension:backup_admin_actions:"+name); err != nil {
		return err
	}
	status := deleting
	switch name {
	case "os-reset_status":
		var ask struct{ Status string }
		if err := read(arg, &ask); err != nil {
			return err
		}
		status = firstText(ask.Status, b.Status)
	case "os-force_delete":
	default:
		return fabric.BadRequest("There is no such action: %s. Verify the request body and Content-Type header and try again.", name)
	}
	if _, err := c.changeBackup(b.ID, func(b *backup) error { b.Status = status; return nil }); err != nil {
		return err
	}
	if name == "os-force_delete" {
		c.discard(b)
	}
	return r.Empty(http.StatusAccepted)
}
