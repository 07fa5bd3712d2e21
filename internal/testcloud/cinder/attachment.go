package cinder

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// attachment joins a volume to a server.
type attachment struct {
	ID         string    `json:"id"`
	VolumeID   string    `json:"volume_id"`
	Project    string    `json:"project"`
	ServerID   string    `json:"server_id"`
	Host       string    `json:"host"`
	Device     string    `json:"device"`
	Mode       string    `json:"mode"`
	Status     string    `json:"status"` // reserved, attaching, attached
	AttachedAt time.Time `json:"attached_at"`
	// Connected says that a connector was given.
	Connected bool `json:"connected"`
}

func (c *Cinder) attachmentRoutes() {
	c.handle("POST", "/attachments", c.createAttachment)
	c.handle("GET", "/attachments", func(r *fabric.Request) error { return c.listAttachments(r, false) })
	c.handle("GET", "/attachments/detail", func(r *fabric.Request) error { return c.listAttachments(r, true) })
	c.handle("GET", "/attachments/{id}", func(r *fabric.Request) error {
		a, err := c.attachment(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"attachment": showAttachment(a)})
	})
	c.handle("PUT", "/attachments/{id}", c.updateAttachment)
	c.handle("POST", "/attachments/{id}/action", c.completeAttachment)
	c.handle("DELETE", "/attachments/{id}", func(r *fabric.Request) error {
		a, err := c.attachment(r)
		if err != nil {
			return err
		}
		if err := mayWrite(r, "volume:attachment_delete"); err != nil {
			return err
		}
		if err := c.DetachVolume(a.ID); err != nil {
			return err
		}
		left := []any{}
		for _, a := range c.attachments.List(func(o attachment) bool { return o.VolumeID == a.VolumeID }) {
			left = append(left, showAttachment(a))
		}
		return r.JSON(http.StatusOK, map[string]any{"attachments": left})
	})
}

func (c *Cinder) attachment(r *fabric.Request) (attachment, error) {
	if !r.Version.AtLeast(3, 27) {
		return attachment{}, fabric.NotFound("The resource could not be found.")
	}
	a, ok := c.attachments.Get(r.PathValue("id"))
	if !ok || !r.Sees(a.Project) {
		return a, fabric.NotFound("Volume attachment could not be found with filter: attachment_id = %s.", r.PathValue("id"))
	}
	return a, nil
}

func showAttachment(a attachment) map[string]any {
	body := map[string]any{"id": a.ID, "status": a.Status, "instance": textOrNull(a.ServerID), "volume_id": a.VolumeID,
		"attached_at": "", "detached_at": "", "attach_mode": firstText(a.Mode, "null"), "connection_info": map[string]any{}}
	if !a.AttachedAt.IsZero() {
		body["attached_at"] = fabric.Micros(a.AttachedAt)
	}
	if a.Connected {
		body["connection_info"] = map[string]any{"driver_volume_type": "testcloud", "access_mode": "rw",
			"encrypted": false, "attachment_id": a.ID, "volume_id": a.VolumeID}
	}
	return body
}

type connector struct {
	Host       string `json:"host"`
	Mountpoint string `json:"mountpoint"`
	Mode       string `json:"mode"`
}

type attachmentRequest struct {
	Attachment struct {
		VolumeID  string     `json:"volume_uuid"`
		ServerID  text       `json:"instance_uuid"`
		Connector *connector `json:"connector"`
		Mode      text       `json:"mode"`
	} `json:"attachment"`
}

func (a *attachment) connect(con *connector) {
	if con == nil || con.Host == "" && con.Mountpoint == "" {
		return
	}
	a.Connected, a.Host, a.Device = true, con.Host, firstText(con.Mountpoint, a.Device)
	a.Mode = firstText(con.Mode, a.Mode, "rw")
	if a.Status == reserved {
		a.Status = attaching
	}
}

