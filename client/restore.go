package client

import (
	"context"
	"iter"

	"github.com/karbor/karbor"
)

// Restore is a restore as the API shows it.
type Restore struct {
	ID            string               `json:"id"`
	ProjectID     string               `json:"project_id"`
	ProviderID    string               `json:"provider_id"`
	CheckpointID  string               `json:"checkpoint_id"`
	RestoreTarget string               `json:"restore_target"`
	Parameters    karbor.Parameters    `json:"parameters"`
	Status        karbor.RestoreStatus `json:"status"`
	// ResourcesStatus and ResourcesReason are by TYPE#new id, or by TYPE#original
	// id as long as there is no new one.
	ResourcesStatus map[string]karbor.ResourceState `json:"resources_status"`
	ResourcesReason map[string]string               `json:"resources_reason"`
	// Progress is how far each resource is. Microversion 1.1.
	Progress []Progress `json:"progress,omitempty"`
	// NotKept lists, by TYPE#id, what could not be brought back. Microversion 1.1.
	NotKept map[string][]string `json:"not_kept,omitempty"`
	// KeepOnFailure says that what is restored stays when the restore fails elsewhere.
	// Microversion 1.3.
	KeepOnFailure bool `json:"keep_on_failure,omitempty"`
	// StandIn is the copy that is restored in place of the checkpoint; nil for none.
	// Microversion 1.4.
	StandIn *karbor.StandIn `json:"stand_in,omitempty"`
	// Mapped lists, by TYPE#id, what was put in the place of what. It and the choices are
	// of microversion 1.4.
	Mapped     map[string][]string     `json:"mapped,omitempty"`
	Resources  []string                `json:"resources,omitempty"`
	Dependents karbor.DependentsChoice `json:"dependents,omitempty"`
	Mapping    map[string]any          `json:"mapping,omitempty"`
	Stages     []karbor.RestoreStage   `json:"stages,omitempty"`
	// InPlace says that the originals were overwritten, and SafetyCheckpointID names the
	// checkpoint of them as they were before. Microversion 1.5.
	InPlace            bool   `json:"in_place,omitempty"`
	SafetyCheckpointID string `json:"safety_checkpoint_id,omitempty"`
	// CreatedAt is when it was asked for. Microversion 1.1.
	CreatedAt Timestamp `json:"created_at,omitempty"`
}

// RestoreAuth is the login for the restore's target.
type RestoreAuth struct {
	Username string
	Password karbor.Secret
	// CredentialID and CredentialSecret are those of an application credential there; they
	// stand instead of the others but Region. Microversion 1.4.
	CredentialID     string
	CredentialSecret karbor.Secret
	// Region is the region of that cloud to restore into; "" for the first of its catalog. It goes with
	// either login.
	Region string
	// Others are further members, such as user_domain_name and project_name.
	Others map[string]string
}

// RestoreRequest asks for a restore. ProviderID and CheckpointID are required.
type RestoreRequest struct {
	ProviderID   string
	CheckpointID string
	// Target is the Keystone URL of another cloud; empty for the caller's own.
	Target     string
	Auth       *RestoreAuth
	Parameters karbor.Parameters
	// KeepOnFailure has what is restored stay when the restore fails elsewhere; else it
	// is removed again. Microversion 1.3.
	KeepOnFailure bool
	// Profile is the id of a mapping profile, over which Choices.Mapping goes; "" for none.
	// Microversion 1.5.
	Profile string
	// Choices say what is restored, and how. Microversion 1.4.
	Choices karbor.RestoreChoices
}

// Preflight is what a dry run of a restore has found.
type Preflight struct {
	ProviderID   string    `json:"provider_id"`
	CheckpointID string    `json:"checkpoint_id"`
	Ready        bool      `json:"ready"`
	Findings     []Finding `json:"findings"`
}

// Finding is one thing that a restore would come across. Severity is error, warning or
// info; Resource is TYPE#id of the original, empty for what concerns all of it.
type Finding struct {
	Severity string `json:"severity"`
	Resource string `json:"resource"`
	Message  string `json:"message"`
	Remedy   string `json:"remedy"`
}

// body gives the request as the wire contract has it. Secrets are revealed
// for it and nowhere else.
func (r RestoreRequest) body() map[string]any {
	parameters := r.Parameters
	if parameters == nil {
		parameters = karbor.Parameters{}
	}
	restore := map[string]any{
		"provider_id":   r.ProviderID,
		"checkpoint_id": r.CheckpointID,
		"parameters":    parameters,
	}
	if r.Target != "" {
		restore["restore_target"] = r.Target
	}
	if r.KeepOnFailure {
		restore["keep_on_failure"] = true
	}
	if len(r.Choices.Resources) > 0 {
		restore["resources"] = r.Choices.Resources
	}
	if len(r.Choices.Mapping) > 0 {
		restore["mapping"] = r.Choices.Mapping
	}
	if len(r.Choices.Stages) > 0 {
		restore["stages"] = r.Choices.Stages
	}
	if r.Profile != "" {
		restore["profile"] = r.Profile
	}
	if r.Choices.InPlace {
		restore["in_place"] = true
	}
	if r.Choices.Dependents != "" {
		restore["dependents"] = r.Choices.Dependents
	}
	if r.Auth != nil {
		restore["restore_auth"] = r.Auth.body()
	}
	return map[string]any{"restore": restore}
}

func (a *RestoreAuth) body() map[string]any {
	out := map[string]any{}
	if a.CredentialID != "" {
		out["type"], out["id"], out["secret"] = "application_credential", a.CredentialID, a.CredentialSecret.Reveal()
	} else {
		for k, v := range a.Others {
			out[k] = v
		}
		out["type"], out["username"], out["password"] = "password", a.Username, a.Password.Reveal()
	}
	if a.Region != "" {
		out["region_name"] = a.Region
	}
	return out
}

// Restores are the restores of the API.
type Restores struct{ c *Client }

// List iterates over the restores. Filters: status, project_id.
func (p *Restores) List(ctx context.Context, o ListOptions) iter.Seq2[Restore, error] {
	return list[Restore](ctx, p.c, call{path: "/restores", what: "listing the restores"}, "restores", o)
}

// Show gets one restore, with its progress.
func (p *Restores) Show(ctx context.Context, id string) (Restore, error) {
	return show[Restore](ctx, p.c, call{path: "/restores/" + escape(id),
		what: "getting the restore " + id}, "restore")
}

// Create starts a restore. What it gives is durable and in work; Show tells
// how far it is.
func (p *Restores) Create(ctx context.Context, r RestoreRequest) (Restore, error) {
	return create[Restore](ctx, p.c, call{path: "/restores",
		body: r.body(), what: "restoring the checkpoint " + r.CheckpointID}, "restore")
}

// Check tells what a restore would come across, and restores nothing. Microversion 1.4.
func (p *Restores) Check(ctx context.Context, r RestoreRequest) (Preflight, error) {
	body := r.body()
	if restore, ok := body["restore"].(map[string]any); ok {
		restore["dry_run"] = true
	}
	return create[Preflight](ctx, p.c, call{path: "/restores",
		body: body, what: "looking ahead at a restore of the checkpoint " + r.CheckpointID}, "preflight")
}
