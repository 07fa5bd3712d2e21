package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/karbor/karbor"
)

// description is the document of all that never changes in a checkpoint. It is
// apart from the states because it holds names, and so gets sealed.
type description struct {
	Layout        int                        `json:"layout"`
	CheckpointID  string                     `json:"checkpoint_id"`
	ProjectID     string                     `json:"project_id"`
	ProviderID    string                     `json:"provider_id"`
	CreatedAt     time.Time                  `json:"created_at"`
	Plan          karbor.PlanRecord          `json:"protection_plan"`
	ResourceGraph json.RawMessage            `json:"resource_graph"`
	ExtraInfo     map[string]json.RawMessage `json:"extra_info"`

	graph  *karbor.Graph
	sealed bool
}

// reasons is the document of what failed.
type reasons struct {
	Layout  int               `json:"layout"`
	Reasons map[string]string `json:"reasons"`
}

// figures is the document of what the resources hold.
type figures struct {
	Layout  int                       `json:"layout"`
	Figures map[string]karbor.Figures `json:"figures"`
}

// describe makes the description of a checkpoint, or says what is wrong with it.
func describe(cp karbor.Checkpoint) (*description, error) {
	switch {
	case !karbor.IsUUID(cp.ID):
		return nil, karbor.Errorf(karbor.Invalid, "%q is not the id of a checkpoint", cp.ID)
	case !isPart(cp.ProjectID) || !isPart(cp.ProviderID) || !isPart(cp.Plan.ID):
		return nil, karbor.Errorf(karbor.Invalid, "checkpoint %s has no proper project, provider or plan", cp.ID)
	case cp.CreatedAt.Year() < 1970 || cp.CreatedAt.Year() > 9999:
		return nil, karbor.Errorf(karbor.Invalid, "checkpoint %s has no proper time of creation", cp.ID)
	}
	graph := cp.Graph
	if graph == nil {
		graph = &karbor.Graph{}
	}
	text, err := graph.MarshalText()
	if err != nil {
		return nil, fmt.Errorf("encoding the resource graph of checkpoint %s: %w", cp.ID, err)
	}
	d := &description{
		Layout: layout, CheckpointID: cp.ID, ProjectID: cp.ProjectID, ProviderID: cp.ProviderID,
		CreatedAt: stored(cp.CreatedAt), Plan: cp.Plan, ResourceGraph: text, ExtraInfo: cp.ExtraInfo,
	}
	if d.Plan.Resources == nil {
		d.Plan.Resources = []karbor.Resource{}
	}
	if d.ExtraInfo == nil {
		d.ExtraInfo = map[string]json.RawMessage{}
	}
	return d, nil
}

// stored is a time as the bank keeps it: UTC, to the microsecond.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// checkpoint gives what the description knows of the checkpoint, as protecting.
func (d *description) checkpoint() karbor.Checkpoint {
	cp := karbor.Checkpoint{
		ID: d.CheckpointID, ProjectID: d.ProjectID, ProviderID: d.ProviderID,
		Status: karbor.CheckpointProtecting, Plan: d.Plan, Graph: d.graph,
		CreatedAt: d.CreatedAt, UpdatedAt: d.CreatedAt,
	}
	if len(d.ExtraInfo) > 0 {
		cp.ExtraInfo = d.ExtraInfo
	}
	return cp
}

// state gives the checkpoint's first state.
func (d *description) state(owner string, now time.Time) *state {
	return &state{
		Layout: layout, Sequence: 1, CheckpointID: d.CheckpointID, ProjectID: d.ProjectID,
		ProviderID: d.ProviderID, PlanID: d.Plan.ID, Status: karbor.CheckpointProtecting,
		Owner: owner, CreatedAt: d.CreatedAt, UpdatedAt: stored(now),
	}
}

func (c *Checkpoints) readDescription(ctx context.Context, project, id string) (*description, error) {
	d := &description{graph: &karbor.Graph{}}
	sealed, err := c.papers.read(ctx, project, descriptionKey(project, id), d)
	if err != nil {
		return nil, named(project, id, err)
	}
	d.sealed = sealed
	if d.Layout != layout || d.ProjectID != project || d.CheckpointID != id {
		return nil, &DamageError{project, id, errors.New("its description is another's or of another layout")}
	}
	if err := d.graph.UnmarshalText(d.ResourceGraph); err != nil {
		return nil, &DamageError{project, id, fmt.Errorf("reading its resource graph: %w", err)}
	}
	return d, nil
}
