package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/karbor/karbor"
)

// Checkpoint is a checkpoint as the API shows it.
type Checkpoint struct {
	ID             string                  `json:"id"`
	ProjectID      string                  `json:"project_id"`
	Status         karbor.CheckpointStatus `json:"status"`
	ProtectionPlan karbor.PlanRecord       `json:"protection_plan"`
	// ResourceGraph is the graph's text; see Graph.
	ResourceGraph string `json:"resource_graph,omitempty"`
	// ExtraInfo is JSON in a string, as the wire contract has it.
	ExtraInfo string    `json:"extra_info,omitempty"`
	CreatedAt Timestamp `json:"created_at"`
	// Size is the number of logical bytes that it holds. Microversion 1.1.
	Size int64 `json:"size,omitempty"`
	// Reasons says what failed, by TYPE#id. Microversion 1.1.
	Reasons map[string]string `json:"reasons,omitempty"`
	// Figures are what each resource holds and has added to the bank, by TYPE#id.
	// Microversion 1.3.
	Figures map[string]Figures `json:"figures,omitempty"`
	// NotKept says, by TYPE#id, what of a resource a restore will not bring back.
	// Microversion 1.3.
	NotKept map[string][]string `json:"not_kept,omitempty"`
	// Progress is how far each resource is. Microversion 1.1.
	Progress []Progress `json:"progress,omitempty"`
	// CopyOf is the checkpoint that it was copied from, and Bank where it lies: main, or
	// the name of a copy target. Microversion 1.4.
	CopyOf string `json:"copy_of,omitempty"`
	// CopyStatus is that of a copy (from 1.4 on).
	CopyStatus karbor.CopyStatus `json:"copy_status,omitempty"`
	Bank       string            `json:"bank,omitempty"`
	// Hold, ExpiresAt and LastVerified are as in Keeping. Microversion 1.4.
	Hold         *Hold         `json:"hold,omitempty"`
	ExpiresAt    Timestamp     `json:"expires_at,omitempty"`
	LastVerified *LastVerified `json:"last_verified,omitempty"`
	// LastDrill is the newest drill of it that is over; nil if there is none. Microversion 1.5;
	// in lists 1.6.
	LastDrill *LastDrill `json:"last_drill,omitempty"`
	// BankLock is how the bank has locked what it needs; nil for one that was never held
	// where banks lock. Microversion 1.5.
	BankLock *BankLock `json:"bank_lock,omitempty"`
}

// Figures are bytes of a resource in a checkpoint.
type Figures struct {
	// Size is the number of logical bytes.
	Size int64 `json:"size"`
	// New is how many of them the bank had not had before, Stored how many bytes it has got
	// more. Both are nil where the service does not tell them.
	New    *int64 `json:"new,omitempty"`
	Stored *int64 `json:"stored,omitempty"`
}

// Progress is how far an operation is with one resource.
type Progress struct {
	Type  karbor.ResourceType  `json:"type"`
	ID    string               `json:"id"`
	Name  string               `json:"name"`
	State karbor.ResourceState `json:"state"`
	// Phase is the hook that runs now; empty before and after.
	Phase string `json:"phase"`
	// BytesDone and BytesTotal are bytes; BytesTotal is 0 as long as it is not
	// known.
	BytesDone  int64  `json:"bytes_done"`
	BytesTotal int64  `json:"bytes_total"`
	Reason     string `json:"reason"`
	// BytesPerSecond is how fast it moves, SecondsLeft an estimate of how long the rest
	// takes, and Waiting what it waits for; each is empty where there is none.
	// Microversion 1.4.
	BytesPerSecond int64  `json:"bytes_per_second,omitempty"`
	SecondsLeft    int64  `json:"seconds_left,omitempty"`
	Waiting        string `json:"waiting,omitempty"`
	// NewID is the id of the restored resource, once it exists.
	NewID string `json:"new_id,omitempty"`
}

// Graph reads the checkpoint's resource graph. It is nil if there is none.
func (c Checkpoint) Graph() (*karbor.Graph, error) {
	if c.ResourceGraph == "" {
		return nil, nil
	}
	g := &karbor.Graph{}
	if err := g.UnmarshalText([]byte(c.ResourceGraph)); err != nil {
		return nil, fmt.Errorf("reading the resource graph of the checkpoint %s: %w", c.ID, err)
	}
	return g, nil
}

// CheckpointRequest asks for a checkpoint. PlanID is required.
type CheckpointRequest struct {
	PlanID    string         `json:"plan_id"`
	ExtraInfo map[string]any `json:"extra_info,omitempty"`
	// ExpiresAt is when it is deleted by itself; nil for never. Microversion 1.4.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Checkpoints are the checkpoints of the API.
type Checkpoints struct{ c *Client }

func checkpointsPath(provider string) string {
	return "/providers/" + escape(provider) + "/checkpoints"
}

// List iterates over the checkpoints of a provider. Filters: project_id,
// plan_id, start_date, end_date (YYYY-MM-DD, inclusive), status.
func (p *Checkpoints) List(ctx context.Context, provider string, o ListOptions) iter.Seq2[Checkpoint, error] {
	return list[Checkpoint](ctx, p.c, call{path: checkpointsPath(provider),
		what: "listing the checkpoints of the provider " + provider}, "checkpoints", o)
}

// Show gets one checkpoint, with its progress.
func (p *Checkpoints) Show(ctx context.Context, provider, id string) (Checkpoint, error) {
	return show[Checkpoint](ctx, p.c, call{path: checkpointsPath(provider) + "/" + escape(id),
		what: "getting the checkpoint " + id}, "checkpoint")
}

// Create starts to protect a plan. The checkpoint that it gives is durable and
// in work; Show tells how far it is.
func (p *Checkpoints) Create(ctx context.Context, provider string, r CheckpointRequest) (Checkpoint, error) {
	return create[Checkpoint](ctx, p.c, call{path: checkpointsPath(provider),
		body: map[string]any{"checkpoint": r}, what: "protecting the plan " + r.PlanID}, "checkpoint")
}

// Delete starts to delete a checkpoint, which goes through deleting to deleted.
func (p *Checkpoints) Delete(ctx context.Context, provider, id string) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: checkpointsPath(provider) + "/" + escape(id),
		what: "deleting the checkpoint " + id}, nil)
}

// ResetState sets the state of a checkpoint that no flow runs, to available or
// error.
func (p *Checkpoints) ResetState(ctx context.Context, provider, id string, to karbor.CheckpointStatus) error {
	return p.c.do(ctx, call{method: http.MethodPut, path: checkpointsPath(provider) + "/" + escape(id),
		body: map[string]any{"os-resetState": map[string]any{"state": to}},
		what: "resetting the state of the checkpoint " + id}, nil)
}
