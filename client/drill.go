package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/karbor/karbor"
)

// Drill is a restore drill as the API shows it. Microversion 1.5.
type Drill struct {
	ID           string             `json:"id"`
	ProjectID    string             `json:"project_id"`
	ProviderID   string             `json:"provider_id"`
	CheckpointID string             `json:"checkpoint_id"`
	PlanID       string             `json:"plan_id"`
	Probes       karbor.DrillProbes `json:"probes"`
	Mapping      map[string]any     `json:"mapping"`
	Status       karbor.DrillStatus `json:"status"`
	// Verdict is empty while it runs.
	Verdict karbor.DrillVerdict `json:"verdict"`
	Reason  string              `json:"reason"`
	// RecoveryMS is in milliseconds; 0 where it is not known.
	RecoveryMS int64 `json:"recovery_ms"`
	// Resources are by TYPE#id.
	Resources map[string]karbor.DrilledResource `json:"resources"`
	Progress  []Progress                        `json:"progress,omitempty"`
	CreatedAt Timestamp                         `json:"created_at"`
	UpdatedAt Timestamp                         `json:"updated_at"`
	// Record says where the signed record lies; nil while the drill runs, and before microversion 1.7.
	Record *DrillRecord `json:"record,omitempty"`
}

// DrillRecord says where the signed record of a drill lies.
type DrillRecord struct {
	// InBank says that it lies in the bank, too, beside its checkpoint; if not, Reason says why.
	InBank bool   `json:"in_bank"`
	Reason string `json:"reason"`
}

// LastDrill is the newest drill of a checkpoint that is over.
type LastDrill struct {
	ID      string              `json:"id"`
	At      Timestamp           `json:"at"`
	Verdict karbor.DrillVerdict `json:"verdict"`
	// RecoveryMS is in milliseconds; 0 if not all came to be ready.
	RecoveryMS int64 `json:"recovery_ms"`
}

// DrillRequest asks for a drill. ProviderID and CheckpointID are required.
type DrillRequest struct {
	ProviderID   string `json:"provider_id"`
	CheckpointID string `json:"checkpoint_id"`
	// Resources are keys, TYPE#id; none stands for all.
	Resources []string `json:"resources,omitempty"`
	// Mapping says what takes the place of what.
	Mapping map[string]any `json:"mapping,omitempty"`
	// Probes are by name; nil stands for the service's choice. A member of one that is not
	// there has its default.
	Probes map[string]map[string]any `json:"probes,omitempty"`
}

// EvidenceKey is a public key that records of drills are checked with.
type EvidenceKey struct {
	ID        string `json:"id"`
	Algorithm string `json:"algorithm"`
	// PublicKey is PEM.
	PublicKey string `json:"public_key"`
}

// Drills are the restore drills of the API. Microversion 1.5.
type Drills struct{ c *Client }

// List iterates over the drills. Filters: status, verdict, checkpoint_id, plan_id.
func (p *Drills) List(ctx context.Context, o ListOptions) iter.Seq2[Drill, error] {
	return list[Drill](ctx, p.c, call{path: "/drills", what: "listing the drills"}, "drills", o)
}

// Show gets one drill.
func (p *Drills) Show(ctx context.Context, id string) (Drill, error) {
	return show[Drill](ctx, p.c, call{path: "/drills/" + escape(id), what: "getting the drill " + id}, "drill")
}

// Create starts a drill. What it gives is durable and in work; Show tells how far it is.
func (p *Drills) Create(ctx context.Context, r DrillRequest) (Drill, error) {
	return create[Drill](ctx, p.c, call{path: "/drills", body: map[string]any{"drill": r},
		what: "drilling the checkpoint " + r.CheckpointID}, "drill")
}

// Evidence gets the signed record of a drill that is over: JSON whose members may be in another
// order than in its file.
func (p *Drills) Evidence(ctx context.Context, id string) (json.RawMessage, error) {
	return show[json.RawMessage](ctx, p.c, call{path: "/drills/" + escape(id) + "/evidence", what: "getting the record of drill " + id}, "evidence")
}

// Delete deletes a drill that is over, with its record.
func (p *Drills) Delete(ctx context.Context, id string) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: "/drills/" + escape(id), what: "deleting the drill " + id}, nil)
}

// Keys lists the keys that records are checked with, the one that signs now first.
func (p *Drills) Keys(ctx context.Context) ([]EvidenceKey, error) {
	return show[[]EvidenceKey](ctx, p.c, call{path: "/evidence_keys", what: "getting the keys of the records"}, "evidence_keys")
}
