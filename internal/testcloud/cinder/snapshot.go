package cinder

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// snapshot is a snapshot as it is kept.
type snapshot struct {
	ID            string            `json:"id"`
	VolumeID      string            `json:"volume_id"`
	Name          string            `json:"name"`
	Description   string            `json:"description"`
	Project       string            `json:"project"`
	User          string            `json:"user"`
	SizeGiB       int               `json:"size"`
	Type          string            `json:"type"`
	Status        string            `json:"status"`
	Bootable      bool              `json:"bootable"`
	Metadata      map[string]string `json:"metadata"`
	ImageMetadata map[string]string `json:"image_metadata"`
	KeyID         string            `json:"key_id"` // the volume's own
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`
}

func (s snapshot) blob() fabric.Blob { return fabric.Blob{Kind: fabric.SnapshotBlob, ID: s.ID} }

func (c *Cinder) snapshotRoutes() {
	c.handle("POST", "/snapshots", c.createSnapshot)
	c.handle("GET", "/snapshots", func(r *fabric.Request) error { return c.listSnapshots(r, false) })
	c.handle("GET", "/snapshots/detail", func(r *fabric.Request) error { return c.listSnapshots(r, true) })
	c.handle("GET", "/snapshots/{id}", func(r *fabric.Request) error {
		s, err := c.snapshot(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"snapshot": showSnapshot(s, true)})
	})
	c.handle("PUT", "/snapshots/{id}", c.updateSnapshot)
	c.handle("DELETE", "/snapshots/{id}", func(r *fabric.Request) error {
		if _, err := c.snapshot(r.Identity, r.PathValue("id")); err != nil {
			return err
		}
		if err := mayWrite(r, "volume:delete_snapshot"); err != nil {
			return err
		}
		return c.answerDelete(r, c.dropSnapshot(r.PathValue("id")))
	})
	c.handle("POST", "/snapshots/{id}/action", c.actOnSnapshot)
}

func (c *Cinder) snapshot(who fabric.Identity, id string) (snapshot, error) {
	s, ok := c.snapshots.Get(id)
	if !ok || !who.Sees(s.Project) {
		return s, fabric.NotFound("Snapshot %s could not be found.", id)
	}
	return s, nil
}

func (c *Cinder) changeSnapshot(id string, do func(*snapshot) error) (snapshot, error) {
	s, ok, err := c.snapshots.Update(id, func(s *snapshot) error {
		if err := do(s); err != nil {
			return err
		}
		s.UpdatedAt = c.fab.Clock.Now()
		return nil
	})
	if err == nil && !ok {
		err = fabric.NotFound("Snapshot %s could not be found.", id)
	}
	return s, err
}

func showSnapshot(s snapshot, detail bool) map[string]any {
	metadata := map[string]string{}
	maps.Copy(metadata, s.Metadata)
	body := map[string]any{"id": s.ID, "name": textOrNull(s.Name), "description": textOrNull(s.Description),
		"volume_id": s.VolumeID, "status": s.Status, "size": s.SizeGiB, "metadata": metadata,
		"created_at": fabric.Micros(s.CreatedAt), "updated_at": optional(s.UpdatedAt)}
	if detail {
		progress := "0%"
		if s.Status == available {
			progress = "100%"
		}
		body["os-extended-snapshot-attributes:project_id"], body["os-extended-snapshot-attributes:progress"] = s.Project, progress
		body["group_snapshot_id"], body["user_id"] = nil, s.User
	}
	return body
}

type snapshotRequest struct {
	Snapshot struct {
		VolumeID    string            `json:"volume_id"`
		Name        *text             `json:"name"`
		DisplayName *text             `json:"display_name"`
		Description *text             `json:"description"`
		Force       flag              `json:"force"`
		Metadata    map[string]string `json:"metadata"`
	} `json:"snapshot"`
}

func (b snapshotRequest) into(s *snapshot) {
	for _, name := range []*text{b.Snapshot.DisplayName, b.Snapshot.Name} {
		if name != nil {
			s.Name = string(*name)
		}
	}
	if b.Snapshot.Description != nil {
		s.Description = string(*b.Snapshot.Description)
	}
}

func (c *Cinder) createSnapshot(r *fabric.Request) error {
	var body snapshotRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if err := mayWrite(r, "volume:create_snapshot"); err != nil {
		return err
	}
	s := snapshot{VolumeID: body.Snapshot.VolumeID, Metadata: body.Snapshot.Metadata}
	body.into(&s)
	s, err := c.insertSnapshot(r.Identity, s, bool(body.Snapshot.Force) || r.Version.AtLeast(3, 66))
	if err != nil {
		return err
	}
	return r.JSON(http.StatusAccepted, map[string]any{"snapshot": showSnapshot(s, false)})
}

// insertSnapshot completes and keeps a new snapshot and starts to make it;
// force also of a volume in use.
func (c *Cinder) insertSnapshot(who fabric.Identity, s snapshot, force bool) (snapshot, error) {
	v, err := c.volume(who, s.VolumeID)
	if err != nil {
		return s, err
	}
	if v.Status != available && !(force && slices.Contains([]string{inUse, reserved, backingUp, uploading}, v.Status)) {
		return s, fabric.BadRequest("Invalid volume: Volume %s status must be available, but current status is: %s.", v.ID, v.Status)
	}
	s.ID, s.Project, s.User, s.SizeGiB, s.Type, s.Status = fabric.NewID(), v.Project, who.UserID, v.SizeGiB, v.Type, creating
	s.Bootable, s.ImageMetadata, s.KeyID, s.CreatedAt = v.Bootable, v.ImageMetadata, v.KeyID, c.fab.Clock.Now()
	err = c.fab.Atomic(func() error {
		if err := c.fits(v.Project, v.Type, "snapshots", s.SizeGiB); err != nil {
			return err
		}
		// The volume may have begun to go while this was checked.
		if now, ok := c.volumes.Get(v.ID); !ok || now.Status == deleting {
			return fabric.NotFound("Volume %s could not be found.", v.ID)
		}
		c.snapshots.Put(s.ID, s)
		return nil
	})
	if err == nil {
		c.freeze(s)
	}
	return s, err
}

// freeze copies a new snapshot's bytes.
func (c *Cinder) freeze(s snapshot) {
	c.fab.Transit(serviceName, "snapshot.create", s.Project, func(ctx context.Context, fail bool) {
		err := c.fab.Blobs.Copy(ctx, fabric.Blob{Kind: fabric.VolumeBlob, ID: s.VolumeID}, s.blob(), c.fab.VolumeBytes(s.SizeGiB))
		if ctx.Err() != nil {
			return
		}
		status := available
		if err != nil || fail {
			c.report("making a snapshot failed", s.ID, err)
			status = failed
		}
		_, _ = c.changeSnapshot(s.ID, func(s *snapshot) error { s.Status = status; return nil })
	})
}

// dropSnapshot starts to delete a snapshot.
func (c *Cinder) dropSnapshot(id string) error {
	s, err := c.changeSnapshot(id, func(s *snapshot) error {
		if s.Status != available && s.Status != failed && s.Status != "error_deleting" {
			return fabric.BadRequest("Invalid snapshot: Snapshot status must be available or error and must not be part of a group.")
		}
		s.Status = deleting
		return nil
	})
	if err == nil {
		c.melt(s)
	}
	return err
}

// melt removes a snapshot once nothing is being made from it.
func (c *Cinder) melt(s snapshot) {
	c.fab.Transit(serviceName, "snapshot.delete", s.Project, func(_ context.Context, fail bool) {
		if fail {
			_, _ = c.changeSnapshot(s.ID, func(s *snapshot) error { s.Status = "error_deleting"; return nil })
			return
		}
		busy := c.volumes.List(func(v volume) bool { return v.SnapshotID == s.ID && v.Status == creating })
		if len(busy) > 0 {
			c.melt(s)
			return
		}
		if err := c.fab.Blobs.Remove(s.blob()); err != nil {
			c.report("removing a snapshot's bytes failed", s.ID, err)
		}
		c.snapshots.Delete(s.ID)
	})
}

func (c *Cinder) updateSnapshot(r *fabric.Request) error {
	var body snapshotRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if _, err := c.snapshot(r.Identity, r.PathValue("id")); err != nil {
		return err
	}
	if err := mayWrite(r, "volume:update_snapshot"); err != nil {
		return err
	}
	s, err := c.changeSnapshot(r.PathValue("id"), func(s *snapshot) error { body.into(s); return nil })
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"snapshot": showSnapshot(s, false)})
}

func (c *Cinder) actOnSnapshot(r *fabric.Request) error {
	name, arg, err := r.Action()
	if err != nil {
		return err
	}
	s, err := c.snapshot(r.Identity, r.PathValue("id"))
	if err != nil {
		return err
	}
	switch name {
	case "os-reset_status":
		if err := mayAdmin(r, "volume_extension:snapshot_admin_actions:reset_status"); err != nil {
			return err
		}
		return c.resetSnapshot(r, s, arg)
	case "os-force_delete":
		if err := mayAdmin(r, "volume_extension:snapshot_admin_actions:force_delete"); err != nil {
			return err
		}
		if _, err := c.changeSnapshot(s.ID, func(s *snapshot) error { s.Status = deleting; return nil }); err != nil {
			return err
		}
		c.melt(s)
		return r.Empty(http.StatusAccepted)
	}
	return fabric.BadRequest("There is no such action: %s. Verify the request body and Content-Type header and try again.", name)
}

func (c *Cinder) resetSnapshot(r *fabric.Request, s snapshot, arg json.RawMessage) error {
	var ask struct{ Status string }
	if err := read(arg, &ask); err != nil {
		return err
	}
	if _, err := c.changeSnapshot(s.ID, func(s *snapshot) error { s.Status = firstText(ask.Status, s.Status); return nil }); err != nil {
		return err
	}
	return r.Empty(http.StatusAccepted)
}
