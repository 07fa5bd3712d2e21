package nova

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func (n *Nova) attachmentRoutes() {
	path := root + "/servers/{id}/os-volume_attachments"
	n.Handle("GET "+path, func(r *fabric.Request) error {
		s, err := n.find(r)
		if err != nil {
			return err
		}
		list := []object{}
		for _, d := range s.Devices {
			if d.VolumeID != "" {
				list = append(list, attachmentView(r, s, d))
			}
		}
		return r.JSON(http.StatusOK, object{"volumeAttachments": list})
	})
	n.Handle("POST "+path, n.attach)
	n.Handle("GET "+path+"/{volume}", func(r *fabric.Request) error {
		s, d, err := n.findDevice(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, object{"volumeAttachment": attachmentView(r, s, d)})
	})
	n.Handle("PUT "+path+"/{volume}", n.updateAttachment)
	n.Handle("DELETE "+path+"/{volume}", n.detach)
}

func (n *Nova) findDevice(r *fabric.Request) (Server, Device, error) {
	s, err := n.find(r)
	if err != nil {
		return s, Device{}, err
	}
	d := s.device(r.PathValue("volume"))
	if d == nil {
		return s, Device{}, fabric.NotFound("Instance %s is not attached to volume %s", s.ID, r.PathValue("volume"))
	}
	return s, *d, nil
}

func attachmentView(r *fabric.Request, s Server, d Device) object {
	o := object{"volumeId": d.VolumeID, "serverId": s.ID, "device": d.Name}
	if r.Version.AtLeast(2, 89) {
		o["attachment_id"], o["bdm_uuid"] = d.AttachmentID, d.ID
	} else {
		o["id"] = d.VolumeID
	}
	if r.Version.AtLeast(2, 70) {
		o["tag"] = nil
		if d.Tag != "" {
			o["tag"] = d.Tag
		}
	}
	if r.Version.AtLeast(2, 79) {
		o["delete_on_termination"] = d.DeleteOnEnd
	}
	return o
}

