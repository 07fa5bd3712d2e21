package cinder

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// volumeAction does one action with its JSON argument and answers.
type volumeAction func(c *Cinder, r *fabric.Request, v volume, arg json.RawMessage) error

// volumeActions are the actions on a volume. Those of administrators check so
// themselves.
var volumeActions = map[string]volumeAction{
	"os-volume_upload_image":   (*Cinder).upload,
	"os-extend":                (*Cinder).extend,
	"os-reserve":               moving(attaching, available),
	"os-unreserve":             unreserve,
	"os-begin_detaching":       moving(detaching, inUse),
	"os-roll_detaching":        moving(inUse, detaching),
	"os-attach":                (*Cinder).legacyAttach,
	"os-detach":                (*Cinder).legacyDetach,
	"os-force_detach":          (*Cinder).forceDetach,
	"os-initialize_connection": connect,
	"os-terminate_connection":  accept,
	"os-set_bootable":          (*Cinder).setBootable,
	"os-update_readonly_flag":  (*Cinder).setReadOnly,
	"os-set_image_metadata":    (*Cinder).setImageMetadata,
	"os-unset_image_metadata":  (*Cinder).unsetImageMetadata,
	"os-show_image_metadata":   (*Cinder).showImageMetadata,
	"os-reset_status":          (*Cinder).resetVolume,
	"os-force_delete":          (*Cinder).forceDelete,
	"os-retype":                (*Cinder).retype,
	"os-reimage":               (*Cinder).reimage,
	"revert":                   (*Cinder).revert,
}

