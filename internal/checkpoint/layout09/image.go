package layout09

import "context"

// imageDocument is what the image plug-in reads (karbor-image-protection-plugin).
type imageDocument struct {
	Name            string `json:"name"`
	DiskFormat      string `json:"disk_format"`
	ContainerFormat string `json:"container_format"`
	Size            int64  `json:"size"`     // bytes
	Checksum        string `json:"checksum"` // MD5
	ServerSnapshot  bool   `json:"server_snapshot"`
}

// image translates an image, or the disk of a server, which was kept as one.
func (t *Contents) image(ctx context.Context, n *Node) (any, error) {
	size, err := n.bytes(ctx)
	if err != nil {
		return nil, err
	}
	var m struct {
		ServerID string        `json:"server_id"`
		Image    imageMetadata `json:"image_metadata"`
	}
	if err := n.decode(&m); err != nil {
		return nil, err
	}
	return imageDocument{
		Name: n.Node.Name, DiskFormat: m.Image.DiskFormat, ContainerFormat: m.Image.ContainerFormat,
		Size: size, Checksum: m.Image.checksum(), ServerSnapshot: m.ServerID != "",
	}, nil
}
