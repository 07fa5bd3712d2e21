package volumeglance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// attachment is how a volume hangs on the one server that has it.
type attachment struct {
	Server string `json:"server"`
	Device string `json:"device"`
	Tag    string `json:"tag,omitempty"`
	// GoesAlong says that the volume is deleted with the server.
	GoesAlong bool `json:"goes_along,omitempty"`
	// Running says that the server ran, and is to run again.
	Running bool `json:"running,omitempty"`
	// Others are the server's other volumes that the operation overwrites.
	Others []string `json:"others,omitempty"`
	// Slots are all of its volumes that the operation overwrites, in the order of the devices.
	Slots []slot `json:"slots,omitempty"`
}

// attached looks how a volume in use is attached, if it can be detached for a while: to
// one server, that does not boot from it, and runs or is stopped.
func attached(ctx context.Context, call *protection.Call, v *volumes.Volume) (*attachment, error) {
	if len(v.Attachments) != 1 {
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is attached to %d servers: detach it first", v.ID, len(v.Attachments))
	}
	id := v.Attachments[0].ServerID
	s, err := openstack.Server(ctx, call.Cloud, id)
	if err != nil {
		return nil, err
	}
	compute, err := openstack.Compute(ctx, call.Cloud)
	if err != nil {
		return nil, err
	}
	var shown struct {
		List []struct {
			VolumeID  string  `json:"volumeId"`
			Device    string  `json:"device"`
			Tag       *string `json:"tag"`
			GoesAlong bool    `json:"delete_on_termination"`
		} `json:"volumeAttachments"`
	}
	if _, err := compute.Get(ctx, compute.ServiceURL("servers", id, "os-volume_attachments"), &shown, nil); err != nil {
		return nil, openstack.Explain(err, "listing the volumes of server %s", id)
	}
	a := &attachment{Server: id, Running: s.Status == "ACTIVE"}
	for _, one := range shown.List {
		at := slot{Volume: one.VolumeID, Device: one.Device, GoesAlong: one.GoesAlong}
		if one.Tag != nil {
			at.Tag = *one.Tag
		}
		switch {
		case one.VolumeID == v.ID:
			a.Device, a.Tag, a.GoesAlong = at.Device, at.Tag, at.GoesAlong
		case call.Graph.Node(volumeKey(one.VolumeID)) == nil:
			continue
		default:
			a.Others = append(a.Others, one.VolumeID)
		}
		a.Slots = append(a.Slots, at)
	}
	slices.SortFunc(a.Slots, inOrder)
	// Nova tells the root device to administrators only; it is the first one.
	if len(s.Image) == 0 && strings.HasSuffix(strings.TrimRight(a.Device, "0123456789"), "da") {
		return nil, karbor.Errorf(karbor.Conflict, "server %s boots from volume %s, which no cloud detaches: restore the server to a new one", id, v.ID)
	}
	if s.Status != "ACTIVE" && s.Status != "SHUTOFF" {
		return nil, karbor.Errorf(karbor.Conflict, "volume %s is attached to server %s, which is %s: start or stop the server, or detach the volume", v.ID, id, s.Status)
	}
	if isLocked(s) {
		return nil, locked(id)
	}
	return a, nil
}

// isLocked reports whether Nova lets nobody but an administrator change a server, for as long as it is so.
func isLocked(s *servers.Server) bool { return s.Locked != nil && *s.Locked }

func locked(server string) error {
	return karbor.Errorf(karbor.Conflict, "server %s is locked, so that the cloud lets nobody stop or start it, or change its volumes: unlock it", server)
}

// power starts or stops the server, unless it is as wanted: ACTIVE or SHUTOFF.
func (r *room) power(ctx context.Context, call *protection.Call, a *attachment, want string) error {
	compute, err := openstack.Compute(ctx, call.Cloud)
	if err != nil {
		return err
	}
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	action := map[string]string{"ACTIVE": "os-start", "SHUTOFF": "os-stop"}[want]
	asked := false
	var refused error // at the last look
	return openstack.Poll(ctx, fmt.Sprintf("server %s to become %s", a.Server, want), r.options.PollInterval, func(ctx context.Context) (bool, error) {
		s, err := openstack.Server(ctx, call.Cloud, a.Server)
		if err != nil {
			return false, err
		}
		switch {
		case s.Status == want:
			return true, nil
		case s.Status == "ERROR":
			return false, karbor.Errorf(karbor.Conflict, "server %s went into error", a.Server)
		case refused != nil && isLocked(s):
			return false, locked(a.Server)
		case asked:
			return false, openstack.Still("in state %q", s.Status)
		}
		err = post(ctx, compute, compute.ServiceURL("servers", a.Server, "action"), map[string]any{action: nil})
		refused = openstack.Explain(err, "asking for %s of server %s", action, a.Server)
		switch {
		case refused == nil:
			asked = true
			return false, nil
		case karbor.KindOf(refused) == karbor.Conflict: // it is locked, or another has asked for it
			return false, openstack.Still("in state %q, as the cloud refuses: %s", s.Status, karbor.Sentence(refused))
		}
		return false, refused
	})
}

// detach takes the volume off its server, and waits until it is free.
func (r *room) detach(ctx context.Context, c clients, call *protection.Call, a *attachment) error {
	compute, err := openstack.Compute(ctx, call.Cloud)
	if err != nil {
		return err
	}
	asked := false
	return r.awaitOriginal(ctx, c.volume, call, "to be detached", func(v *volumes.Volume) (bool, error) {
		switch {
		case v.Status == "available" || v.Status == "error":
			return true, nil
		case v.Status == "in-use" && len(v.Attachments) > 0 && !on(v, a.Server):
			return false, karbor.Errorf(karbor.Conflict, "volume %s is attached to server %s by now, and was to server %s: detach it", v.ID, v.Attachments[0].ServerID, a.Server)
		case v.Status != "in-use" || asked:
			return false, nil
		}
		_, err := compute.Delete(ctx, compute.ServiceURL("servers", a.Server, "os-volume_attachments", v.ID),
			&gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted}})
		asked = err == nil
		if openstack.IsNotFound(err) {
			return false, nil
		}
		return false, openstack.Explain(err, "detaching volume %s from server %s", v.ID, a.Server)
	})
}

// awaitOriginal looks at the original until ready is content with it.
func (r *room) awaitOriginal(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, what string,
	ready func(*volumes.Volume) (bool, error),
) error {
	return r.watch(ctx, client, call.Node.ID, what, ready)
}

// watch looks at a volume until ready is content with it.
func (r *room) watch(ctx context.Context, client *gophercloud.ServiceClient, id, what string, ready func(*volumes.Volume) (bool, error)) error {
	ctx, cancel := openstack.Within(ctx, r.options.Timeout)
	defer cancel()
	return openstack.Poll(ctx, "volume "+id+" "+what, r.options.PollInterval, func(ctx context.Context) (bool, error) {
		v, err := volumes.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading volume %s", id)
		}
		done, err := ready(v)
		if !done && err == nil {
			err = openstack.Still("in state %q", v.Status)
		}
		return done, err
	})
}

// post sends a request whose answer does not matter.
func post(ctx context.Context, client *gophercloud.ServiceClient, address string, body any) error {
	response, err := client.Post(ctx, address, body, nil, &gophercloud.RequestOpts{OkCodes: []int{http.StatusOK, http.StatusAccepted, http.StatusNoContent}})
	if err != nil {
		return err
	}
	return errors.Join(response.Body.Close())
}
