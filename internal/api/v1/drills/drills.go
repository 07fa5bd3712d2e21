// Package drills serves restore drills, their records, and the keys that those are checked with.
package drills

import (
	"context"
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/progress"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps drills; store.Store is one.
type Store interface {
	Drill(ctx context.Context, projectID, id string) (karbor.Drill, error)
	Drills(ctx context.Context, f store.DrillFilter, p store.Page) ([]karbor.Drill, error)
	DrillEvidence(ctx context.Context, projectID, id string) (json.RawMessage, error)
	DrillProofs(ctx context.Context, ids []string) (map[string]store.DrillProof, error)
	DeleteDrill(ctx context.Context, projectID, id string) error
}

// Service makes drills; protectionservice.Service is one.
type Service interface {
	Drill(ctx context.Context, c protectionservice.Caller, r protectionservice.DrillRequest) (karbor.Drill, error)
	DrillProgress(ctx context.Context, projectID, id string) ([]karbor.ResourceProgress, error)
	EvidenceKeys() []evidence.PublicKey
}

// Deps are what the room needs.
type Deps struct {
	Store   Store
	Service Service
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
}

//go:embed create.json
var createSchema []byte

// sortKeys are those of a list of drills.
var sortKeys = []string{"id", "project_id", "provider_id", "checkpoint_id", "status", "created_at", "updated_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const since = api.ProofVersion
	return []api.Route{
		{
			Method: "POST", Pattern: "/drills", Rule: "drill:create", Since: since, Body: createSchema, Handle: d.create,
			Summary: "Drill a checkpoint",
			Description: "Restores an `available` checkpoint into networks of the drill's own, makes the probes, and removes everything again. " +
				"413 (`overLimit`) where as many drills run in the project as may. It never touches the original.",
			Answer: answer{},
		},
		{
			Method: "GET", Pattern: "/drills", Rule: "drill:get_all", Since: since, Handle: d.list, Summary: "List the drills",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("checkpoint_id"), api.FilterQuery("plan_id"),
				api.FilterQuery("status", string(karbor.DrillRunning), string(karbor.DrillFinished), string(karbor.DrillError)),
				api.FilterQuery("verdict", string(karbor.DrillPassed), string(karbor.DrillFailed), string(karbor.DrillInconclusive))),
			Answer: api.ListShape("drills", view{}),
		},
		{Method: "GET", Pattern: "/drills/{id}", Rule: "drill:get", Since: since, Handle: d.show, Summary: "Show a drill", Answer: answer{}},
		{
			Method: "GET", Pattern: "/drills/{id}/evidence", Rule: "drill:get", Since: since, Handle: d.evidence, Summary: "Show the signed record of a drill",
			Description: "The record's file is the canonical JSON (RFC 8785) of the member `evidence`, and a line feed. 404 while the drill runs.",
			Answer:      evidenceAnswer{},
		},
		{
			Method: "DELETE", Pattern: "/drills/{id}", Rule: "drill:delete", Since: since, Handle: d.remove, Summary: "Delete a drill with its record",
			Description: "409 while it runs: cancel it instead. Records that were fetched stay valid.",
		},
		{
			Method: "GET", Pattern: "/evidence_keys", Rule: "drill:get_keys", Since: since, Handle: d.keys,
			Summary: "List the keys that records of drills are checked with", Description: "The one that signs now is the first.", Answer: keysAnswer{},
		},
	}
}

// view is a drill on the wire.
type view struct {
	ID           string              `json:"id"`
	ProjectID    string              `json:"project_id"`
	ProviderID   string              `json:"provider_id"`
	CheckpointID string              `json:"checkpoint_id"`
	PlanID       string              `json:"plan_id"`
	Probes       karbor.DrillProbes  `json:"probes" doc:"What is looked at: active, console, volume, port, command."`
	Mapping      map[string]any      `json:"mapping" doc:"What takes the place of what."`
	Status       karbor.DrillStatus  `json:"status" enum:"running|finished|error"`
	Verdict      *string             `json:"verdict" doc:"passed, failed or inconclusive; null while it runs."`
	Reason       string              `json:"reason" doc:"Why the verdict is not passed, or what is left."`
	RecoveryMS   *int64              `json:"recovery_ms" doc:"How long it took until the last resource was ready, without what probes took in between; null if not all came to be ready."`
	Resources    map[string]resource `json:"resources" doc:"By TYPE#id, once it is over."`
	CreatedAt    *string             `json:"created_at" format:"date-time"`
	UpdatedAt    *string             `json:"updated_at" format:"date-time"`
	Progress     *[]progress.View    `json:"progress,omitempty" doc:"In a show, while it runs: how far it is, by resource."`
	Record       *record             `json:"record,omitempty" doc:"From 1.7 on, once it is over: where its signed record lies, besides the service's database."`
}

