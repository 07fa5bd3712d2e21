package fabric

import (
	"context"
	"os"
)

// Image is what other services see of an image.
type Image struct {
	ID, Name, Project, Status string // Status is Glance's: active, queued, …
	Size                      int64  // bytes
	MinDisk                   int    // GiB
	MinRAM                    int    // MiB
	DiskFormat, Container     string
	Properties                map[string]string // extra properties, such as block_device_mapping
}

// ImageSpec asks for a new image.
type ImageSpec struct {
	Name, DiskFormat, ContainerFormat, Visibility string // empty: raw, bare, private
	MinDisk, MinRAM                               int
	Properties                                    map[string]string
}

// Images is the image service as the others use it. Errors are *Error with a
// message for the caller's user; an image that the identity must not see is a
// 404.
type Images interface {
	Image(who Identity, id string) (Image, error)
	// OpenImage opens the bytes of an active image. The caller closes it.
	OpenImage(who Identity, id string) (*os.File, error)
	// CreateImage makes an image in the state queued.
	CreateImage(who Identity, spec ImageSpec) (Image, error)
	// FillImage copies the blob into a queued image, which becomes saving and
	// then active. It takes as long as the copying does. On an error the
	// image is killed.
	FillImage(ctx context.Context, id string, from Blob) error
	// ActivateImage makes a queued image active without any bytes, as Nova
	// does for the image of a server that boots from a volume.
	ActivateImage(id string) error
	// DropImage removes an image that could not be filled.
	DropImage(id string)
}

// Volume is what other services see of a volume.
type Volume struct {
	ID, Name, Project, Status string // Status is Cinder's: available, in-use, …
	SizeGiB                   int
	Bootable                  bool
	Multiattach               bool
	ImageMetadata             map[string]string
	AttachedTo                []string // ids of servers
}

// VolumeSpec asks for a new volume: empty, or from the one source that is set.
type VolumeSpec struct {
	Name                        string
	SizeGiB                     int // 0: as large as the source
	ImageID, SnapshotID, Volume string
	Type, Zone                  string
}

// Volumes is the volume service as the others use it. Errors are *Error with a
// message for the caller's user; what the identity must not see is a 404.
type Volumes interface {
	Volume(who Identity, id string) (Volume, error)
	// CreateVolume makes a volume; it is available some time after.
	CreateVolume(who Identity, spec VolumeSpec) (Volume, error)
	// SnapshotSource gives the volume that a snapshot is of, and its size.
	SnapshotSource(who Identity, snapshotID string) (volumeID string, sizeGiB int, err error)
	// CreateSnapshot makes a snapshot of a volume, also of one in use.
	CreateSnapshot(who Identity, volumeID, name string) (snapshotID string, err error)
	// ReserveVolume makes an available volume reserved (one of multiattach may
	// be in use), and gives the id of a new attachment.
	ReserveVolume(who Identity, volumeID, serverID string) (attachmentID string, err error)
	// AttachVolume completes a reserved attachment: the volume is in-use.
	AttachVolume(attachmentID, host, device string) error
	// DetachVolume removes an attachment in any state. When it was the last
	// one, the volume is available.
	DetachVolume(attachmentID string) error
	// DeleteVolume starts to delete an available volume.
	DeleteVolume(who Identity, id string) error
	// VolumeBlob names the file of the volume's bytes.
	VolumeBlob(id string) Blob
}

// Keys is the key manager as the other services use it, in the name of a user.
type Keys interface {
	// CreateKey makes a new symmetric key and gives its secret's id.
	CreateKey(who Identity, algorithm string, bits int) (id string)
	// CloneKey keeps the same key in a second secret. The error is an *Error.
	CloneKey(who Identity, id string) (clone string, err error)
	// DropKey removes a secret; one that is gone is no error.
	DropKey(id string)
}

// Projects are the ids that seeded content belongs to.
type Projects struct {
	Admin, Demo, Other, Service string
}

// Seeder is a service with content for a new cloud. Seed is called once, when
// all services are there but before the first request.
type Seeder interface {
	Seed(ctx context.Context, p Projects) error
}
