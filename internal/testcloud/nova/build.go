package nova

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// look is the time between two looks at a volume in the making.
const look = 20 * time.Millisecond

// buildLimit is how long a server waits for its new volumes.
const buildLimit = 10 * time.Minute

// errGone says that the server went away, or is about to, while something
// else was done with it.
var errGone = errors.New("the server is being deleted")

// launch begins to build a server that is kept already.
func (n *Nova) launch(s Server) {
	n.fab.Transit("nova", "server.create", s.ProjectID, func(ctx context.Context, fail bool) {
		lock := n.lock(s.ID)
		defer lock.Unlock()
		err := n.build(ctx, s.ID)
		if fail && err == nil {
			err = errors.New("the test cloud was asked to fail")
		}
		if ctx.Err() != nil || errors.Is(err, errGone) {
			return
		}
		if err != nil {
			n.fail(s.ID, err)
			return
		}
		now := n.fab.Clock.Now()
		if s, ok := n.change(s.ID, func(s *Server) {
			if s.Task != deleting {
				s.State, s.Task, s.LaunchedAt = active, "", now
				s.Boots++
			}
		}); ok {
			n.boot(s)
		}
	})
}

// fail puts a server into the state error.
func (n *Nova) fail(id string, err error) {
	message := err.Error()
	if e, ok := errors.AsType[*fabric.Error](err); ok {
		message = e.Message
	}
	n.change(id, func(s *Server) {
		if s.Task == deleting {
			return
		}
		s.State, s.Task = failed, ""
		s.Fault = &Fault{Message: fmt.Sprintf("Build of instance %s aborted: %s", id, message), At: n.fab.Clock.Now()}
	})
}

// step sets the task of a server in the making; it fails when the server is
// to go.
func (n *Nova) step(ctx context.Context, id, task string) (Server, error) {
	if ctx.Err() != nil {
		return Server{}, ctx.Err()
	}
	s, ok := n.change(id, func(s *Server) {
		if s.Task != deleting {
			s.Task = task
		}
	})
	if !ok || s.Task == deleting {
		return s, errGone
	}
	return s, nil
}

// build gives a server its ports, disks and root disk. What is there already,
// because the cloud ended in the middle, is kept.
func (n *Nova) build(ctx context.Context, id string) error {
	s, err := n.step(ctx, id, "networking")
	if err != nil {
		return err
	}
	for _, want := range s.Wants[len(s.Ports):] {
		port, made, err := n.networks.Connect(s.owner(), id, s.place().zone, s.GroupIDs, want)
		if err != nil {
			return fmt.Errorf("connecting it: %w", err)
		}
		n.change(id, func(s *Server) { s.Ports = append(s.Ports, ServerPort{port.ID, made, want.Tag}) })
	}
	if s, err = n.step(ctx, id, "block_device_mapping"); err != nil {
		return err
	}
	for i := range s.Devices {
		if err := n.buildDevice(ctx, id, i); err != nil {
			return err
		}
	}
	if s, err = n.step(ctx, id, "spawning"); err != nil {
		return err
	}
	if s.ImageID == "" {
		return nil
	}
	if _, err := n.images.Image(s.owner(), s.ImageID); err != nil {
		return fmt.Errorf("fetching the image: %w", err)
	}
	from := fabric.Blob{Kind: fabric.ImageBlob, ID: s.ImageID}
	if err := n.fab.Blobs.Copy(ctx, from, n.blob(id), 0); err != nil {
		return fmt.Errorf("copying the image: %w", err)
	}
	return nil
}

