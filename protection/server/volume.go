package server

import (
	"context"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// volumes attaches the volumes that the server does not boot from, one after the
// other, at their devices.
func (b *builder) volumes(ctx context.Context) error {
	for _, v := range b.doc.Volumes {
		if v.BootIndex == 0 {
			continue
		}
		id := b.volumeID(v.VolumeID)
		if id == "" {
			b.call.NotKept(fmt.Sprintf("The volume %s at %s: it was not protected with the server.", v.VolumeID, v.Device))
			continue
		}
		if err := b.attach(ctx, v, id); err != nil {
			return err
		}
		if err := b.awaitAttached(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// attach asks Nova to attach the volume that takes an original's place, unless the
// server has it.
func (b *builder) attach(ctx context.Context, v attachment, id string) error {
	path, device := "servers/"+b.record.Server+"/os-volume_attachments", ""
	find := func(ctx context.Context) (string, error) {
		var there []attachment
		if err := b.compute.get(ctx, path, nil, "volumeAttachments", &there); err != nil {
			return "", openstack.Explain(err, "listing the volumes of server %s", b.record.Server)
		}
		for _, a := range there {
			if a.VolumeID == id {
				device = a.Device
				return id, nil
			}
		}
		return "", nil
	}
	there, err := find(ctx)
	if err != nil || there != "" {
		return err
	}
	goes, err := b.goesAlong(ctx, v, id)
	if err != nil {
		return err
	}
	request := map[string]any{"volumeId": id, "delete_on_termination": goes}
	if v.Device != "" {
		request["device"] = v.Device
	}
	if v.Tag != nil && *v.Tag != "" {
		request["tag"] = *v.Tag
	}
	_, err = openstack.Make(ctx, b.call, "attachment of volume "+id, find, func(ctx context.Context) (string, error) {
		var made attachment
		err := b.compute.post(ctx, path, map[string]any{"volumeAttachment": request}, "volumeAttachment", &made)
		device = made.Device
		return id, err
	})
	if err == nil && device != "" && v.Device != "" && device != v.Device {
		b.call.NotKept(fmt.Sprintf("The device %s of volume %s: the hypervisor chose %s.", v.Device, id, device))
	}
	return openstack.Explain(err, "attaching volume %s to server %s", id, b.record.Server)
}

// goesAlong reports whether a volume is to be deleted with the server. An original that
// was not restored never is: to remove this server must not remove it.
func (b *builder) goesAlong(ctx context.Context, v attachment, id string) (bool, error) {
	if id != v.VolumeID {
		return v.DeleteOnTermination, nil
	}
	var now volumeView
	if err := b.volume.get(ctx, "volumes/"+id, nil, "volume", &now); err != nil {
		return false, openstack.Explain(err, "reading volume %s, which was not restored", id)
	}
	if now.Status != "available" && !now.Multiattach {
		return false, karbor.Errorf(karbor.FailedDependency, "the server needs volume %s, which was not restored and is %q: detach it from where it is, or have it restored", id, now.Status)
	}
	b.call.Mapped(fmt.Sprintf("The volume %s is the original, as it is now; it stays when the server is deleted.", id))
	return false, nil
}

// volumeView is what Cinder shows of a volume.
type volumeView struct {
	Status      string
	Bootable    string
	Multiattach bool
	Attachments []struct {
		ServerID string `json:"server_id"`
	}
}

// attachedTo reports whether a server has the volume.
func (v *volumeView) attachedTo(server string) bool {
	for _, a := range v.Attachments {
		if a.ServerID == server {
			return v.Status == "in-use"
		}
	}
	return false
}

// awaitAttached waits until a volume is the server's.
func (b *builder) awaitAttached(ctx context.Context, id string) error {
	ctx, cancel := openstack.Within(ctx, b.room.options.Timeout)
	defer cancel()
	what := fmt.Sprintf("volume %s to be attached to server %s", id, b.record.Server)
	return openstack.Poll(ctx, what, b.room.options.PollInterval, func(ctx context.Context) (bool, error) {
		var v volumeView
		if err := b.volume.get(ctx, "volumes/"+id, nil, "volume", &v); err != nil {
			return false, openstack.Explain(err, "reading volume %s", id)
		}
		if v.attachedTo(b.record.Server) {
			return true, nil
		}
		switch v.Status {
		case "in-use", "reserved", "attaching": // a volume of several servers is in use all along
			return false, openstack.Still("in state %q", v.Status)
		case "available":
			return false, karbor.Transientf("volume %s was not attached to server %s", id, b.record.Server)
		default:
			return false, karbor.Errorf(karbor.Conflict, "volume %s went into state %q when it was attached to server %s", id, v.Status, b.record.Server)
		}
	})
}