// record says where the signed record of a drill lies, on the wire.
type record struct {
	InBank bool   `json:"in_bank" doc:"Whether it lies in the bank, too, beside the checkpoint: then it is not lost with the database."`
	Reason string `json:"reason" doc:"Why it does not; it is tried again."`
}

// resource is what was found of one, on the wire.
type resource struct {
	Verdict    karbor.DrillVerdict `json:"verdict" enum:"passed|failed|inconclusive"`
	RecoveryMS *int64              `json:"recovery_ms" doc:"How long it took until it was ready; null if it never was."`
}

type answer struct {
	Drill view `json:"drill"`
}

type evidenceAnswer struct {
	Evidence evidence.Signed `json:"evidence"`
}

// keyView is a public key on the wire.
type keyView struct {
	ID        string `json:"id" doc:"The key_id of the signatures that it fits."`
	Algorithm string `json:"algorithm" enum:"Ed25519"`
	PublicKey string `json:"public_key" doc:"As PEM (SubjectPublicKeyInfo)."`
}

type keysAnswer struct {
	Keys []keyView `json:"evidence_keys"`
}

func span(ms int64) *int64 {
	if ms <= 0 {
		return nil
	}
	return &ms
}

func viewOf(d karbor.Drill) view {
	v := view{
		ID: d.ID, ProjectID: d.ProjectID, ProviderID: d.ProviderID, CheckpointID: d.CheckpointID, PlanID: d.PlanID, Probes: d.Probes,
		Mapping: d.Mapping, Status: d.Status, Reason: d.Reason, RecoveryMS: span(d.Recovery.Milliseconds()), Resources: map[string]resource{},
		CreatedAt: api.Time(d.CreatedAt), UpdatedAt: api.Time(d.UpdatedAt),
	}
	if d.Verdict != "" {
		word := string(d.Verdict)
		v.Verdict = &word
	}
	if v.Mapping == nil {
		v.Mapping = map[string]any{}
	}
	for key, r := range d.Resources {
		v.Resources[key] = resource{r.Verdict, span(r.RecoveryMS)}
	}
	return v
}

// probes are those of a request: what a probe leaves out has a default.
type probes struct {
	Active  *karbor.ActiveProbe `json:"active"`
	Console *struct {
		Pattern *string `json:"pattern"`
		Timeout *int    `json:"timeout"`
	} `json:"console"`
	Volume *struct {
		Digest *bool `json:"digest"`
	} `json:"volume"`
	Port *struct {
		Port    int  `json:"port"`
		Timeout *int `json:"timeout"`
	} `json:"port"`
	Command *struct {
		Timeout *int `json:"timeout"`
	} `json:"command"`
}

// defaultTimeout is how long a port or a command is waited for, in seconds.
const defaultTimeout = 300