func (c *Cinder) actOnVolume(r *fabric.Request) error {
	name, arg, err := r.Action()
	if err != nil {
		return err
	}
	action, ok := volumeActions[name]
	if !ok {
		return fabric.BadRequest("There is no such action: %s. Verify the request body and Content-Type header and try again.", name)
	}
	v, err := c.volume(r.Identity, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := mayWrite(r, "volume_extension:volume_actions:"+name); err != nil {
		return err
	}
	return action(c, r, v, arg)
}

func read(arg json.RawMessage, into any) error {
	if len(arg) == 0 {
		return nil
	}
	if err := json.Unmarshal(arg, into); err != nil {
		return fabric.BadRequest("Malformed request body: %v", err)
	}
	return nil
}

func accept(_ *Cinder, r *fabric.Request, _ volume, _ json.RawMessage) error {
	return r.Empty(http.StatusAccepted)
}

// moving makes an action that only changes the state.
func moving(to string, from ...string) volumeAction {
	return func(c *Cinder, r *fabric.Request, v volume, _ json.RawMessage) error {
		_, err := c.change(v.ID, func(v *volume) error {
			if !slices.Contains(from, v.Status) {
				verb := map[string]string{attaching: "reserve", detaching: "detach", inUse: "roll back"}[to]
				return fabric.BadRequest("Invalid volume: Volume status must be %s to %s, but the status is %s.", from[0], verb, v.Status)
			}
			v.Status = to
			return nil
		})
		if err != nil {
			return err
		}
		return r.Empty(http.StatusAccepted)
	}
}

// unreserve frees a volume that was attaching; any other stays as it is.
func unreserve(c *Cinder, r *fabric.Request, v volume, _ json.RawMessage) error {
	_, err := c.change(v.ID, func(v *volume) error {
		if v.Status == attaching {
			v.Status = available
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Empty(http.StatusAccepted)
}

func connect(_ *Cinder, r *fabric.Request, v volume, _ json.RawMessage) error {
	return r.JSON(http.StatusOK, map[string]any{"connection_info": map[string]any{
		"driver_volume_type": "testcloud", "data": map[string]any{"volume_id": v.ID, "access_mode": "rw", "encrypted": false}}})
}

// upload starts to copy a volume's bytes into a new image.
func (c *Cinder) upload(r *fabric.Request, v volume, arg json.RawMessage) error {
	ask := struct {
		ImageName       string `json:"image_name"`
		DiskFormat      string `json:"disk_format"`
		ContainerFormat string `json:"container_format"`
		Visibility      string `json:"visibility"`
		Force           bool   `json:"force"`
	}{DiskFormat: "raw", ContainerFormat: "bare", Visibility: "private"}
	if err := read(arg, &ask); err != nil {
		return err
	}
	if ask.ImageName == "" {
		return fabric.BadRequest("Invalid input for field/attribute image_name. Value: . '' is too short")
	}
	if ask.DiskFormat != "raw" || ask.ContainerFormat != "bare" {
		return fabric.BadRequest("Invalid input received: this cloud uploads volumes as raw and bare only.")
	}
	properties := maps.Clone(v.ImageMetadata)
	for _, own := range []string{"image_id", "image_name", "disk_format", "container_format", "min_disk", "min_ram", "size", "checksum"} {
		delete(properties, own)
	}
	if v.KeyID != "" {
		// As there: first the key, whatever comes of the rest.
		key, err := c.keys.CloneKey(r.Identity, v.KeyID)
		if err != nil {
			return err
		}
		properties = maps.Clone(properties)
		if properties == nil {
			properties = map[string]string{}
		}
		properties[keyProperty], properties[keyPolicy] = key, "on_image_deletion"
	}
	_, err := c.change(v.ID, func(v *volume) error {
		if v.Status != available && !(v.Status == inUse && ask.Force) {
			return fabric.BadRequest("Invalid volume: Volume %s status must be available", v.ID)
		}
		v.Before, v.Status = v.Status, uploading
		return nil
	})
	if err != nil {
		return err
	}
	image, err := c.images.CreateImage(r.Identity, fabric.ImageSpec{Name: ask.ImageName, DiskFormat: ask.DiskFormat,
		ContainerFormat: ask.ContainerFormat, Visibility: ask.Visibility, Properties: properties})
	if err != nil {
		c.become(v.ID, v.Status)
		return err
	}
	v, err = c.change(v.ID, func(v *volume) error { v.UploadTo = image.ID; return nil })
	if err != nil {
		return err
	}
	c.send(v)
	kind, _ := c.findType(v.Type)
	return r.JSON(http.StatusAccepted, map[string]any{"os-volume_upload_image": map[string]any{
		"id": v.ID, "updated_at": optional(v.UpdatedAt), "status": uploading, "display_description": textOrNull(v.Description),
		"size": v.SizeGiB, "volume_type": showType(kind), "image_id": image.ID, "container_format": ask.ContainerFormat,
		"disk_format": ask.DiskFormat, "image_name": ask.ImageName, "protected": false, "visibility": ask.Visibility}})
}

// send copies the bytes of a volume that is uploading.
func (c *Cinder) send(v volume) {
	c.fab.Transit(serviceName, "volume.upload", v.Project, func(ctx context.Context, fail bool) {
		var err error
		if !fail && v.UploadTo != "" {
			err = c.images.FillImage(ctx, v.UploadTo, v.blob())
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil || fail {
			c.report("uploading a volume failed", v.ID, err)
			c.images.DropImage(v.UploadTo)
		}
		_, _ = c.change(v.ID, func(v *volume) error {
			v.Status, v.UploadTo = firstText(v.Before, available), ""
			return nil
		})
	})
}

func (c *Cinder) extend(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct {
		Size json.RawMessage `json:"new_size"`
	}
	if err := read(arg, &ask); err != nil {
		return err
	}
	to, err := size(ask.Size)
	if err != nil {
		return err
	}
	err = c.fab.Atomic(func() error {
		over := c.fab.Quotas.Check(v.Project, "gigabytes", c.usage(v.Project)["gigabytes"], to-v.SizeGiB)
		v, err = c.change(v.ID, func(v *volume) error {
			if v.Status != available && !(v.Status == inUse && r.Version.AtLeast(3, 42)) {
				return fabric.BadRequest("Invalid volume: Volume %s status must be available to extend, but current status is: %s.", v.ID, v.Status)
			}
			if to <= v.SizeGiB {
				return fabric.BadRequest("Invalid input received: New size for extend must be greater than current size. (current: %d, extended: %d).", v.SizeGiB, to)
			}
			if over != nil {
				return over.Cinder()
			}
			v.Before, v.Status, v.GrowTo = v.Status, extending, to
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	c.grow(v)
	return r.Empty(http.StatusAccepted)
}

// grow gives a volume that is extending its new size.
func (c *Cinder) grow(v volume) {
	c.fab.Transit(serviceName, "volume.extend", v.Project, func(_ context.Context, fail bool) {
		err := c.fab.Blobs.Resize(v.blob(), c.fab.VolumeBytes(v.GrowTo))
		if err != nil || fail {
			c.report("extending a volume failed", v.ID, err)
			c.become(v.ID, "error_extending")
			return
		}
		_, _ = c.change(v.ID, func(v *volume) error {
			v.Status, v.SizeGiB = firstText(v.Before, available), v.GrowTo
			return nil
		})
	})
}
