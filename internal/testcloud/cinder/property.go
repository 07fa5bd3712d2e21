package cinder

import (
	"encoding/json"
	"maps"
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// flag is a boolean, also as text.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true", `"true"`, `"True"`, `"1"`, "1":
		*f = true
	case "false", `"false"`, `"False"`, `"0"`, "0":
		*f = false
	default:
		return fabric.BadRequest("Invalid value '%s' for a boolean", b)
	}
	return nil
}

// changing makes a change and answers it with a status.
func (c *Cinder) changing(r *fabric.Request, id string, status int, do func(*volume)) error {
	if _, err := c.change(id, func(v *volume) error { do(v); return nil }); err != nil {
		return err
	}
	return r.Empty(status)
}

func (c *Cinder) setBootable(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct{ Bootable flag }
	if err := read(arg, &ask); err != nil {
		return err
	}
	return c.changing(r, v.ID, http.StatusOK, func(v *volume) { v.Bootable = bool(ask.Bootable) })
}

func (c *Cinder) setReadOnly(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct{ ReadOnly flag }
	if err := read(arg, &ask); err != nil {
		return err
	}
	return c.changing(r, v.ID, http.StatusAccepted, func(v *volume) { v.ReadOnly = bool(ask.ReadOnly) })
}

func (c *Cinder) setImageMetadata(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct{ Metadata map[string]string }
	if err := read(arg, &ask); err != nil {
		return err
	}
	v, err := c.change(v.ID, func(v *volume) error {
		if v.ImageMetadata == nil {
			v.ImageMetadata = map[string]string{}
		}
		maps.Copy(v.ImageMetadata, ask.Metadata)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"metadata": v.ImageMetadata})
}

func (c *Cinder) unsetImageMetadata(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct{ Key string }
	if err := read(arg, &ask); err != nil {
		return err
	}
	if _, ok := v.ImageMetadata[ask.Key]; !ok {
		return fabric.NotFound("Metadata item was not found")
	}
	return c.changing(r, v.ID, http.StatusOK, func(v *volume) { delete(v.ImageMetadata, ask.Key) })
}

func (c *Cinder) showImageMetadata(r *fabric.Request, v volume, _ json.RawMessage) error {
	shown := map[string]string{}
	maps.Copy(shown, v.ImageMetadata)
	return r.JSON(http.StatusOK, map[string]any{"metadata": shown})
}

func (c *Cinder) resetVolume(r *fabric.Request, v volume, arg json.RawMessage) error {
	if err := mayAdmin(r, "volume_extension:volume_admin_actions:reset_status"); err != nil {
		return err
	}
	var ask struct{ Status string }
	if err := read(arg, &ask); err != nil {
		return err
	}
	return c.changing(r, v.ID, http.StatusAccepted, func(v *volume) { v.Status = firstText(ask.Status, v.Status) })
}

func (c *Cinder) forceDelete(r *fabric.Request, v volume, _ json.RawMessage) error {
	if err := mayAdmin(r, "volume_extension:volume_admin_actions:force_delete"); err != nil {
		return err
	}
	v, err := c.change(v.ID, func(v *volume) error { v.Status = deleting; return nil })
	if err != nil {
		return err
	}
	c.erase(v)
	return r.Empty(http.StatusAccepted)
}

func (c *Cinder) retype(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct {
		Type string `json:"new_type"`
	}
	if err := read(arg, &ask); err != nil {
		return err
	}
	kind, ok := c.findType(ask.Type)
	if !ok || ask.Type == "" {
		return fabric.NotFound("Volume type %s could not be found.", ask.Type)
	}
	return c.changing(r, v.ID, http.StatusAccepted, func(v *volume) { v.Type = kind.Name })
}