func either[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

// filled gives the probes with their defaults; none at all are the zero value.
func (p *probes) filled() karbor.DrillProbes {
	var out karbor.DrillProbes
	if p == nil {
		return out
	}
	usual := karbor.DefaultDrillProbes()
	out.Active = p.Active
	if c := p.Console; c != nil {
		out.Console = &karbor.ConsoleProbe{Pattern: either(c.Pattern, usual.Console.Pattern), Timeout: either(c.Timeout, usual.Console.Timeout)}
	}
	if v := p.Volume; v != nil {
		out.Volume = &karbor.VolumeProbe{Digest: either(v.Digest, usual.Volume.Digest)}
	}
	if c := p.Port; c != nil {
		out.Port = &karbor.PortProbe{Port: c.Port, Timeout: either(c.Timeout, defaultTimeout)}
	}
	if c := p.Command; c != nil {
		out.Command = &karbor.CommandProbe{Timeout: either(c.Timeout, defaultTimeout)}
	}
	return out
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Drill struct {
			ProviderID   string         `json:"provider_id"`
			CheckpointID string         `json:"checkpoint_id"`
			Resources    []string       `json:"resources"`
			Mapping      map[string]any `json:"mapping"`
			Probes       *probes        `json:"probes"`
		} `json:"drill"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	b := body.Drill
	made, err := d.Service.Drill(ctx, protectionservice.Caller{Identity: r.Identity, Cloud: d.Session(r.Identity)}, protectionservice.DrillRequest{
		ProviderID: strings.ToLower(b.ProviderID), CheckpointID: strings.ToLower(b.CheckpointID), Resources: b.Resources,
		Mapping: b.Mapping, Probes: b.Probes.filled(),
	})
	if err != nil {
		return nil, err
	}
	return answer{viewOf(made)}, nil
}

func (d Deps) list(ctx context.Context, r *api.Request) (any, error) {
	page, err := r.Page(sortKeys...)
	if err != nil {
		return nil, err
	}
	project, err := r.ListProject()
	if err != nil {
		return nil, err
	}
	switch verdict := karbor.DrillVerdict(r.Filter("verdict")); verdict {
	case "", karbor.DrillPassed, karbor.DrillFailed, karbor.DrillInconclusive:
	default:
		return nil, karbor.Errorf(karbor.Invalid, "Invalid verdict: %.80q is none of passed, failed and inconclusive.", string(verdict))
	}
	found, err := d.Store.Drills(ctx, store.DrillFilter{
		ProjectID: project, CheckpointID: r.Filter("checkpoint_id"), PlanID: r.Filter("plan_id"), Status: r.Filter("status"), Verdict: r.Filter("verdict"),
	}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, one := range found {
		views[i] = viewOf(one)
	}
	if err := d.withRecords(ctx, r.Version, views); err != nil {
		return nil, err
	}
	return api.List(r, "drills", page, views, func(v view) string { return v.ID }), nil
}

// withRecords says of drills that are over where their records lie, to a caller who speaks of it.
func (d Deps) withRecords(ctx context.Context, version api.Version, views []view) error {
	if version < api.AssuranceVersion {
		return nil
	}
	var ids []string
	for _, v := range views {
		if v.Status != karbor.DrillRunning {
			ids = append(ids, v.ID)
		}
	}
	found, err := d.Store.DrillProofs(ctx, ids)
	if err != nil {
		return err
	}
	for i, v := range views {
		if v.Status != karbor.DrillRunning {
			views[i].Record = &record{found[v.ID].Kept, found[v.ID].Reason}
		}
	}
	return nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	found, err := d.Store.Drill(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	out := viewOf(found)
	if found.Status != karbor.DrillRunning {
		views := []view{out}
		err := d.withRecords(ctx, r.Version, views)
		return answer{views[0]}, err
	}
	resources, err := d.Service.DrillProgress(ctx, found.ProjectID, id)
	if err != nil {
		return nil, err
	}
	views := make([]progress.View, len(resources))
	for i, p := range resources {
		views[i] = progress.Of(p, r.Version)
	}
	out.Progress = &views
	return answer{out}, nil
}

func (d Deps) evidence(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	text, err := d.Store.DrillEvidence(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, karbor.Errorf(karbor.NotFound, "there is no record of drill %s yet", id)
	}
	return struct {
		Evidence json.RawMessage `json:"evidence"`
	}{text}, nil
}

func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	return nil, d.Store.DeleteDrill(ctx, r.ItemProject(), id)
}

func (d Deps) keys(context.Context, *api.Request) (any, error) {
	out := keysAnswer{Keys: []keyView{}}
	for _, k := range d.Service.EvidenceKeys() {
		text, err := k.PEM()
		if err != nil {
			return nil, err
		}
		out.Keys = append(out.Keys, keyView{ID: k.ID, Algorithm: evidence.Algorithm, PublicKey: text})
	}
	return out, nil
}
