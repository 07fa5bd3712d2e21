package layout09

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/karbor/karbor"
)

// volumeDocument is what the volume plug-in reads (karbor-volume-glance-plugin).
type volumeDocument struct {
	Name             string      `json:"name"`
	Size             int64       `json:"size"` // GiB
	AvailabilityZone string      `json:"availability_zone"`
	Bootable         bool        `json:"bootable"`
	Image            imageRecord `json:"image"`
}

// imageRecord is what Glance said of the image whose bytes are kept.
type imageRecord struct {
	Size       int64  `json:"size"` // bytes
	DiskFormat string `json:"disk_format"`
	Checksum   string `json:"checksum"` // MD5
}

// number is a number that may be kept as a text.
type number int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(text []byte) error {
	var quoted string
	if string(text) != "null" && json.Unmarshal(text, &quoted) == nil {
		text = []byte(quoted)
	}
	v, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil && string(text) != "null" {
		return err
	}
	*n = number(v)
	return nil
}

// volume translates a volume that was kept through Glance.
func (t *Contents) volume(ctx context.Context, n *Node) (any, error) {
	size, err := n.bytes(ctx)
	if err != nil {
		return nil, err
	}
	var m struct {
		VolumeSize number        `json:"volume_size"`
		Image      imageMetadata `json:"image_metadata"`
	}
	if err := n.decode(&m); err != nil {
		return nil, err
	}
	if m.Image.DiskFormat != "" && m.Image.DiskFormat != "raw" {
		return nil, karbor.Errorf(karbor.NotImplemented, "the bytes of volume %s are an image in the format %q, and can't be written to a volume as they are",
			n.Node.ID, m.Image.DiskFormat)
	}
	return volumeDocument{
		Name: n.Node.Name, Size: int64(m.VolumeSize), AvailabilityZone: n.Node.ExtraInfo["availability_zone"],
		// Nothing but a server tells.
		Bootable: t.boot[n.Node.ID], Image: imageRecord{size, "raw", m.Image.checksum()},
	}, nil
}
