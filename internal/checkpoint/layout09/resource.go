package layout09

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
)

// Resource is what a bank holds of one resource of a checkpoint.
type Resource struct {
	Node *karbor.Node
	// Status is the word that the resource's plug-in left: "available", say; "" if
	// there is none.
	Status string
	// Metadata is the plug-in's document as it is; nil if there is none.
	Metadata json.RawMessage

	id     string // the checkpoint's
	prefix string // of its objects, with closing slash
}

// Resource gives what the bank holds of a node of a checkpoint.
func (c *Checkpoints) Resource(ctx context.Context, cp Checkpoint, node *karbor.Node) (*Resource, error) {
	// The network plug-in kept the whole topology under the project's id.
	ids := []string{node.ID}
	if node.Type == karbor.NetworkType && node.ID != cp.ProjectID {
		ids = append(ids, cp.ProjectID)
	}
	var r *Resource
	for _, id := range ids {
		r = &Resource{Node: node, id: cp.ID, prefix: root + cp.ID + "/resource-data/" + id + "/"}
		status, err := c.optional(ctx, r.prefix+"status")
		if err != nil {
			return nil, err
		}
		r.Status = word(status)
		if r.Metadata, err = c.optional(ctx, r.prefix+"metadata"); err != nil {
			return nil, err
		}
		if r.Metadata != nil {
			break
		}
	}
	if r.Metadata != nil && !json.Valid(r.Metadata) {
		return nil, r.damaged(errors.New("it is no JSON"))
	}
	return r, nil
}

// optional reads a small object; one that is not there is nil.
func (c *Checkpoints) optional(ctx context.Context, key string) ([]byte, error) {
	text, err := c.read(ctx, key)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, nil
	}
	return text, err
}

// word reads a status: a plain word, or one in JSON.
func word(text []byte) string {
	var quoted string
	if json.Unmarshal(text, &quoted) == nil {
		return quoted
	}
	return strings.TrimSpace(string(text))
}

func (r *Resource) damaged(err error) error { return &DamageError{r.id, r.prefix + "metadata", err} }

// decode reads the metadata into v.
func (r *Resource) decode(v any) error {
	if r.Metadata == nil {
		return r.damaged(errors.New("it is missing"))
	}
	if err := json.Unmarshal(r.Metadata, v); err != nil {
		return r.damaged(err)
	}
	return nil
}

// bulk are the members of metadata that tell of bulk data.
type bulk struct {
	ChunksNum     *int          `json:"chunks_num"`
	ImageMetadata imageMetadata `json:"image_metadata"`
	// BackupID and SnapshotID name what a plug-in left in the cloud instead.
	BackupID   string `json:"backup_id"`
	SnapshotID string `json:"snapshot_id"`
}

// imageMetadata is what Glance said of an image.
type imageMetadata struct {
	DiskFormat      string  `json:"disk_format"`
	ContainerFormat string  `json:"container_format"`
	Checksum        *string `json:"checksum"` // MD5
}

func (m imageMetadata) checksum() string {
	if m.Checksum == nil {
		return ""
	}
	return *m.Checksum
}

// stream gives the resource's bulk data, or nil if it has none in the bank.
func (c *Checkpoints) stream(r *Resource) (*stream, error) {
	if r.Metadata == nil {
		return nil, nil
	}
	var b bulk
	if err := r.decode(&b); err != nil {
		return nil, err
	}
	if b.ChunksNum == nil {
		return nil, nil
	}
	if *b.ChunksNum < 0 || *b.ChunksNum > maxParts {
		return nil, r.damaged(fmt.Errorf("it says that there are %d pieces of data", *b.ChunksNum))
	}
	return &stream{source: c.source, id: r.id, prefix: r.prefix, parts: *b.ChunksNum, md5: b.ImageMetadata.checksum()}, nil
}
