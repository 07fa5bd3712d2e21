package server

import (
	"context"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// volumes attaches the volumes that the server does not boot from, one after the
// other, at their devices.
func (b *builder) volumes(ctx context.Context) error {
	var there []attachment
	path := "servers/" + b.record.Server + "/os-volume_attachments"
	if err := b.compute.get(ctx, path, nil, "volumeAttachments", &there); err != nil {
		return openstack.Explain(err, "listing the volumes of server %s", b.record.Server)
	}
	for _, v := range b.doc.Volumes {
		if v.BootIndex == 0 {
			continue
		}
		id := b.volumeID(v.VolumeID)
		if id == "" {
			b.call.NotKept(fmt.Sprintf("The volume %s at %s: it was not protected with the server.", v.VolumeID, v.Device))
			continue
		}
		if !slices.ContainsFunc(there, func(a attachment) bool { return a.VolumeID == id }) {
			request := map[string]any{"volumeId": id, "delete_on_termination": v.DeleteOnTermination}
			if v.Device != "" {
				request["device"] = v.Device
			}
			if v.Tag != nil && *v.Tag != "" {
				request["tag"] = *v.Tag
			}
			var made attachment
			err := b.compute.post(ctx, path, map[string]any{"volumeAttachment": request}, "volumeAttachment", &made)
			if err != nil {
				return openstack.Explain(err, "attaching volume %s to server %s", id, b.record.Server)
			}
			if made.Device != "" && v.Device != "" && made.Device != v.Device {
				b.call.NotKept(fmt.Sprintf("The device %s of volume %s: the hypervisor chose %s.", v.Device, id, made.Device))
			}
		}
		if err := b.awaitAttached(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// awaitAttached waits until a volume is the server's.
func (b *builder) awaitAttached(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, b.room.options.Timeout)
	defer cancel()
	what := fmt.Sprintf("volume %s to be attached to server %s", id, b.record.Server)
	return openstack.Poll(ctx, what, b.room.options.PollInterval, func(ctx context.Context) (bool, error) {
		var v struct {
			Status      string
			Attachments []struct {
				ServerID string `json:"server_id"`
			}
		}
		if err := b.volume.get(ctx, "volumes/"+id, nil, "volume", &v); err != nil {
			return false, openstack.Explain(err, "reading volume %s", id)
		}
		switch v.Status {
		case "in-use":
			return true, nil
		case "reserved", "attaching":
			return false, nil
		case "available":
			return false, karbor.Transientf("volume %s was not attached to server %s", id, b.record.Server)
		default:
			return false, karbor.Errorf(karbor.Conflict, "volume %s went into state %q when it was attached to server %s", id, v.Status, b.record.Server)
		}
	})
}
