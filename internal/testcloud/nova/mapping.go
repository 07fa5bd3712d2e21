package nova

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// mapping is a block device mapping as the API takes it, and as an image of a
// server that boots from a volume keeps it in its properties.
type mapping struct {
	BootIndex   any    `json:"boot_index"`
	UUID        string `json:"uuid"`
	SourceType  string `json:"source_type"`
	Destination string `json:"destination_type"`
	VolumeSize  any    `json:"volume_size"`
	DeleteOnEnd any    `json:"delete_on_termination"`
	DeviceName  string `json:"device_name"`
	Tag         string `json:"tag"`
	VolumeType  string `json:"volume_type"`
	SnapshotID  string `json:"snapshot_id"` // only in an image's property
}

// bootsFirst tells whether the mapping is the disk to boot from.
func (m mapping) bootsFirst() bool { return m.BootIndex != nil && fmt.Sprint(m.BootIndex) == "0" }

// flag reads a boolean that may be text.
func flag(v any) bool {
	on, err := strconv.ParseBool(fmt.Sprint(v))
	return err == nil && on
}

// planDisks works out what the server boots from, and its volumes.
func (n *Nova) planDisks(r *fabric.Request, want *createRequest, s *Server) error {
	mappings := want.Mappings
	if want.ImageRef != "" {
		image, err := n.images.Image(r.Identity, want.ImageRef)
		if err != nil || image.Status != "active" {
			return fabric.BadRequest("Can not find requested image")
		}
		own, err := mappingsOf(image)
		if err != nil {
			return err
		}
		// The request's own mapping of the root disk wins.
		if !slices.ContainsFunc(mappings, mapping.bootsFirst) {
			mappings = append(own, mappings...)
		}
		if !slices.ContainsFunc(mappings, func(m mapping) bool { return m.bootsFirst() && m.Destination != "local" }) {
			if err := s.bootFrom(image); err != nil {
				return err
			}
		}
	}
	for _, m := range mappings {
		if m.Destination == "local" || m.Destination == "" && m.SourceType == "image" {
			if m.bootsFirst() && s.ImageID == "" {
				return fabric.BadRequest("Block Device Mapping is Invalid: Mapping image to local is not supported.")
			}
			continue
		}
		d, err := n.planDevice(r, m)
		if err != nil {
			return err
		}
		if d.Boot && s.rootDevice() != nil {
			return fabric.BadRequest("Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.")
		}
		s.Devices = append(s.Devices, d)
	}
	root := s.rootDevice()
	if root == nil && s.ImageID == "" {
		if len(mappings) > 0 {
			return fabric.BadRequest("Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.")
		}
		return fabric.BadRequest("Missing imageRef attribute")
	}
	n.nameDevices(s)
	return nil
}

// bootFrom makes the image the root disk.
func (s *Server) bootFrom(image fabric.Image) error {
	if image.MinDisk > s.Flavor.Disk && s.Flavor.Disk > 0 {
		return fabric.BadRequest("Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is %d bytes, minimum size is %d bytes.",
			int64(s.Flavor.Disk)<<30, int64(image.MinDisk)<<30)
	}
	if image.MinRAM > s.Flavor.RAM {
		return fabric.BadRequest("Flavor's memory is too small for requested image.")
	}
	if image.Size > int64(s.Flavor.Disk)<<30 && s.Flavor.Disk > 0 {
		return fabric.BadRequest("Flavor's disk is too small for requested image. Flavor disk is %d bytes, image is %d bytes.",
			int64(s.Flavor.Disk)<<30, image.Size)
	}
	s.ImageID, s.RootSize = image.ID, image.Size
	s.Image = ImageFacts{image.DiskFormat, image.Container, image.MinDisk, image.MinRAM, maps.Clone(image.Properties)}
	return nil
}

// mappingsOf reads the disks that the image of a volume-booted server names.
func mappingsOf(image fabric.Image) ([]mapping, error) {
	text := image.Properties["block_device_mapping"]
	if text == "" {
		return nil, nil
	}
	var list []mapping
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fabric.BadRequest("Block Device Mapping is Invalid: the image's property can not be read.")
	}
	for i := range list {
		if list[i].SnapshotID != "" {
			list[i].UUID = list[i].SnapshotID
		}
		// The names are Nova's to give anew.
		list[i].DeviceName = ""
	}
	return list, nil
}

// planDevice checks one mapping onto a volume.
func (n *Nova) planDevice(r *fabric.Request, m mapping) (Device, error) {
	d := Device{
		ID: fabric.NewID(), Boot: m.bootsFirst(), DeleteOnEnd: flag(m.DeleteOnEnd), Tag: m.Tag, Name: m.DeviceName,
		Source: m.SourceType, SourceID: m.UUID, SizeGiB: number(m.VolumeSize), VolumeType: m.VolumeType,
	}
	switch m.SourceType {
	case "volume":
		volume, err := n.volumes.Volume(r.Identity, m.UUID)
		if err != nil {
			return d, fabric.BadRequest("Block Device Mapping is Invalid: failed to get volume %s.", m.UUID)
		}
		if d.Boot && !volume.Bootable {
			return d, fabric.BadRequest("Block Device %s is not bootable.", m.UUID)
		}
		d.VolumeID, d.SizeGiB = volume.ID, volume.SizeGiB
	case "image":
		image, err := n.images.Image(r.Identity, m.UUID)
		if err != nil {
			return d, fabric.BadRequest("Block Device Mapping is Invalid: failed to get image %s.", m.UUID)
		}
		if d.SizeGiB == 0 {
			return d, fabric.BadRequest("Block Device Mapping is Invalid: Images with destination_type 'volume' need to have a non-zero size specified")
		}
		if least := n.fab.VolumeBytes(d.SizeGiB); image.Size > least || image.MinDisk > d.SizeGiB {
			return d, fabric.BadRequest("Volume is smaller than the minimum size specified in image metadata. Volume size is %d bytes, minimum size is %d bytes.",
				least, max(image.Size, n.fab.VolumeBytes(image.MinDisk)))
		}
	case "snapshot":
		_, size, err := n.volumes.SnapshotSource(r.Identity, m.UUID)
		if err != nil {
			return d, fabric.BadRequest("Block Device Mapping is Invalid: failed to get snapshot %s.", m.UUID)
		}
		d.SizeGiB = max(d.SizeGiB, size)
	case "blank":
		if d.SizeGiB == 0 {
			return d, fabric.BadRequest("Block Device Mapping is Invalid: Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size")
		}
	default:
		return d, fabric.BadRequest("Invalid input for field/attribute source_type. Value: %s.", m.SourceType)
	}
	return d, nil
}

// nameDevices gives the disks their names, the root first.
func (n *Nova) nameDevices(s *Server) {
	slices.SortStableFunc(s.Devices, func(a, b Device) int {
		switch {
		case a.Boot == b.Boot:
			return 0
		case a.Boot:
			return -1
		default:
			return 1
		}
	})
	for i := range s.Devices {
		if s.Devices[i].Boot {
			s.Devices[i].Name = "/dev/vda"
		} else if s.Devices[i].Name == "" {
			s.Devices[i].Name = s.nextDevice()
		}
	}
}
