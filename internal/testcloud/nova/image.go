package nova

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// ownFacts are properties of an image that are of no use to an image of the
// server.
var ownFacts = []string{"image_id", "image_name", "checksum", "container_format", "disk_format", "min_disk", "min_ram", "size",
	"block_device_mapping", "bdm_v2", "root_device_name"}

func (n *Nova) createImage(r *fabric.Request, s Server, value json.RawMessage) error {
	var want struct {
		Name     string            `json:"name"`
		Metadata map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(value, &want); err != nil || want.Name == "" {
		return fabric.BadRequest("Invalid input for field/attribute createImage. 'name' is a required property")
	}
	s, err := n.begin(r, s.ID, "createImage", "image_snapshot_pending", active, stopped, paused, suspended)
	if err != nil {
		return err
	}
	var id string
	if s.rootDevice() != nil {
		id, err = n.imageOfVolumes(r, s, want.Name, want.Metadata)
		n.change(s.ID, func(s *Server) { s.Task = "" })
	} else {
		id, err = n.imageOfDisk(r, s, want.Name, want.Metadata)
	}
	if err != nil {
		n.change(s.ID, func(s *Server) { s.Task = "" })
		return err
	}
	r.W.Header().Set("Location", r.Base()+"/image/v2/images/"+id)
	if r.Version.AtLeast(2, 45) {
		r.W.Header().Del("Location")
		return r.JSON(http.StatusAccepted, object{"image_id": id})
	}
	return r.Empty(http.StatusAccepted)
}

// properties are those of an image of the server.
func properties(r *fabric.Request, s Server, base, extra map[string]string) map[string]string {
	all := maps.Clone(base)
	if all == nil {
		all = map[string]string{}
	}
	for _, name := range ownFacts {
		delete(all, name)
	}
	maps.Copy(all, map[string]string{
		"base_image_ref": s.ImageID, "owner_user_name": r.UserName, "owner_project_name": r.ProjectName,
		"boot_roles": strings.Join(r.Roles, ","),
	})
	if s.ImageID != "" {
		all["instance_uuid"], all["user_id"], all["image_type"] = s.ID, r.UserID, "snapshot"
	}
	maps.Copy(all, extra)
	return all
}

// imageOfDisk begins to upload the root disk.
func (n *Nova) imageOfDisk(r *fabric.Request, s Server, name string, extra map[string]string) (string, error) {
	image, err := n.images.CreateImage(r.Identity, fabric.ImageSpec{
		Name: name, DiskFormat: s.Image.DiskFormat, ContainerFormat: s.Image.Container, Visibility: "private",
		MinDisk: s.Image.MinDisk, MinRAM: s.Image.MinRAM, Properties: properties(r, s, s.Image.Properties, extra),
	})
	if err != nil {
		return "", err
	}
	s, _ = n.change(s.ID, func(s *Server) { s.Pending = image.ID })
	n.fab.Transit("nova", "server.image", s.ProjectID, func(ctx context.Context, fail bool) { n.upload(ctx, s, fail) })
	return image.ID, nil
}

func (n *Nova) upload(ctx context.Context, s Server, fail bool) {
	var err error
	if fail {
		n.images.DropImage(s.Pending)
	} else {
		n.change(s.ID, func(s *Server) {
			if s.Task != deleting {
				s.Task = "image_uploading"
			}
		})
		err = n.images.FillImage(ctx, s.Pending, n.blob(s.ID))
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		n.fab.Log.Warn("uploading the image of a server", "server", s.ID, "error", err)
		n.images.DropImage(s.Pending)
	}
	n.change(s.ID, func(s *Server) {
		s.Pending = ""
		if s.Task != deleting {
			s.Task = ""
		}
	})
}

// resumeImage drops the image that was in the making.
func (n *Nova) resumeImage(s Server) {
	n.images.DropImage(s.Pending)
	n.change(s.ID, func(s *Server) { s.Pending, s.Task = "", "" })
}

// imageOfVolumes makes snapshots of all volumes and an empty image that names
// them.
func (n *Nova) imageOfVolumes(r *fabric.Request, s Server, name string, extra map[string]string) (string, error) {
	var disks []object
	for _, d := range s.Devices {
		snapshot, err := n.volumes.CreateSnapshot(r.Identity, d.VolumeID, "snapshot for "+name)
		if err != nil {
			return "", err
		}
		index := any(nil)
		if d.Boot {
			index = 0
		}
		disks = append(disks, object{
			"source_type": "snapshot", "destination_type": "volume", "snapshot_id": snapshot, "volume_id": nil,
			"image_id": nil, "boot_index": index, "delete_on_termination": d.DeleteOnEnd, "device_name": d.Name,
			"volume_size": d.SizeGiB, "volume_type": nil, "device_type": nil, "disk_bus": nil, "guest_format": nil,
			"no_device": nil, "tag": nil, "encrypted": nil,
		})
	}
	mappings, err := json.Marshal(disks)
	if err != nil {
		return "", fmt.Errorf("writing the block device mapping: %w", err)
	}
	root, err := n.volumes.Volume(s.owner(), s.rootDevice().VolumeID)
	if err != nil {
		return "", err
	}
	all := properties(r, s, root.ImageMetadata, extra)
	all["root_device_name"], all["bdm_v2"], all["block_device_mapping"] = "/dev/vda", "True", string(mappings)
	image, err := n.images.CreateImage(r.Identity, fabric.ImageSpec{
		Name: name, DiskFormat: "qcow2", ContainerFormat: "bare", Visibility: "private", Properties: all,
	})
	if err != nil {
		return "", err
	}
	return image.ID, n.images.ActivateImage(image.ID)
}
