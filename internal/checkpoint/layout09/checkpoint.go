package layout09

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

const (
	root = "checkpoints/"
	// version is what the index of a checkpoint of this layout says.
	version = "0.9"
	// maxDocument bounds what is read into memory.
	maxDocument = 16 << 20
)

// Checkpoints are those of one bank. All methods may be called concurrently.
type Checkpoints struct{ source Source }

// New gives the checkpoints of a bank.
func New(s Source) *Checkpoints { return &Checkpoints{s} }

// Checkpoint is one as its index tells.
type Checkpoint struct {
	karbor.Checkpoint
	// OwnerID is the process that made it.
	OwnerID string
	// GraphError says why the resource graph can't be read; then Graph is nil. All
	// else is known.
	GraphError error
}

// index is the document of a checkpoint.
type index struct {
	Version       string          `json:"version"`
	ID            string          `json:"id"`
	Status        string          `json:"status"`
	OwnerID       string          `json:"owner_id"`
	ProviderID    string          `json:"provider_id"`
	ProjectID     string          `json:"project_id"`
	Plan          *plan           `json:"protection_plan"`
	ResourceGraph json.RawMessage `json:"resource_graph"`
	ExtraInfo     json.RawMessage `json:"extra_info"`
	CreatedAt     string          `json:"created_at"`
	Timestamp     json.Number     `json:"timestamp"`
}

type plan struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	ProviderID string     `json:"provider_id"`
	Resources  []resource `json:"resources"`
}

type resource struct {
	Type  string          `json:"type"`
	ID    string          `json:"id"`
	Name  string          `json:"name"`
	Extra json.RawMessage `json:"extra_info"`
}

func indexKey(id string) string { return root + id + "/index.json" }

func notFound(id string) error {
	return karbor.Errorf(karbor.NotFound, "checkpoint %s could not be found", id)
}

// Get gives a checkpoint, karbor.NotFound if there is none. One that was deleted is
// still there, as deleted, until it is removed.
func (c *Checkpoints) Get(ctx context.Context, id string) (Checkpoint, error) {
	if !karbor.IsUUID(id) {
		return Checkpoint{}, notFound(id)
	}
	text, err := c.read(ctx, indexKey(id))
	if karbor.KindOf(err) == karbor.NotFound {
		return Checkpoint{}, notFound(id)
	}
	if err != nil {
		return Checkpoint{}, err
	}
	cp, err := parseIndex(text, id)
	if err != nil {
		return Checkpoint{}, &DamageError{id, indexKey(id), err}
	}
	return cp, nil
}

// parseIndex reads the index of a checkpoint.
func parseIndex(text []byte, id string) (Checkpoint, error) {
	var x index
	if err := json.Unmarshal(text, &x); err != nil {
		return Checkpoint{}, fmt.Errorf("it is no index: %w", err)
	}
	status := karbor.CheckpointStatus(x.Status)
	switch {
	case x.Version != version:
		return Checkpoint{}, fmt.Errorf("its version is %q, and this reads %s", x.Version, version)
	case x.ID != id:
		return Checkpoint{}, errors.New("it is another checkpoint's")
	case !isStatus(status):
		return Checkpoint{}, fmt.Errorf("its status is %q", x.Status)
	case !isID(x.ProjectID) || !isID(x.ProviderID):
		return Checkpoint{}, errors.New("its project or provider is no id")
	case x.Plan == nil || !isID(x.Plan.ID):
		return Checkpoint{}, errors.New("it has no plan")
	}
	created, err := x.created()
	if err != nil {
		return Checkpoint{}, err
	}
	cp := Checkpoint{OwnerID: x.OwnerID, Checkpoint: karbor.Checkpoint{
		ID: id, ProjectID: x.ProjectID, ProviderID: x.ProviderID, Status: status,
		Plan:      karbor.PlanRecord{ID: x.Plan.ID, Name: x.Plan.Name, ProviderID: x.Plan.ProviderID},
		CreatedAt: created, UpdatedAt: created,
	}}
	for _, r := range x.Plan.Resources {
		cp.Plan.Resources = append(cp.Plan.Resources, karbor.Resource{
			Type: karbor.ResourceType(r.Type), ID: r.ID, Name: r.Name, ExtraInfo: texts(r.Extra)})
	}
	if err := unwrap(x.ExtraInfo, &cp.ExtraInfo); err != nil {
		return Checkpoint{}, fmt.Errorf("its extra_info can't be read: %w", err)
	}
	cp.Graph, cp.GraphError = parseGraph(x.ResourceGraph)
	return cp, nil
}

