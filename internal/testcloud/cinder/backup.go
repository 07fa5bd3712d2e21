package cinder

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// objectBytes is how many bytes of a volume are in one object of a backup.
const objectBytes = 52428800

// backup is a backup as it is kept. Each has all bytes of the volume, also an
// incremental one.
type backup struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Description   string            `json:"description"`
	Project       string            `json:"project"`
	VolumeID      string            `json:"volume_id"`
	SnapshotID    string            `json:"snapshot_id"`
	ParentID      string            `json:"parent_id"` // of an incremental one
	Container     string            `json:"container"`
	SizeGiB       int               `json:"size"`
	Status        string            `json:"status"`
	FailReason    string            `json:"fail_reason"`
	Bootable      bool              `json:"bootable"`
	Type          string            `json:"type"`
	Metadata      map[string]string `json:"metadata"`
	ImageMetadata map[string]string `json:"image_metadata"`
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`
	DataAt        time.Time         `json:"data_at"`
	RestoreTo     string            `json:"restore_to"` // the volume, while restoring
	KeyID         string            `json:"key_id"`     // a secret of its own, of an encrypted volume
	// What the volume was like: a restore gives it to the volume.
	VolumeName        string            `json:"volume_name"`
	VolumeDescription string            `json:"volume_description"`
	VolumeMetadata    map[string]string `json:"volume_metadata"`
}

func (b backup) blob() fabric.Blob { return fabric.Blob{Kind: fabric.BackupBlob, ID: b.ID} }

func (c *Cinder) backupRoutes() {
	c.handle("POST", "/backups", c.createBackup)
	c.handle("GET", "/backups", func(r *fabric.Request) error { return c.listBackups(r, false) })
	c.handle("GET", "/backups/detail", func(r *fabric.Request) error { return c.listBackups(r, true) })
	c.handle("GET", "/backups/{id}", func(r *fabric.Request) error {
		b, err := c.backup(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"backup": c.showBackup(r, b)})
	})
	c.handle("PUT", "/backups/{id}", c.updateBackup)
	c.handle("DELETE", "/backups/{id}", c.deleteBackup)
	c.handle("POST", "/backups/{id}/restore", c.restoreBackup)
	c.handle("POST", "/backups/{id}/action", c.actOnBackup)
}

func (c *Cinder) backup(who fabric.Identity, id string) (backup, error) {
	b, ok := c.backups.Get(id)
	if !ok || !who.Sees(b.Project) {
		return b, fabric.NotFound("Backup %s could not be found.", id)
	}
	return b, nil
}

func (c *Cinder) changeBackup(id string, do func(*backup) error) (backup, error) {
	b, ok, err := c.backups.Update(id, func(b *backup) error {
		if err := do(b); err != nil {
			return err
		}
		b.UpdatedAt = c.fab.Clock.Now()
		return nil
	})
	if err == nil && !ok {
		err = fabric.NotFound("Backup %s could not be found.", id)
	}
	return b, err
}

// dependents tells whether a backup is the parent of others, also of ones that are
// going.
func (c *Cinder) dependents(id string) bool {
	return len(c.backups.List(func(b backup) bool { return b.ParentID == id })) > 0
}

func (c *Cinder) showBackup(r *fabric.Request, b backup) map[string]any {
	body := map[string]any{"id": b.ID, "name": textOrNull(b.Name), "description": textOrNull(b.Description),
		"status": b.Status, "size": b.SizeGiB, "object_count": 0, "availability_zone": nil,
		"container": textOrNull(b.Container), "created_at": fabric.Micros(b.CreatedAt), "updated_at": optional(b.UpdatedAt),
		"fail_reason": textOrNull(b.FailReason), "volume_id": b.VolumeID, "snapshot_id": textOrNull(b.SnapshotID),
		"links": links(r, "backups/"+b.ID), "is_incremental": b.ParentID != "", "has_dependent_backups": c.dependents(b.ID),
		"data_timestamp": fabric.Micros(b.DataAt)}
	if b.Status == available || b.Status == restoring {
		body["object_count"] = (c.fab.VolumeBytes(b.SizeGiB) + objectBytes - 1) / objectBytes
	}
	if r.Version.AtLeast(3, 43) {
		metadata := map[string]string{}
		maps.Copy(metadata, b.Metadata)
		body["metadata"] = metadata
	}
	if r.Admin() {
		body["os-backup-project-attr:project_id"] = b.Project
	}
	return body
}

type backupRequest struct {
	Backup struct {
		VolumeID    string            `json:"volume_id"`
		SnapshotID  text              `json:"snapshot_id"`
		Name        *text             `json:"name"`
		Description *text             `json:"description"`
		Container   text              `json:"container"`
		Incremental flag              `json:"incremental"`
		Force       flag              `json:"force"`
		Metadata    map[string]string `json:"metadata"`
	} `json:"backup"`
}

func (q backupRequest) into(b *backup) {
	if q.Backup.Name != nil {
		b.Name = string(*q.Backup.Name)
	}
	if q.Backup.Description != nil {
		b.Description = string(*q.Backup.Description)
	}
	if q.Backup.Metadata != nil {
		b.Metadata = q.Backup.Metadata
	}
}

func (c *Cinder) createBackup(r *fabric.Request) error {
	var body backupRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if err := mayWrite(r, "backup:create"); err != nil {
		return err
	}
	v, err := c.volume(r.Identity, body.Backup.VolumeID)
	if err != nil {
		return err
	}
	now := c.fab.Clock.Now()
	b := backup{ID: fabric.NewID(), Project: r.ProjectID, VolumeID: v.ID, SnapshotID: string(body.Backup.SnapshotID),
		Container: cmp.Or(string(body.Backup.Container), "volumebackups"), SizeGiB: v.SizeGiB, Status: creating, Type: v.Type,
		Bootable: v.Bootable, ImageMetadata: v.ImageMetadata, CreatedAt: now, DataAt: now,
		VolumeName: v.Name, VolumeDescription: v.Description, VolumeMetadata: v.Metadata}
	body.into(&b)
	if b.SnapshotID != "" {
		s, err := c.snapshot(r.Identity, b.SnapshotID)
		switch {
		case err != nil:
			return err
		case s.VolumeID != v.ID:
			return fabric.BadRequest("Invalid volume: Volume %s does not match with snapshot.volume_id %s.", v.ID, s.VolumeID)
		case s.Status != available:
			return fabric.BadRequest("Invalid snapshot: Snapshot to be backed up must be available, but the current status is \"%s\".", s.Status)
		}
		b.DataAt = s.CreatedAt
	}
	if body.Backup.Incremental {
		if b.ParentID, err = c.parentOf(b); err != nil {
			return err
		}
	}
	if v.KeyID != "" {
		if b.KeyID, err = c.keys.CloneKey(r.Identity, v.KeyID); err != nil {
			return err
		}
	}
	if err := c.keepBackup(b, bool(body.Backup.Force)); err != nil {
		c.keys.DropKey(b.KeyID)
		return err
	}
	c.save(b)
	return r.JSON(http.StatusAccepted, map[string]any{"backup": map[string]any{
		"id": b.ID, "name": textOrNull(b.Name), "links": links(r, "backups/"+b.ID)}})
}

// parentOf chooses what an incremental backup builds on: the newest of the volume's
// backups; of a snapshot, the newest that is older than it.
func (c *Cinder) parentOf(b backup) (string, error) {
	found := c.backups.List(func(o backup) bool { return o.Project == b.Project && o.VolumeID == b.VolumeID })
	if len(found) == 0 {
		return "", fabric.BadRequest("Invalid backup: No backups available to do an incremental backup.")
	}
	rank := func(o backup) time.Time {
		if b.SnapshotID != "" && !o.DataAt.Before(b.DataAt) {
			return time.Time{}
		}
		return o.DataAt
	}
	parent := slices.MaxFunc(found, func(a, b backup) int { return rank(a).Compare(rank(b)) })
	if parent.Status != available {
		return "", fabric.BadRequest("Invalid backup: The parent backup must be available for incremental backup.")
	}
	return parent.ID, nil
}

// keepBackup keeps a new backup if the quotas and the volume's state allow,
// and marks the volume.
func (c *Cinder) keepBackup(b backup, force bool) error {
	return c.fab.Atomic(func() error {
		used := c.usage(b.Project)
		if e := c.fab.Quotas.Check(b.Project, "backups", used["backups"], 1); e != nil {
			return e.Cinder()
		}
		if e := c.fab.Quotas.Check(b.Project, "backup_gigabytes", used["backup_gigabytes"], b.SizeGiB); e != nil {
			return e.Cinder()
		}
		if b.SnapshotID == "" {
			_, err := c.change(b.VolumeID, func(v *volume) error {
				if v.Status != available && !(force && v.Status == inUse) {
					return fabric.BadRequest("Invalid volume: Volume to be backed up must be available or in-use, but the current status is \"%s\".", v.Status)
				}
				v.Before, v.Status = v.Status, backingUp
				return nil
			})
			if err != nil {
				return err
			}
		} else if _, err := c.changeSnapshot(b.SnapshotID, func(s *snapshot) error { s.Status = backingUp; return nil }); err != nil {
			return err
		}
		c.backups.Put(b.ID, b)
		return nil
	})
}

// save copies a new backup's bytes.
func (c *Cinder) save(b backup) {
	c.fab.Transit(serviceName, "backup.create", b.Project, func(ctx context.Context, fail bool) {
		from := fabric.Blob{Kind: fabric.VolumeBlob, ID: b.VolumeID}
		if b.SnapshotID != "" {
			from = fabric.Blob{Kind: fabric.SnapshotBlob, ID: b.SnapshotID}
		}
		err := c.fab.Blobs.Copy(ctx, from, b.blob(), c.fab.VolumeBytes(b.SizeGiB))
		if ctx.Err() != nil {
			return
		}
		if parent, ok := c.backups.Get(b.ParentID); ok && err == nil && parent.SizeGiB < b.SizeGiB {
			err = errors.New("the volume has grown since the last backup: make a full one")
		}
		_, _ = c.changeBackup(b.ID, func(b *backup) error {
			b.Status = available
			if err != nil || fail {
				b.Status, b.FailReason = failed, "The test cloud could not copy the volume."
			}
			return nil
		})
		if b.SnapshotID != "" {
			_, _ = c.changeSnapshot(b.SnapshotID, func(s *snapshot) error { s.Status = available; return nil })
		}
		c.report("making a backup failed", b.ID, err)
		if b.SnapshotID == "" {
			_, _ = c.change(b.VolumeID, func(v *volume) error { v.Status = firstText(v.Before, available); return nil })
		}
	})
}

func (c *Cinder) deleteBackup(r *fabric.Request) error {
	b, err := c.backup(r.Identity, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := mayWrite(r, "backup:delete"); err != nil {
		return err
	}
	err = c.fab.Atomic(func() error {
		if c.dependents(b.ID) {
			return fabric.BadRequest("Invalid backup: Incremental backups exist for this backup.")
		}
		_, err := c.changeBackup(b.ID, func(b *backup) error {
			if b.Status != available && b.Status != failed {
				return fabric.BadRequest("Invalid backup: Backup status must be available or error")
			}
			b.Status = deleting
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	c.discard(b)
	return r.Empty(http.StatusAccepted)
}

func (c *Cinder) discard(b backup) {
	c.fab.Transit(serviceName, "backup.delete", b.Project, func(_ context.Context, fail bool) {
		if fail {
			_, _ = c.changeBackup(b.ID, func(b *backup) error { b.Status = "error_deleting"; return nil })
			return
		}
		c.report("removing a backup's bytes failed", b.ID, c.fab.Blobs.Remove(b.blob()))
		c.keys.DropKey(b.KeyID)
		c.backups.Delete(b.ID)
	})
}
