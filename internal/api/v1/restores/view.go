package restores

import (
	"cmp"
	"maps"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/progress"
	"github.com/karbor/karbor/internal/protectionservice/preflight"
	"github.com/karbor/karbor/protection"
)

// view is a restore on the wire. restore_auth is never shown.
type view struct {
	ID              string                          `json:"id"`
	ProjectID       string                          `json:"project_id"`
	ProviderID      string                          `json:"provider_id"`
	CheckpointID    string                          `json:"checkpoint_id"`
	RestoreTarget   *string                         `json:"restore_target"`
	Parameters      karbor.Parameters               `json:"parameters"`
	Status          karbor.RestoreStatus            `json:"status" enum:"in_progress|success|fail"`
	ResourcesStatus map[string]karbor.ResourceState `json:"resources_status" doc:"By TYPE#new id, or TYPE#original id as long as there is no new one."`
	ResourcesReason map[string]string               `json:"resources_reason" doc:"By the same keys, what failed."`
	// These are there in a show from api.ProgressVersion on.
	Progress  *[]progressView      `json:"progress,omitempty" doc:"From 1.1, in a show: how far it is, by resource."`
	NotKept   *map[string][]string `json:"not_kept,omitempty" doc:"From 1.1, in a show: by TYPE#id of the original, what could not be brought back."`
	CreatedAt *string              `json:"created_at,omitempty" doc:"From 1.1, in a show." format:"date-time"`
	Keep      *bool                `json:"keep_on_failure,omitempty" doc:"From 1.3, in a show: whether what is restored stays when the restore fails elsewhere."`
	// These are there in a show from api.ControlVersion on.
	Mapped     *map[string][]string     `json:"mapped,omitempty" doc:"From 1.4, in a show: by TYPE#id of the original, what was put in the place of what."`
	Resources  *[]string                `json:"resources,omitempty" doc:"From 1.4, in a show: the keys of the chosen resources; empty for all."`
	Dependents *karbor.DependentsChoice `json:"dependents,omitempty" doc:"From 1.4, in a show, of a restore of chosen resources." enum:"restore|existing|refuse"`
	Mapping    *map[string]any          `json:"mapping,omitempty" doc:"From 1.4, in a show: what takes the place of what."`
	Stages     *[]karbor.RestoreStage   `json:"stages,omitempty" doc:"From 1.4, in a show: what is put together after what."`
	StandIn    *karbor.StandIn          `json:"stand_in,omitempty" doc:"From 1.4, in a show: the copy that is restored in place of the checkpoint, and why; missing if it is the checkpoint itself."`
	// These are there in a show from api.ProofVersion on.
	InPlace *bool   `json:"in_place,omitempty" doc:"From 1.5, in a show: whether the originals were overwritten."`
	Safety  *string `json:"safety_checkpoint_id,omitempty" doc:"From 1.5, in a show of a restore in place: the checkpoint of the originals as they were before; to restore it in place undoes this restore."`
}

// progressView is the progress of one resource, with the id that it has anew.
type progressView struct {
	progress.View
	NewID string `json:"new_id" doc:"Id of the restored resource; empty until it exists."`
}

type answer struct {
	Restore view `json:"restore"`
}

// created is the answer to a create: a restore, or what a dry run has found.
type created struct {
	Restore   *view          `json:"restore,omitempty" doc:"The restore that was begun."`
	Preflight *preflightView `json:"preflight,omitempty" doc:"From 1.4, of a dry run: what a restore would come across."`
}

// preflightView is what a dry run has found, on the wire.
type preflightView struct {
	ProviderID   string        `json:"provider_id"`
	CheckpointID string        `json:"checkpoint_id"`
	Ready        bool          `json:"ready" doc:"Whether nothing is in the way that can be seen now: there is no finding of severity error."`
	Findings     []findingView `json:"findings" doc:"The errors first."`
}

type findingView struct {
	Severity protection.Severity `json:"severity" enum:"error|warning|info" doc:"error: the restore would fail; warning: something would not be as it was; info: what was asked for."`
	Resource string              `json:"resource" doc:"TYPE#id of the original; empty for what concerns all of the restore."`
	Message  string              `json:"message" doc:"What was found."`
	Remedy   string              `json:"remedy" doc:"What can be done about it; empty if nothing can or must."`
}

func preflightOf(p preflight.Report) *preflightView {
	v := &preflightView{ProviderID: p.ProviderID, CheckpointID: p.CheckpointID, Ready: p.Ready(), Findings: []findingView{}}
	for _, f := range p.Findings {
		v.Findings = append(v.Findings, findingView{f.Severity, f.Resource, f.Message, f.Remedy})
	}
	return v
}

func viewOf(r karbor.Restore) view {
	v := view{
		ID: r.ID, ProjectID: r.ProjectID, ProviderID: r.ProviderID, CheckpointID: r.CheckpointID,
		RestoreTarget: api.Text(r.RestoreTarget), Parameters: r.Parameters, Status: r.Status,
		ResourcesStatus: r.ResourcesStatus, ResourcesReason: r.ResourcesReason,
	}
	if v.Parameters == nil {
		v.Parameters = karbor.Parameters{}
	}
	if v.ResourcesStatus == nil {
		v.ResourcesStatus = map[string]karbor.ResourceState{}
	}
	if v.ResourcesReason == nil {
		v.ResourcesReason = map[string]string{}
	}
	return v
}

// withProgress adds what a show has from api.ProgressVersion on.
func (v view) withProgress(r karbor.Restore, resources []karbor.ResourceProgress, version api.Version) view {
	list := make([]progressView, len(resources))
	notKept := map[string][]string{}
	for i, p := range resources {
		list[i] = progressView{View: progress.Of(p, version), NewID: p.NewID}
		if len(p.NotKept) > 0 {
			notKept[p.Key()] = append(notKept[p.Key()], p.NotKept...)
		}
	}
	v.Progress, v.NotKept, v.CreatedAt = &list, &notKept, api.Time(r.CreatedAt)
	return v
}

// withChoices adds what a show has from api.ControlVersion on.
func (v view) withChoices(c karbor.RestoreChoices, resources []karbor.ResourceProgress) view {
	mapped, chosen, mapping, stages := map[string][]string{}, []string{}, map[string]any{}, []karbor.RestoreStage{}
	for _, p := range resources {
		if len(p.Mapped) > 0 {
			mapped[p.Key()] = append(mapped[p.Key()], p.Mapped...)
		}
	}
	chosen = append(chosen, c.Resources...)
	maps.Copy(mapping, c.Mapping)
	stages = append(stages, c.Stages...)
	v.Mapped, v.Resources, v.Mapping, v.Stages = &mapped, &chosen, &mapping, &stages
	if len(c.Resources) > 0 {
		how := cmp.Or(c.Dependents, karbor.DependentsRestore)
		v.Dependents = &how
	}
	return v
}

// withPlace adds what a show has from api.ProofVersion on.
func (v view) withPlace(c karbor.RestoreChoices) view {
	v.InPlace = &c.InPlace
	if c.InPlace {
		v.Safety = &c.SafetyCheckpointID
	}
	return v
}