func (c *Cinder) createAttachment(r *fabric.Request) error {
	var body attachmentRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if !r.Version.AtLeast(3, 27) {
		return fabric.NotFound("The resource could not be found.")
	}
	if err := mayWrite(r, "volume:attachment_create"); err != nil {
		return err
	}
	id, err := c.ReserveVolume(r.Identity, body.Attachment.VolumeID, string(body.Attachment.ServerID))
	if err != nil {
		return err
	}
	a, _, err := c.attachments.Update(id, func(a *attachment) error {
		a.Mode = string(body.Attachment.Mode)
		a.connect(body.Attachment.Connector)
		return nil
	})
	if err != nil {
		return err
	}
	if a.Status == attaching {
		c.become(a.VolumeID, attaching)
	}
	return r.JSON(http.StatusOK, map[string]any{"attachment": showAttachment(a)})
}

func (c *Cinder) updateAttachment(r *fabric.Request) error {
	var body attachmentRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	a, err := c.attachment(r)
	if err != nil {
		return err
	}
	if err := mayWrite(r, "volume:attachment_update"); err != nil {
		return err
	}
	if body.Attachment.Connector == nil {
		return fabric.BadRequest("Invalid input for field/attribute attachment. Value: {}. 'connector' is a required property")
	}
	a, _, err = c.attachments.Update(a.ID, func(a *attachment) error {
		a.connect(body.Attachment.Connector)
		return nil
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, map[string]any{"attachment": showAttachment(a)})
}

func (c *Cinder) completeAttachment(r *fabric.Request) error {
	name, _, err := r.Action()
	if err != nil {
		return err
	}
	if name != "os-complete" || !r.Version.AtLeast(3, 44) {
		return fabric.BadRequest("There is no such action: %s. Verify the request body and Content-Type header and try again.", name)
	}
	a, err := c.attachment(r)
	if err != nil {
		return err
	}
	if err := mayWrite(r, "volume:attachment_complete"); err != nil {
		return err
	}
	if err := c.AttachVolume(a.ID, a.Host, a.Device); err != nil {
		return err
	}
	return r.Empty(http.StatusNoContent)
}

func (c *Cinder) listAttachments(r *fabric.Request, detail bool) error {
	if !r.Version.AtLeast(3, 27) {
		return fabric.NotFound("The resource could not be found.")
	}
	found := c.attachments.List(func(a attachment) bool { return c.inList(r, a.Project) })
	items := make([]map[string]any, 0, len(found))
	for _, a := range found {
		item := showAttachment(a)
		item["instance_id"] = a.ServerID
		items = append(items, item)
	}
	return c.page(r, "attachments", items, func(item map[string]any) map[string]any {
		delete(item, "instance_id")
		if !detail {
			for _, name := range []string{"attached_at", "detached_at", "attach_mode", "connection_info"} {
				delete(item, name)
			}
		}
		return item
	})
}

// ReserveVolume makes an attachment to a volume that can take one more.
func (c *Cinder) ReserveVolume(who fabric.Identity, volumeID, serverID string) (string, error) {
	v, err := c.volume(who, volumeID)
	if err != nil {
		return "", err
	}
	a := attachment{ID: fabric.NewID(), VolumeID: v.ID, Project: v.Project, ServerID: serverID, Status: reserved}
	_, err = c.change(v.ID, func(v *volume) error {
		if v.Status != available && !(v.Multiattach && slices.Contains([]string{reserved, attaching, inUse}, v.Status)) {
			return fabric.BadRequest("Invalid volume: Volume %s status must be available or downloading to reserve, but the current status is %s.", v.ID, v.Status)
		}
		if v.Status == available {
			v.Status = reserved
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	c.attachments.Put(a.ID, a)
	return a.ID, nil
}

// AttachVolume completes an attachment.
func (c *Cinder) AttachVolume(attachmentID, host, device string) error {
	a, ok, err := c.attachments.Update(attachmentID, func(a *attachment) error {
		a.Status, a.Host, a.Device, a.AttachedAt = "attached", firstText(host, a.Host), firstText(device, a.Device), c.fab.Clock.Now()
		a.Mode = firstText(a.Mode, "rw")
		return nil
	})
	if err != nil {
		return err
	}
	if !ok {
		return fabric.NotFound("Volume attachment could not be found with filter: attachment_id = %s.", attachmentID)
	}
	c.become(a.VolumeID, inUse)
	return nil
}

// DetachVolume removes an attachment in any state; after the last one the
// volume is available.
func (c *Cinder) DetachVolume(attachmentID string) error {
	return c.fab.Atomic(func() error {
		a, ok := c.attachments.Get(attachmentID)
		if !ok {
			return fabric.NotFound("Volume attachment could not be found with filter: attachment_id = %s.", attachmentID)
		}
		c.attachments.Delete(attachmentID)
		c.settle(a.VolumeID)
		return nil
	})
}

// settle gives a volume the state that fits its attachments. A volume at work
// keeps its state, and goes to the new one afterwards.
func (c *Cinder) settle(volumeID string) {
	status := available
	for _, a := range c.attachments.List(func(a attachment) bool { return a.VolumeID == volumeID }) {
		if a.Status == "attached" {
			status = inUse
		} else if status == available {
			status = a.Status
		}
	}
	_, _ = c.change(volumeID, func(v *volume) error {
		if slices.Contains([]string{available, reserved, attaching, detaching, inUse}, v.Status) {
			v.Status = status
		} else {
			v.Before = status
		}
		return nil
	})
}

func (c *Cinder) legacyAttach(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct {
		ServerID   string `json:"instance_uuid"`
		Host       string `json:"host_name"`
		Mountpoint string `json:"mountpoint"`
		Mode       string `json:"mode"`
	}
	if err := read(arg, &ask); err != nil {
		return err
	}
	if ask.ServerID == "" && ask.Host == "" {
		return fabric.BadRequest("Invalid request to attach volume to an invalid target")
	}
	_, err := c.change(v.ID, func(v *volume) error {
		if v.Status != available && v.Status != attaching && !(v.Multiattach && v.Status == inUse) {
			return fabric.BadRequest("Invalid volume: status must be available or attaching, but is %s", v.Status)
		}
		v.Status = inUse
		return nil
	})
	if err != nil {
		return err
	}
	a := attachment{ID: fabric.NewID(), VolumeID: v.ID, Project: v.Project, ServerID: ask.ServerID, Host: ask.Host,
		Device: ask.Mountpoint, Mode: firstText(ask.Mode, "rw"), Status: "attached", AttachedAt: c.fab.Clock.Now()}
	c.attachments.Put(a.ID, a)
	return r.Empty(http.StatusAccepted)
}

func (c *Cinder) legacyDetach(r *fabric.Request, v volume, arg json.RawMessage) error {
	var ask struct {
		AttachmentID text `json:"attachment_id"`
	}
	if err := read(arg, &ask); err != nil {
		return err
	}
	err := c.fab.Atomic(func() error {
		gone := c.attachments.Drop(func(a attachment) bool {
			return a.VolumeID == v.ID && (ask.AttachmentID == "" || a.ID == string(ask.AttachmentID))
		})
		if gone == 0 && ask.AttachmentID != "" {
			return fabric.NotFound("Volume attachment could not be found with filter: attachment_id = %s.", ask.AttachmentID)
		}
		c.settle(v.ID)
		return nil
	})
	if err != nil {
		return err
	}
	return r.Empty(http.StatusAccepted)
}

func (c *Cinder) forceDetach(r *fabric.Request, v volume, arg json.RawMessage) error {
	if err := mayAdmin(r, "volume_extension:volume_admin_actions:force_detach"); err != nil {
		return err
	}
	return c.legacyDetach(r, v, arg)
}
