package client

import (
	"context"
	"iter"

	"github.com/karbor/karbor"
)

// Copy is a request to copy the checkpoints of a plan, as the API shows it.
type Copy struct {
	ID         string `json:"id"`
	ProjectID  string `json:"project_id"`
	ProviderID string `json:"provider_id"`
	PlanID     string `json:"plan_id"`
	// Checkpoints are those that are copied, and what to.
	Checkpoints []karbor.CopiedCheckpoint `json:"checkpoint_id"`
	Parameters  karbor.Parameters         `json:"parameters"`
	Status      karbor.CopyStatus         `json:"status"`
	// CreatedAt is when it was asked for. Microversion 1.2.
	CreatedAt Timestamp `json:"created_at,omitempty"`
	// Progress is how far it is, by checkpoint and target. Microversion 1.4.
	Progress []CopyProgress `json:"progress,omitempty"`
}

// CopyProgress is how far the copy of one checkpoint to one target is.
type CopyProgress struct {
	CheckpointID string `json:"checkpoint_id"`
	// CopyID is what it is copied to; "" for a checkpoint that can't be copied.
	CopyID string `json:"copy_id"`
	// Bank is the name of the target.
	Bank   string            `json:"bank"`
	Status karbor.CopyStatus `json:"status"`
	Reason string            `json:"reason"`
	// BytesDone and BytesTotal are logical bytes; Stored are those that the target's bank
	// has got.
	BytesDone  int64 `json:"bytes_done"`
	BytesTotal int64 `json:"bytes_total"`
	Stored     int64 `json:"stored"`
}

// CopyRequest asks to copy every checkpoint of a plan that is not copied yet.
// PlanID is required.
type CopyRequest struct {
	PlanID     string            `json:"plan_id"`
	Parameters karbor.Parameters `json:"parameters"`
	// Targets are the names of the provider's copy targets; none stands for all of them.
	// Microversion 1.4.
	Targets []string `json:"targets,omitempty"`
	// Checkpoints, if any, are the only ones that are copied. Microversion 1.4.
	Checkpoints []string `json:"checkpoint_ids,omitempty"`
}

// Copies are the requests for copies of the API. Microversion 1.2.
type Copies struct{ c *Client }

// List iterates over the requests of a provider. Filters: plan_id, status.
func (p *Copies) List(ctx context.Context, provider string, o ListOptions) iter.Seq2[Copy, error] {
	return list[Copy](ctx, p.c, call{path: "/providers/" + escape(provider) + "/copies",
		what: "listing the copies of the provider " + provider}, "copies", o)
}

// Show gets one request.
func (p *Copies) Show(ctx context.Context, provider, id string) (Copy, error) {
	return show[Copy](ctx, p.c, call{path: "/providers/" + escape(provider) + "/copies/" + escape(id),
		what: "getting the copy " + id}, "copy")
}

// Create starts to copy. What it gives is durable and in work; Show tells how far it
// is. A service that does not copy is a NotImplemented error.
func (p *Copies) Create(ctx context.Context, provider string, r CopyRequest) (Copy, error) {
	if r.Parameters == nil {
		r.Parameters = karbor.Parameters{}
	}
	return create[Copy](ctx, p.c, call{path: checkpointsPath(provider) + "/action",
		body: map[string]any{"copy": r}, what: "copying the checkpoints of the plan " + r.PlanID}, "copy")
}
