package cinder

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// The states of volumes, snapshots and backups.
const (
	creating    = "creating"
	downloading = "downloading"
	available   = "available"
	inUse       = "in-use"
	reserved    = "reserved"
	attaching   = "attaching"
	detaching   = "detaching"
	extending   = "extending"
	uploading   = "uploading"
	backingUp   = "backing-up"
	restoringTo = "restoring-backup"
	restoring   = "restoring"
	deleting    = "deleting"
	failed      = "error"
)

// volume is a volume as it is kept.
type volume struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Description   string            `json:"description"`
	Project       string            `json:"project"`
	User          string            `json:"user"`
	SizeGiB       int               `json:"size"`
	Status        string            `json:"status"`
	Type          string            `json:"type"`
	Zone          string            `json:"zone"` // as asked for, or its source's; empty: the first one
	SnapshotID    string            `json:"snapshot_id"`
	SourceVolume  string            `json:"source_volume"`
	ImageID       string            `json:"image_id"` // the image it was made from
	Bootable      bool              `json:"bootable"`
	Multiattach   bool              `json:"multiattach"`
	ReadOnly      bool              `json:"read_only"`
	Metadata      map[string]string `json:"metadata"`
	ImageMetadata map[string]string `json:"image_metadata"`
	KeyID         string            `json:"key_id"` // the secret of an encrypted one
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`

	Before   string `json:"before"`    // the status to go back to after uploading or backing up
	UploadTo string `json:"upload_to"` // the image that it is uploaded to
	GrowTo   int    `json:"grow_to"`   // the size that it is extended to
	RevertTo string `json:"revert_to"` // the snapshot that it is reverted to

	keyFrom string // the secret of what a new volume is made of; not kept
}

func (v volume) blob() fabric.Blob { return fabric.Blob{Kind: fabric.VolumeBlob, ID: v.ID} }

func (c *Cinder) volumeRoutes() {
	c.handle("POST", "/volumes", c.createVolume)
	c.handle("GET", "/volumes", func(r *fabric.Request) error { return c.listVolumes(r, false) })
	c.handle("GET", "/volumes/detail", func(r *fabric.Request) error { return c.listVolumes(r, true) })
	c.handle("GET", "/volumes/summary", c.summary)
	c.handle("GET", "/volumes/{id}", func(r *fabric.Request) error {
		v, err := c.volume(r.Identity, r.PathValue("id"))
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"volume": c.showVolume(r, v)})
	})
	c.handle("GET", "/volumes/{id}/encryption", c.showVolumeEncryption)
	c.handle("PUT", "/volumes/{id}", c.updateVolume)
	c.handle("DELETE", "/volumes/{id}", c.deleteVolume)
	c.handle("POST", "/volumes/{id}/action", c.actOnVolume)
}

// volume gives a volume that the identity may see.
func (c *Cinder) volume(who fabric.Identity, id string) (volume, error) {
	v, ok := c.volumes.Get(id)
	if !ok || !who.Sees(v.Project) {
		return v, fabric.NotFound("Volume %s could not be found.", id)
	}
	return v, nil
}

// change changes a volume when check allows it. A volume that is gone is a
// 404.
func (c *Cinder) change(id string, do func(*volume) error) (volume, error) {
	v, ok, err := c.volumes.Update(id, func(v *volume) error {
		if err := do(v); err != nil {
			return err
		}
		v.UpdatedAt = c.fab.Clock.Now()
		return nil
	})
	if err == nil && !ok {
		err = fabric.NotFound("Volume %s could not be found.", id)
	}
	return v, err
}

// become sets a volume's state; a volume that is gone stays so.
func (c *Cinder) become(id, status string) {
	_, _ = c.change(id, func(v *volume) error { v.Status = status; return nil })
}

func (c *Cinder) showVolume(r *fabric.Request, v volume) map[string]any {
	attached := []any{}
	for _, a := range c.attachments.List(func(a attachment) bool { return a.VolumeID == v.ID && a.Status == "attached" }) {
		attached = append(attached, map[string]any{"id": v.ID, "attachment_id": a.ID, "volume_id": v.ID, "server_id": a.ServerID,
			"host_name": textOrNull(a.Host), "device": a.Device, "attached_at": fabric.Micros(a.AttachedAt)})
	}
	metadata := map[string]string{}
	maps.Copy(metadata, v.Metadata)
	if v.ReadOnly {
		metadata["readonly"] = "True" // Cinder shows this one of its own members to all
	}
	body := map[string]any{
		"id": v.ID, "name": textOrNull(v.Name), "description": textOrNull(v.Description), "status": v.Status, "size": v.SizeGiB,
		"availability_zone": firstText(v.Zone, fabric.FirstZone), "created_at": fabric.Micros(v.CreatedAt), "updated_at": optional(v.UpdatedAt),
		"volume_type": v.Type, "snapshot_id": textOrNull(v.SnapshotID), "source_volid": textOrNull(v.SourceVolume),
		"metadata": metadata, "links": links(r, "volumes/"+v.ID), "user_id": v.User,
		"bootable": strconv.FormatBool(v.Bootable), "encrypted": v.KeyID != "", "replication_status": nil,
		"consistencygroup_id": nil, "multiattach": v.Multiattach, "attachments": attached,
		"os-vol-tenant-attr:tenant_id": v.Project, "migration_status": nil,
	}
	if len(v.ImageMetadata) > 0 {
		body["volume_image_metadata"] = v.ImageMetadata
	}
	if r.Version.AtLeast(3, 64) && v.KeyID != "" {
		body["encryption_key_id"] = v.KeyID
	}
	if r.Admin() {
		body["os-vol-host-attr:host"] = "testcloud@file#file"
		body["os-vol-mig-status-attr:migstat"], body["os-vol-mig-status-attr:name_id"] = nil, nil
	}
	if r.Version.AtLeast(3, 13) {
		body["group_id"] = nil
	}
	if r.Version.AtLeast(3, 48) {
		body["shared_targets"], body["service_uuid"] = false, nil
	}
	return body
}

func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return fabric.Micros(t)
}

// text is a JSON string or null.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s != nil {
		*t = text(*s)
	}
	return nil
}

type volumeUpdate struct {
	Volume struct {
		Name        *text              `json:"name"`
		DisplayName *text              `json:"display_name"`
		Description *text              `json:"description"`
		Metadata    *map[string]string `json:"metadata"`
	} `json:"volume"`
}

func (c *Cinder) updateVolume(r *fabric.Request) error {
	var body volumeUpdate
	if err := r.Decode(&body); err != nil {
		return err
	}
	if _, err := c.volume(r.Identity, r.PathValue("id")); err != nil {
		return err
	}
	if err := mayWrite(r, "volume:update"); err != nil {
		return err
	}
	v, err := c.change(r.PathValue("id"), func(v *volume) error {
		for _, name := range []*text{body.Volume.DisplayName, body.Volume.Name} {
			if name != nil {
				v.Name = string(*name)
			}
		}
		if body.Volume.Description != nil {
			v.Description = string(*body.Volume.Description)
		}
		if body.Volume.Metadata != nil {
			v.Metadata = *body.Volume.Metadata
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"volume": c.showVolume(r, v)})
}

// deletable are the states in which a volume may be deleted.
var deletable = []string{available, failed, "error_restoring", "error_extending", "error_managing"}

func (c *Cinder) deleteVolume(r *fabric.Request) error {
	if err := mayWrite(r, "volume:delete"); err != nil {
		return err
	}
	if r.Flag("cascade") {
		for _, s := range c.snapshots.List(func(s snapshot) bool { return s.VolumeID == r.PathValue("id") && r.Sees(s.Project) }) {
			if err := c.dropSnapshot(s.ID); err != nil {
				return err
			}
		}
		return c.answerDelete(r, c.dropVolume(r.Identity, r.PathValue("id"), true))
	}
	return c.answerDelete(r, c.DeleteVolume(r.Identity, r.PathValue("id")))
}

func (c *Cinder) answerDelete(r *fabric.Request, err error) error {
	if err != nil {
		return err
	}
	return r.Empty(http.StatusAccepted)
}

// DeleteVolume starts to delete an available volume.
func (c *Cinder) DeleteVolume(who fabric.Identity, id string) error {
	return c.dropVolume(who, id, false)
}

// dropVolume starts to delete a volume; cascade: its snapshots are going too.
func (c *Cinder) dropVolume(who fabric.Identity, id string, cascade bool) error {
	v, err := c.volume(who, id)
	if err != nil {
		return err
	}
	err = c.fab.Atomic(func() error {
		kept := c.snapshots.List(func(s snapshot) bool { return s.VolumeID == id && !(cascade && s.Status == deleting) })
		v, err = c.change(id, func(v *volume) error {
			if !slices.Contains(deletable, v.Status) || len(kept) > 0 {
				return fabric.BadRequest("Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.")
			}
			v.Status = deleting
			return nil
		})
		return err
	})
	if err == nil {
		c.erase(v)
	}
	return err
}
