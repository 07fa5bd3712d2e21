package volumeglance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// Nova gives a volume that is attached the first device that is free, whatever device was asked
// for. So the volumes of a server that an operation has taken off go back in the order of
// their devices, and only when all of them have the bytes that they are to have: whichever
// hook comes first attaches all.

// slot is where a volume is on its server.
type slot struct {
	Volume string `json:"volume"`
	Device string `json:"device"`
	Tag    string `json:"tag,omitempty"`
	// GoesAlong says that the volume is deleted with the server.
	GoesAlong bool `json:"goes_along,omitempty"`
}

// inOrder compares two slots by their devices: /dev/vdz comes before /dev/vdaa.
func inOrder(a, b slot) int {
	return cmp.Or(cmp.Compare(len(a.Device), len(b.Device)), cmp.Compare(a.Device, b.Device))
}

func volumeKey(id string) karbor.NodeKey {
	return karbor.MakeNodeKey(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")
}

// reunite attaches the volumes of the server that it lacks, in their order. whole reports whether
// one has its bytes; behind one that has not, none is attached.
func (r *room) reunite(ctx context.Context, c clients, call *protection.Call, a *attachment, whole func(ctx context.Context, volume string) (bool, error)) error {
	// Two at a time would mix up the order.
	return call.InTurn(ctx, "server "+a.Server, func(ctx context.Context) error { return r.fill(ctx, c, call, a, whole) })
}

// fill is reunite, in turn.
func (r *room) fill(ctx context.Context, c clients, call *protection.Call, a *attachment, whole func(ctx context.Context, volume string) (bool, error)) error {
	slots := a.Slots
	if len(slots) == 0 { // recorded by a Karbor that knew of none
		slots = []slot{{Volume: call.Node.ID, Device: a.Device, Tag: a.Tag, GoesAlong: a.GoesAlong}}
	}
	for i, s := range slots {
		v, err := volumes.Get(ctx, c.volume, s.Volume).Extract()
		if err != nil {
			return openstack.Explain(err, "reading volume %s", s.Volume)
		}
		if on(v, a.Server) {
			continue
		}
		good, err := whole(ctx, s.Volume)
		if err != nil {
			return err
		}
		if !good {
			return lacking(a, slots[i:])
		}
		if err := r.attach(ctx, c, call, a, s); err != nil {
			return err
		}
	}
	return sameDevice(ctx, c, call, a)
}

// on reports whether a server has a volume.
func on(v *volumes.Volume, server string) bool {
	return v.Status == "in-use" && slices.ContainsFunc(v.Attachments, func(at volumes.Attachment) bool { return at.ServerID == server })
}

// lacking says what the tenant has to do with a server that lacks volumes.
func lacking(a *attachment, slots []slot) error {
	order := ""
	if len(slots) > 1 {
		var behind []string
		for _, s := range slots[1:] {
			behind = append(behind, s.Volume)
		}
		order = fmt.Sprintf("; when it is as it is to be, attach it, and then %s, in this order: the server gives a volume the first device that is free", strings.Join(behind, ", "))
	}
	return karbor.Errorf(karbor.Conflict, "server %s is not started again, as it lacks volume %s%s", a.Server, slots[0].Volume, order)
}

// bereft gives the error of what was done for a server, unless that is for the server being gone: its tenant has
// deleted it, and is told that there is nothing to attach the volume to.
func bereft(ctx context.Context, call *protection.Call, a *attachment, failure error) error {
	if kind := karbor.KindOf(failure); failure == nil || kind != karbor.NotFound && kind != karbor.Conflict {
		return failure
	}
	if _, err := openstack.Server(ctx, call.Cloud, a.Server); karbor.KindOf(err) != karbor.NotFound {
		return failure
	}
	call.NotKept(fmt.Sprintf("The volume is attached to no server: server %s, which had it, is not there any more.", a.Server))
	return nil
}

// sameDevice tells if the volume is at another device than before.
func sameDevice(ctx context.Context, c clients, call *protection.Call, a *attachment) error {
	v, err := volumes.Get(ctx, c.volume, call.Node.ID).Extract()
	if err != nil {
		return openstack.Explain(err, "reading volume %s", call.Node.ID)
	}
	for _, at := range v.Attachments {
		if at.ServerID == a.Server && a.Device != "" && at.Device != "" && at.Device != a.Device {
			call.NotKept(fmt.Sprintf("The device %s of the volume: the hypervisor of server %s chose %s.", a.Device, a.Server, at.Device))
		}
	}
	return nil
}

// attach puts a volume back on its server, and waits until it is there.
func (r *room) attach(ctx context.Context, c clients, call *protection.Call, a *attachment, s slot) error {
	compute, err := openstack.Compute(ctx, call.Cloud)
	if err != nil {
		return err
	}
	request := map[string]any{"volumeId": s.Volume, "delete_on_termination": s.GoesAlong}
	if s.Device != "" {
		request["device"] = s.Device
	}
	if s.Tag != "" {
		request["tag"] = s.Tag
	}
	asked := false
	var refused error
	return r.watch(ctx, c.volume, s.Volume, "to be attached again", func(v *volumes.Volume) (bool, error) {
		switch {
		case v.Status == "in-use":
			return true, nil
		case v.Status == "error":
			return false, karbor.Errorf(karbor.Conflict, "volume %s went into error", v.ID)
		case v.Status != "available" || asked && refused == nil:
			return false, nil
		case refused != nil:
			return false, refused
		}
		err := post(ctx, compute, compute.ServiceURL("servers", a.Server, "os-volume_attachments"), map[string]any{"volumeAttachment": request})
		asked = true
		refused = openstack.Explain(err, "attaching volume %s to server %s again", v.ID, a.Server)
		if kind := karbor.KindOf(refused); refused != nil && kind != karbor.Conflict && kind != karbor.Invalid {
			return false, refused
		}
		return false, nil // another process may have asked for it: the next look tells
	})
}

// always is for volumes that all have their bytes.
func always(context.Context, string) (bool, error) { return true, nil }

// brought gives, behind all Undo hooks, whether a volume has got its bytes back: as long as it has
// not, it has its snapshot.
func brought(c clients, call *protection.Call, place *placeRecord) func(ctx context.Context, volume string) (bool, error) {
	return func(ctx context.Context, volume string) (bool, error) {
		if volume == call.Node.ID {
			return !place.Changing, nil
		}
		other := *call
		if other.Node = call.Graph.Node(volumeKey(volume)); other.Node == nil {
			return false, nil
		}
		left, err := findSnapshots(ctx, c.volume, &other)
		return len(left) == 0, err
	}
}