// buildDevice makes the volume of a device, if need be, and attaches it.
func (n *Nova) buildDevice(ctx context.Context, id string, at int) error {
	s, ok := n.servers.Get(id)
	if !ok {
		return errGone
	}
	d := s.Devices[at]
	if d.Attached {
		return nil
	}
	if d.VolumeID == "" {
		spec := fabric.VolumeSpec{SizeGiB: d.SizeGiB, Type: d.VolumeType}
		switch d.Source {
		case "image":
			spec.ImageID = d.SourceID
		case "snapshot":
			spec.SnapshotID = d.SourceID
		default:
			spec.Name = id + "-blank-vol"
		}
		volume, err := n.volumes.CreateVolume(s.owner(), spec)
		if err != nil {
			return fmt.Errorf("making a volume: %w", err)
		}
		d.VolumeID = volume.ID
		n.change(id, func(s *Server) { s.Devices[at].VolumeID = volume.ID })
	}
	if d.AttachmentID == "" {
		if err := n.awaitVolume(ctx, s, d.VolumeID); err != nil {
			return err
		}
		attachment, err := n.volumes.ReserveVolume(s.owner(), d.VolumeID, id)
		if err != nil {
			return fmt.Errorf("reserving volume %s: %w", d.VolumeID, err)
		}
		d.AttachmentID = attachment
		n.change(id, func(s *Server) { s.Devices[at].AttachmentID = attachment })
	}
	if err := n.volumes.AttachVolume(d.AttachmentID, s.place().host, d.Name); err != nil {
		return fmt.Errorf("attaching volume %s: %w", d.VolumeID, err)
	}
	n.change(id, func(s *Server) { s.Devices[at].Attached = true })
	return nil
}

// awaitVolume waits until a new volume is available.
func (n *Nova) awaitVolume(ctx context.Context, s Server, volume string) error {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		v, err := n.volumes.Volume(s.owner(), volume)
		if err != nil {
			return fmt.Errorf("waiting for volume %s: %w", volume, err)
		}
		switch v.Status {
		case "available":
			return nil
		case "creating", "downloading":
		default:
			return fmt.Errorf("volume %s did not finish being created: its status is %s", volume, v.Status)
		}
		if now, ok := n.servers.Get(s.ID); !ok || now.Task == deleting {
			return errGone
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (n *Nova) delete(r *fabric.Request) error {
	s, err := n.own(r, "servers:delete")
	if err != nil {
		return err
	}
	already := s.Task == deleting
	if _, ok := n.change(s.ID, func(s *Server) { s.Task = deleting }); !ok {
		return fabric.NotFound("Instance %s could not be found.", s.ID)
	}
	if !already {
		n.note(r, s.ID, "delete")
		n.remove(s)
	}
	return r.Empty(http.StatusNoContent)
}

// remove takes a server away, with what was made for it.
func (n *Nova) remove(s Server) {
	n.fab.Transit("nova", "server.delete", s.ProjectID, func(ctx context.Context, fail bool) {
		lock := n.lock(s.ID)
		defer lock.Unlock()
		if fail {
			n.change(s.ID, func(s *Server) {
				s.State, s.Task = failed, ""
				s.Fault = &Fault{Message: "The test cloud was asked to fail.", At: n.fab.Clock.Now()}
			})
			return
		}
		if now, ok := n.servers.Get(s.ID); ok && ctx.Err() == nil {
			n.dismantle(now)
		}
	})
}

// dismantle gives volumes and ports back. What can't be given back is told to
// the log: the server goes all the same, as with Nova.
func (n *Nova) dismantle(s Server) {
	for _, d := range s.Devices {
		if d.AttachmentID != "" {
			n.complain(s.ID, n.volumes.DetachVolume(d.AttachmentID))
		}
		if d.DeleteOnEnd && d.VolumeID != "" {
			n.complain(s.ID, n.volumes.DeleteVolume(s.owner(), d.VolumeID))
		}
	}
	for _, p := range n.networks.PortsOf(s.ID) {
		made := true
		for _, own := range s.Ports {
			if own.ID == p.ID {
				made = own.Made
			}
		}
		n.complain(s.ID, n.networks.Disconnect(p.ID, made))
	}
	n.complain(s.ID, n.fab.Blobs.Remove(n.blob(s.ID)))
	n.forget(s.ID)
	n.servers.Delete(s.ID)
}

func (n *Nova) complain(id string, err error) {
	if err != nil {
		n.fab.Log.Warn("removing a server", "server", id, "error", err)
	}
}

// resume goes on with what was under way when the cloud ended. A change of
// power is done again; an image in the making is lost, as with Nova.
func (n *Nova) resume() {
	for _, s := range n.servers.List(nil) {
		n.resumeDevices(s)
		switch {
		case s.Task == deleting:
			n.remove(s)
		case s.State == building:
			n.launch(s)
		case s.Pending != "":
			n.resumeImage(s)
		case s.Task != "":
			n.resumePower(s)
		case s.Written < s.Boots:
			n.boot(s)
		}
	}
}
