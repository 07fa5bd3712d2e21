package client

import (
	"context"
	"iter"

	"github.com/karbor/karbor"
)

// Verification is a verification as the API shows it.
type Verification struct {
	ID           string                    `json:"id"`
	ProjectID    string                    `json:"project_id"`
	ProviderID   string                    `json:"provider_id"`
	CheckpointID string                    `json:"checkpoint_id"`
	Parameters   karbor.Parameters         `json:"parameters"`
	Status       karbor.VerificationStatus `json:"status"`
	// ResourceStatus and ResourceReason are by TYPE#id.
	ResourceStatus map[string]karbor.VerificationStatus `json:"resource_status"`
	ResourceReason map[string]string                    `json:"resource_reason"`
	// Progress is how far each resource is. Microversion 1.3.
	Progress []Progress `json:"progress,omitempty"`
	// CreatedAt is when it was asked for. Microversion 1.2.
	CreatedAt Timestamp `json:"created_at,omitempty"`
}

// VerificationRequest asks for a verification. ProviderID and CheckpointID are
// required.
type VerificationRequest struct {
	ProviderID   string            `json:"provider_id"`
	CheckpointID string            `json:"checkpoint_id"`
	Parameters   karbor.Parameters `json:"parameters"`
}

// Verifications are the verifications of the API.
type Verifications struct{ c *Client }

// List iterates over the verifications. Filters: status, provider_id, checkpoint_id.
func (p *Verifications) List(ctx context.Context, o ListOptions) iter.Seq2[Verification, error] {
	return list[Verification](ctx, p.c, call{path: "/verifications", what: "listing the verifications"}, "verifications", o)
}

// Show gets one verification.
func (p *Verifications) Show(ctx context.Context, id string) (Verification, error) {
	return show[Verification](ctx, p.c, call{path: "/verifications/" + escape(id),
		what: "getting the verification " + id}, "verification")
}

// Create starts a verification. What it gives is durable and in work; Show tells how
// far it is. A service that does not verify, as older ones, is a NotImplemented error.
func (p *Verifications) Create(ctx context.Context, r VerificationRequest) (Verification, error) {
	if r.Parameters == nil {
		r.Parameters = karbor.Parameters{}
	}
	return create[Verification](ctx, p.c, call{path: "/verifications",
		body: map[string]any{"verification": r}, what: "verifying the checkpoint " + r.CheckpointID}, "verification")
}
