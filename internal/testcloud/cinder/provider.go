package cinder

import (
	"github.com/karbor/karbor/internal/testcloud/fabric"
)

var _ fabric.Volumes = (*Cinder)(nil)

// Volume gives a volume that the identity may see.
func (c *Cinder) Volume(who fabric.Identity, id string) (fabric.Volume, error) {
	v, err := c.volume(who, id)
	if err != nil {
		return fabric.Volume{}, err
	}
	return c.public(v), nil
}

func (c *Cinder) public(v volume) fabric.Volume {
	shown := fabric.Volume{ID: v.ID, Name: v.Name, Project: v.Project, Status: v.Status, SizeGiB: v.SizeGiB,
		Bootable: v.Bootable, Multiattach: v.Multiattach, ImageMetadata: v.ImageMetadata}
	for _, a := range c.attachments.List(func(a attachment) bool { return a.VolumeID == v.ID && a.Status == "attached" }) {
		shown.AttachedTo = append(shown.AttachedTo, a.ServerID)
	}
	return shown
}

// CreateVolume makes a volume for the identity's project.
func (c *Cinder) CreateVolume(who fabric.Identity, spec fabric.VolumeSpec) (fabric.Volume, error) {
	v, err := c.insert(who, volume{Name: spec.Name, SizeGiB: spec.SizeGiB, ImageID: spec.ImageID,
		SnapshotID: spec.SnapshotID, SourceVolume: spec.Volume, Type: spec.Type})
	if err != nil {
		return fabric.Volume{}, err
	}
	return c.public(v), nil
}

// SnapshotSource gives the volume that a snapshot is of, and its size.
func (c *Cinder) SnapshotSource(who fabric.Identity, id string) (string, int, error) {
	s, err := c.snapshot(who, id)
	return s.VolumeID, s.SizeGiB, err
}

// CreateSnapshot makes a snapshot of a volume, also of one in use.
func (c *Cinder) CreateSnapshot(who fabric.Identity, volumeID, name string) (string, error) {
	s, err := c.insertSnapshot(who, snapshot{VolumeID: volumeID, Name: name}, true)
	return s.ID, err
}

// VolumeBlob names the file of a volume's bytes.
func (c *Cinder) VolumeBlob(id string) fabric.Blob { return volume{ID: id}.blob() }