func isStatus(s karbor.CheckpointStatus) bool {
	switch s {
	case karbor.CheckpointProtecting, karbor.CheckpointAvailable, karbor.CheckpointError,
		karbor.CheckpointDeleting, karbor.CheckpointDeleted, karbor.CheckpointErrorDeleting:
		return true
	case karbor.CheckpointWaitCopying, karbor.CheckpointCopying:
		// Python Karbor copied nothing.
	}
	return false
}

// isID reports whether a text can be a part of a key of layout 1.
func isID(s string) bool { return karbor.IsResourceID(s) && len(s) <= 128 }

// created gives when the checkpoint was made: to the second, or, without a timestamp,
// to the day.
func (x *index) created() (time.Time, error) {
	if x.Timestamp != "" {
		seconds, err := x.Timestamp.Float64()
		const farthest = 253402300799 // the end of the year 9999
		if err != nil || seconds < 0 || seconds > farthest {
			return time.Time{}, fmt.Errorf("its timestamp is %q", x.Timestamp)
		}
		return time.Unix(int64(seconds), 0).UTC(), nil
	}
	day, err := time.Parse(time.DateOnly, x.CreatedAt)
	if err != nil || day.Year() < 1970 {
		return time.Time{}, fmt.Errorf("it was created at %q", x.CreatedAt)
	}
	return day, nil
}

// unwrap reads JSON that may lie in a text, which is how Python Karbor keeps some of
// it, or be null.
func unwrap(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
		if text == "" {
			return nil
		}
		raw = json.RawMessage(text)
	}
	return json.Unmarshal(raw, into)
}

// Scan calls fn with every checkpoint of every project, in the order of their ids:
// deleted ones, too. An error of fn ends it. One that can't be read is told to unread,
// if that is not nil, and passed over. It costs a read of each index, and a listing
// for each thousand objects or checkpoint that has more.
func (c *Checkpoints) Scan(ctx context.Context, fn func(Checkpoint) error, unread func(id string, err error)) error {
	return c.ids(ctx, func(id string) error {
		cp, err := c.Get(ctx, id)
		if _, damage := errors.AsType[*DamageError](err); damage {
			if unread != nil {
				unread(id, err)
			}
			return nil
		}
		switch {
		case karbor.KindOf(err) == karbor.NotFound && err != nil:
			return nil // what is left of one
		case err != nil:
			return err
		}
		return fn(cp)
	})
}

// ids calls fn with the id of each checkpoint that there is something of.
func (c *Checkpoints) ids(ctx context.Context, fn func(id string) error) error {
	last := ""
	for marker := ""; ; {
		infos, err := c.source.List(ctx, root, marker, bank.MaxList)
		if err != nil {
			return fmt.Errorf("listing the checkpoints: %w", err)
		}
		for _, i := range infos {
			marker = i.Key
			id, _, _ := strings.Cut(strings.TrimPrefix(i.Key, root), "/")
			if id == last || !karbor.IsUUID(id) {
				continue
			}
			last = id
			if err := fn(id); err != nil {
				return err
			}
		}
		if len(infos) < bank.MaxList {
			return nil
		}
		// The rest of the last one need not be listed: no key of it comes after this.
		marker = max(marker, root+last+"/~")
	}
}

// read reads a small object.
func (c *Checkpoints) read(ctx context.Context, key string) ([]byte, error) {
	body, err := c.source.Get(ctx, key, 0, maxDocument+1)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	text, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	if len(text) > maxDocument {
		return nil, karbor.Errorf(karbor.Invalid, "the document %s has more than %d bytes", key, maxDocument)
	}
	return text, nil
}
