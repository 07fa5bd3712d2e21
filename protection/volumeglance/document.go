package volumeglance

import (
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/protection"
)

const (
	// documentKey is the key of the document about the volume.
	documentKey = "metadata"
	// dataName is the name of the volume's bytes.
	dataName = "data"
)

// document is what is kept of a volume beside its bytes. It lies in the bank:
// members are only ever added.
type document struct {
	Name             string            `json:"name"`
	Description      string            `json:"description"`
	Size             int               `json:"size"` // GiB
	VolumeType       string            `json:"volume_type"`
	AvailabilityZone string            `json:"availability_zone"`
	Bootable         bool              `json:"bootable"`
	ReadOnly         bool              `json:"read_only"`
	Encrypted        bool              `json:"encrypted"`
	Multiattach      bool              `json:"multiattach,omitempty"`
	Metadata         map[string]string `json:"metadata"`
	ImageMetadata    map[string]string `json:"volume_image_metadata"`
	Image            imageRecord       `json:"image"`
	// BackupName and BackupDescription are the plan's parameters.
	BackupName        string `json:"backup_name"`
	BackupDescription string `json:"backup_description"`
}

// imageRecord is what Glance said of the temporary image whose bytes are kept.
type imageRecord struct {
	Size       int64  `json:"size"` // bytes
	DiskFormat string `json:"disk_format"`
	Checksum   string `json:"checksum"` // MD5
	HashAlgo   string `json:"os_hash_algo"`
	HashValue  string `json:"os_hash_value"`
}

// describe gives the document of a volume, without its image.
func describe(v *volumes.Volume, call *protection.Call) *document {
	d := &document{
		Name: v.Name, Description: v.Description, Size: v.Size, VolumeType: v.VolumeType,
		AvailabilityZone: v.AvailabilityZone, Bootable: v.Bootable == "true", Encrypted: v.Encrypted,
		Metadata: protection.Untagged(v.Metadata), ImageMetadata: protection.Untagged(v.VolumeImageMetadata),
		Multiattach: v.Multiattach, BackupName: call.Text("backup_name"), BackupDescription: call.Text("description"),
	}
	// Cinder shows two facts of its own among the tenant's metadata.
	d.ReadOnly = strings.EqualFold(d.Metadata["readonly"], "true")
	delete(d.Metadata, "readonly")
	delete(d.Metadata, "attached_mode")
	// What was made of the image of an encrypted volume says so; it is of the image.
	for _, own := range []string{keymanager.Property, keymanager.PolicyProperty} {
		delete(d.ImageMetadata, own)
	}
	return d
}
