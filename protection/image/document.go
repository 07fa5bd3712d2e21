package image

import (
	"maps"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/protection"
)

const (
	// documentKey is the key of the document about the image.
	documentKey = "metadata"
	// dataName is the name of the image's bytes.
	dataName = "data"
)

// document is what is kept of an image beside its bytes. It lies in the bank:
// members are only ever added.
type document struct {
	Name            string            `json:"name"`
	DiskFormat      string            `json:"disk_format"`
	ContainerFormat string            `json:"container_format"`
	MinDisk         int               `json:"min_disk"` // GiB
	MinRAM          int               `json:"min_ram"`  // MiB
	Visibility      string            `json:"visibility"`
	Protected       bool              `json:"protected"`
	Hidden          bool              `json:"os_hidden"`
	Properties      map[string]string `json:"properties"`
	Tags            []string          `json:"tags"`
	Size            int64             `json:"size"`     // bytes
	Checksum        string            `json:"checksum"` // MD5
	HashAlgo        string            `json:"os_hash_algo"`
	HashValue       string            `json:"os_hash_value"`
	// ServerSnapshot says that the bytes are a server's disk, and the id in the
	// node's key is only that of the image that the server was made from.
	ServerSnapshot bool   `json:"server_snapshot"`
	BackupName     string `json:"backup_name"`
	// Encrypted says that the bytes are ciphertext. Their key is in a document of its own.
	Encrypted bool `json:"encrypted,omitempty"`
	// KeyPolicy says what becomes of the secret with the key when the image goes.
	KeyPolicy string `json:"key_deletion_policy,omitempty"`
}

// computed are the properties that services write on their own. They say
// where an image came from, and would be wrong on another.
var computed = []string{
	"os_hash_algo", "os_hash_value", "os_hidden", "direct_url", "locations", "stores", "self", "file", "schema",
	"owner_specified.openstack.md5", "owner_specified.openstack.sha256", "owner_specified.openstack.object",
	"base_image_ref", "image_type", "image_location", "image_state", "instance_uuid", "user_id",
	"owner_id", "owner_user_name", "owner_project_name", "boot_roles", "clean_attempts",
	"block_device_mapping", "bdm_v2", "root_device_name", "os_glance_failed_import", "os_glance_importing_to_stores",
	"os_glance_stage_host", "os_glance_import_task", "created_at", "updated_at", "id", "status", "size", "virtual_size",
	keymanager.Property, keymanager.PolicyProperty,
	"checksum", "owner", "visibility", "protected", "tags", "name", "min_disk", "min_ram", "disk_format", "container_format",
}

// describe gives the document of an image.
func describe(i *images.Image) document {
	d := document{
		Name: i.Name, DiskFormat: i.DiskFormat, ContainerFormat: i.ContainerFormat,
		MinDisk: i.MinDiskGigabytes, MinRAM: i.MinRAMMegabytes,
		Visibility: string(i.Visibility), Protected: i.Protected, Hidden: i.Hidden,
		Tags: slices.Sorted(slices.Values(i.Tags)), Size: i.SizeBytes, Checksum: i.Checksum,
	}
	texts := map[string]string{}
	for k, v := range i.Properties {
		if text, ok := v.(string); ok {
			texts[k] = text
		}
	}
	d.HashAlgo, d.HashValue = texts["os_hash_algo"], texts["os_hash_value"]
	d.Encrypted, d.KeyPolicy = texts[keymanager.Property] != "", texts[keymanager.PolicyProperty]
	d.Properties = protection.Untagged(texts)
	maps.DeleteFunc(d.Properties, func(k, _ string) bool {
		return slices.Contains(computed, k) || strings.HasPrefix(k, "stores_")
	})
	return d
}

// withIdentity gives d, which describes the bytes, the identity of the image
// that a server was made from: what a tenant has set there.
func (d document) withIdentity(base document) document {
	d.Name, d.Visibility, d.Protected, d.Hidden = base.Name, base.Visibility, base.Protected, base.Hidden
	d.Properties, d.Tags = base.Properties, base.Tags
	return d
}