func (n *Nova) attach(r *fabric.Request) error {
	s, err := n.own(r, "os-volumes-attachments:create")
	if err != nil {
		return err
	}
	var body struct {
		Attachment struct {
			VolumeID    string `json:"volumeId"`
			Device      string `json:"device"`
			Tag         string `json:"tag"`
			DeleteOnEnd bool   `json:"delete_on_termination"`
		} `json:"volumeAttachment"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	want := body.Attachment
	if s.Task == deleting || !slices.Contains([]string{active, stopped, paused, suspended}, s.State) {
		return fabric.Conflict("Cannot 'attach_volume' instance %s while it is in vm_state %s", s.ID, s.State)
	}
	volume, err := n.volumes.Volume(r.Identity, want.VolumeID)
	if err != nil {
		return fabric.NotFound("Volume %s could not be found.", want.VolumeID)
	}
	if slices.Contains(volume.AttachedTo, s.ID) || len(volume.AttachedTo) > 0 && !volume.Multiattach {
		return fabric.BadRequest("Invalid volume: volume %s is already attached to instances: %s", volume.ID, volume.AttachedTo[0])
	}
	attachment, err := n.volumes.ReserveVolume(r.Identity, volume.ID, s.ID)
	if err != nil {
		return err
	}
	d := Device{ID: fabric.NewID(), VolumeID: volume.ID, AttachmentID: attachment, Tag: want.Tag,
		DeleteOnEnd: want.DeleteOnEnd, SizeGiB: volume.SizeGiB, Source: "volume"}
	s, ok := n.change(s.ID, func(s *Server) {
		d.Name = s.nextDevice()
		s.Devices = append(s.Devices, d)
	})
	if !ok {
		return errors.Join(fabric.NotFound("Instance %s could not be found.", r.PathValue("id")), n.volumes.DetachVolume(attachment))
	}
	n.note(r, s.ID, "attach_volume")
	n.completeAttach(s, d)
	return r.JSON(http.StatusOK, object{"volumeAttachment": attachmentView(r, s, d)})
}

// completeAttach ends the attaching of a reserved volume.
func (n *Nova) completeAttach(s Server, d Device) {
	n.fab.Transit("nova", "server.attach", s.ProjectID, func(ctx context.Context, fail bool) {
		lock := n.lock(s.ID)
		defer lock.Unlock()
		now, ok := n.servers.Get(s.ID)
		if !ok || now.device(d.VolumeID) == nil || ctx.Err() != nil {
			return
		}
		var err error
		if !fail {
			err = n.volumes.AttachVolume(d.AttachmentID, s.place().host, d.Name)
		}
		if fail || err != nil {
			n.complain(s.ID, errors.Join(err, n.volumes.DetachVolume(d.AttachmentID)))
			n.dropDevice(s.ID, d.ID)
			return
		}
		n.change(s.ID, func(s *Server) {
			if own := s.device(d.VolumeID); own != nil {
				own.Attached = true
			}
		})
	})
}

func (n *Nova) dropDevice(server, device string) {
	n.change(server, func(s *Server) {
		s.Devices = slices.DeleteFunc(s.Devices, func(d Device) bool { return d.ID == device })
	})
}

func (n *Nova) updateAttachment(r *fabric.Request) error {
	if _, err := n.own(r, "os-volumes-attachments:update"); err != nil {
		return err
	}
	s, d, err := n.findDevice(r)
	if err != nil {
		return err
	}
	var body struct {
		Attachment struct {
			VolumeID    string `json:"volumeId"`
			DeleteOnEnd *bool  `json:"delete_on_termination"`
		} `json:"volumeAttachment"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	if body.Attachment.VolumeID != d.VolumeID || body.Attachment.DeleteOnEnd == nil || !r.Version.AtLeast(2, 85) {
		return fabric.Conflict("This cloud does not swap volumes.")
	}
	n.change(s.ID, func(s *Server) {
		if own := s.device(d.VolumeID); own != nil {
			own.DeleteOnEnd = *body.Attachment.DeleteOnEnd
		}
	})
	return accepted(r)
}

func (n *Nova) detach(r *fabric.Request) error {
	s, err := n.own(r, "os-volumes-attachments:delete")
	if err != nil {
		return err
	}
	id := r.PathValue("volume")
	if s.device(id) == nil {
		if _, err := n.volumes.Volume(r.Identity, id); err != nil {
			return fabric.NotFound("Volume %s could not be found.", id)
		}
		return fabric.NotFound("Instance %s is not attached to volume %s", s.ID, id)
	}
	d := *s.device(id)
	if d.Boot {
		return fabric.BadRequest("Cannot detach a root device volume")
	}
	if s.Task == deleting || s.State == building {
		return fabric.Conflict("Cannot 'detach_volume' instance %s while it is in vm_state %s", s.ID, s.State)
	}
	if d.Leaving || !d.Attached {
		return fabric.BadRequest("Invalid volume: Invalid input received: Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.")
	}
	s, _ = n.change(s.ID, func(s *Server) {
		if own := s.device(id); own != nil {
			own.Leaving = true
		}
	})
	n.note(r, s.ID, "detach_volume")
	n.completeDetach(s, d)
	return accepted(r)
}

func (n *Nova) completeDetach(s Server, d Device) {
	n.fab.Transit("nova", "server.detach", s.ProjectID, func(ctx context.Context, fail bool) {
		lock := n.lock(s.ID)
		defer lock.Unlock()
		now, ok := n.servers.Get(s.ID)
		if !ok || now.device(d.VolumeID) == nil || ctx.Err() != nil {
			return
		}
		if fail {
			n.change(s.ID, func(s *Server) {
				if own := s.device(d.VolumeID); own != nil {
					own.Leaving = false
				}
			})
			return
		}
		n.dropDevice(s.ID, d.ID)
		n.complain(s.ID, n.volumes.DetachVolume(d.AttachmentID))
	})
}

// resumeDevices goes on with attaching and detaching.
func (n *Nova) resumeDevices(s Server) {
	if s.State == building || s.Task == deleting {
		return
	}
	for _, d := range s.Devices {
		switch {
		case d.Leaving:
			n.completeDetach(s, d)
		case !d.Attached && d.AttachmentID != "":
			n.completeAttach(s, d)
		}
	}
}
