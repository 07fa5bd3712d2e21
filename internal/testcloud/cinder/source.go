package cinder

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

type volumeRequest struct {
	Volume struct {
		Name         text              `json:"name"`
		DisplayName  text              `json:"display_name"`
		Description  text              `json:"description"`
		Size         json.RawMessage   `json:"size"`
		SnapshotID   text              `json:"snapshot_id"`
		SourceVolume text              `json:"source_volid"`
		ImageRef     text              `json:"imageRef"`
		ImageID      text              `json:"image_id"`
		BackupID     text              `json:"backup_id"`
		Type         text              `json:"volume_type"`
		Zone         text              `json:"availability_zone"`
		Metadata     map[string]string `json:"metadata"`
		Multiattach  bool              `json:"multiattach"`
	} `json:"volume"`
}

// size reads a whole number, also as text; 0 if there is none.
func size(value json.RawMessage) (int, error) {
	raw := strings.Trim(string(value), `"`)
	if raw == "" || raw == "null" {
		return 0, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil {
		return 0, fabric.BadRequest("Invalid input for field/attribute size. Value: %s. %s is not of type 'integer'", raw, raw)
	}
	if n < 1 {
		return 0, fabric.BadRequest("Invalid input for field/attribute size. Value: %d. %d is less than the minimum of 1", n, n)
	}
	return n, nil
}

func (c *Cinder) createVolume(r *fabric.Request) error {
	var body volumeRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if err := mayWrite(r, "volume:create"); err != nil {
		return err
	}
	ask := body.Volume
	gibs, err := size(ask.Size)
	if err != nil {
		return err
	}
	if ask.Name == "" {
		ask.Name = ask.DisplayName
	}
	if ask.ImageRef == "" {
		ask.ImageRef = ask.ImageID
	}
	v := volume{Name: string(ask.Name), Description: string(ask.Description), SizeGiB: gibs, Type: string(ask.Type), Zone: string(ask.Zone),
		SnapshotID: string(ask.SnapshotID), SourceVolume: string(ask.SourceVolume), ImageID: string(ask.ImageRef),
		Metadata: ask.Metadata, Multiattach: ask.Multiattach}
	if ask.Zone != "" && ask.Zone != fabric.FirstZone && ask.Zone != fabric.SecondZone {
		return fabric.BadRequest("Availability zone '%s' is invalid.", ask.Zone)
	}
	if ask.BackupID != "" && r.Version.AtLeast(3, 47) {
		v, err = c.volumeFromBackup(r.Identity, string(ask.BackupID), v, creating)
	} else {
		v, err = c.insert(r.Identity, v)
	}
	if err != nil {
		return err
	}
	return r.JSON(http.StatusAccepted, map[string]any{"volume": c.showVolume(r, v)})
}

// insert completes a new volume, keeps it, and starts to fill it.
func (c *Cinder) insert(who fabric.Identity, v volume) (volume, error) {
	if err := c.derive(who, &v); err != nil {
		return v, err
	}
	if err := c.keep(who, &v, creating); err != nil {
		return v, err
	}
	c.fill(v)
	return v, nil
}

// keep gives a volume its id, and keeps it if the quotas allow.
func (c *Cinder) keep(who fabric.Identity, v *volume, status string) error {
	if v.SizeGiB == 0 {
		return fabric.BadRequest("The server could not comply with the request since it is either malformed or otherwise incorrect.")
	}
	kind, ok := c.findType(v.Type)
	if !ok {
		return fabric.NotFound("Volume type with name %s could not be found.", v.Type)
	}
	v.ID, v.Project, v.User, v.Status, v.Type = fabric.NewID(), who.ProjectID, who.UserID, status, kind.Name
	v.Multiattach = v.Multiattach || kind.ExtraSpecs["multiattach"] == "<is> True"
	v.CreatedAt = c.fab.Clock.Now()
	if err := c.encrypt(who, v, kind); err != nil {
		return err
	}
	err := c.fab.Atomic(func() error {
		if err := c.fits(who.ProjectID, v.Type, "volumes", v.SizeGiB); err != nil {
			return err
		}
		if most := c.fab.Quotas.Limit(who.ProjectID, "per_volume_gigabytes"); most >= 0 && v.SizeGiB > most {
			return fabric.Errorf(http.StatusRequestEntityTooLarge, "VolumeSizeExceedsLimit: Requested volume size %d is larger than maximum allowed limit %d.", v.SizeGiB, most)
		}
		c.volumes.Put(v.ID, *v)
		return nil
	})
	if err != nil {
		c.keys.DropKey(v.KeyID)
	}
	return err
}

// derive checks a new volume's source and takes over what comes from it.
func (c *Cinder) derive(who fabric.Identity, v *volume) error {
	for field, id := range map[string]string{"snapshot_id": v.SnapshotID, "source_volid": v.SourceVolume} {
		if id != "" && uuid.Validate(id) != nil {
			return fabric.BadRequest("Invalid input for field/attribute %s. Value: %s. '%s' is not valid under any of the given schemas", field, id, id)
		}
	}
	switch {
	case v.SnapshotID != "":
		s, err := c.snapshot(who, v.SnapshotID)
		if err != nil {
			return err
		}
		if s.Status != available {
			return fabric.BadRequest("Invalid snapshot: Originating snapshot status must be one of 'available' values")
		}
		if err := v.atLeast("snapshot", s.SizeGiB); err != nil {
			return err
		}
		if from, there := c.volumes.Get(s.VolumeID); there {
			if err := v.inZoneOf("snapshot", from); err != nil {
				return err
			}
		}
		v.Bootable, v.ImageMetadata = s.Bootable, maps.Clone(s.ImageMetadata)
		v.Type, v.keyFrom = firstText(v.Type, s.Type), s.KeyID
	case v.SourceVolume != "":
		from, err := c.volume(who, v.SourceVolume)
		if err != nil {
			return err
		}
		if !slices.Contains([]string{available, inUse}, from.Status) {
			return fabric.BadRequest("Invalid volume: Originating volume status must be one of 'available, in-use' values")
		}
		if err := v.atLeast("source volume", from.SizeGiB); err != nil {
			return err
		}
		if err := v.inZoneOf("source volume", from); err != nil {
			return err
		}
		v.Bootable, v.ImageMetadata = from.Bootable, maps.Clone(from.ImageMetadata)
		v.Type, v.keyFrom = firstText(v.Type, from.Type), from.KeyID
	case v.ImageID != "":
		return c.deriveFromImage(who, v)
	}
	return nil
}

func (v *volume) atLeast(source string, gibs int) error {
	if v.SizeGiB == 0 {
		v.SizeGiB = gibs
	}
	if v.SizeGiB < gibs {
		noun := strings.TrimPrefix(source, "source ")
		return fabric.BadRequest("Invalid input received: Volume size '%d'GB cannot be smaller than the %s size %dGB. They must be >= original %s size.", v.SizeGiB, source, gibs, noun)
	}
	return nil
}

// inZoneOf takes over the zone of what a volume is made of: Cinder refuses another one (its cloned_volume_same_az).
func (v *volume) inZoneOf(source string, from volume) error {
	there := firstText(from.Zone, fabric.FirstZone)
	if firstText(v.Zone, there) != there {
		return fabric.BadRequest("Invalid input received: Volume must be in the same availability zone as the %s", source)
	}
	v.Zone = there
	return nil
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (c *Cinder) deriveFromImage(who fabric.Identity, v *volume) error {
	i, err := c.images.Image(who, v.ImageID)
	if err != nil {
		return fabric.BadRequest("Invalid image identifier or unable to access requested image.")
	}
	if i.Status != "active" {
		return fabric.BadRequest("Invalid input received: Image %s is not active.", i.ID)
	}
	if v.SizeGiB == 0 {
		return fabric.BadRequest("The server could not comply with the request since it is either malformed or otherwise incorrect.")
	}
	if need := c.gibs(i.Size); v.SizeGiB < need {
		return fabric.BadRequest("Invalid input received: Size of specified image %dGB is larger than volume size %dGB.", need, v.SizeGiB)
	}
	if v.SizeGiB < i.MinDisk {
		return fabric.BadRequest("Invalid input received: Volume size %dGB cannot be smaller than the image minDisk size %dGB.", v.SizeGiB, i.MinDisk)
	}
	v.Bootable = true
	v.ImageMetadata = map[string]string{"image_id": i.ID, "image_name": i.Name, "disk_format": i.DiskFormat,
		"container_format": i.Container, "min_disk": strconv.Itoa(i.MinDisk), "min_ram": strconv.Itoa(i.MinRAM),
		"size": strconv.FormatInt(i.Size, 10)}
	maps.Copy(v.ImageMetadata, i.Properties)
	// Cinder takes the key out of an image's properties, but not what becomes of it.
	delete(v.ImageMetadata, keyProperty)
	v.keyFrom = i.Properties[keyProperty]
	return nil
}

// fill gives a new volume its bytes and makes it available.
func (c *Cinder) fill(v volume) {
	c.fab.Transit(serviceName, "volume.create", v.Project, func(ctx context.Context, fail bool) {
		err := c.copyIn(ctx, v)
		switch {
		case ctx.Err() != nil:
		case err != nil || fail:
			c.report("creating a volume failed", v.ID, err)
			c.become(v.ID, failed)
		default:
			c.become(v.ID, firstText(v.Before, available))
		}
	})
}

func (c *Cinder) copyIn(ctx context.Context, v volume) error {
	bytes := c.fab.VolumeBytes(v.SizeGiB)
	switch {
	case v.SnapshotID != "":
		return c.fab.Blobs.Copy(ctx, fabric.Blob{Kind: fabric.SnapshotBlob, ID: v.SnapshotID}, v.blob(), bytes)
	case v.SourceVolume != "":
		return c.fab.Blobs.Copy(ctx, fabric.Blob{Kind: fabric.VolumeBlob, ID: v.SourceVolume}, v.blob(), bytes)
	case v.ImageID != "":
		c.become(v.ID, downloading)
		image := fabric.Blob{Kind: fabric.ImageBlob, ID: v.ImageID}
		// An image of no bytes (queued, or a volume-backed server's) has no
		// file to copy.
		if n, err := c.fab.Blobs.Size(image); err != nil {
			return err
		} else if n > bytes {
			return fmt.Errorf("image %s has %d bytes: too many for volume %s", v.ImageID, n, v.ID)
		}
		return c.fab.Blobs.Copy(ctx, image, v.blob(), bytes)
	}
	return c.fab.Blobs.Create(v.blob(), bytes)
}

// erase removes a volume once nothing is being made from it.
func (c *Cinder) erase(v volume) {
	c.fab.Transit(serviceName, "volume.delete", v.Project, func(_ context.Context, fail bool) {
		if fail {
			c.become(v.ID, "error_deleting")
			return
		}
		busy := c.volumes.List(func(o volume) bool { return o.SourceVolume == v.ID && o.Status == creating })
		if len(busy) > 0 {
			c.erase(v)
			return
		}
		if err := c.fab.Blobs.Remove(v.blob()); err != nil {
			c.report("removing a volume's bytes failed", v.ID, err)
		}
		c.attachments.Drop(func(a attachment) bool { return a.VolumeID == v.ID })
		c.keys.DropKey(v.KeyID)
		c.volumes.Delete(v.ID)
	})
}

func (c *Cinder) report(what, id string, err error) {
	if err != nil {
		c.fab.Log.Error("background work failed", "service", serviceName, "work", what, "id", id, "error", err)
	}
}
