package restores

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/progress"
)

// view is a restore on the wire. restore_auth is never shown.
type view struct {
	ID              string                          `json:"id"`
	ProjectID       string                          `json:"project_id"`
	ProviderID      string                          `json:"provider_id"`
	CheckpointID    string                          `json:"checkpoint_id"`
	RestoreTarget   *string                         `json:"restore_target"`
	Parameters      karbor.Parameters               `json:"parameters"`
	Status          karbor.RestoreStatus            `json:"status"`
	ResourcesStatus map[string]karbor.ResourceState `json:"resources_status"`
	ResourcesReason map[string]string               `json:"resources_reason"`
	// These are there in a show from api.ProgressVersion on.
	Progress  *[]progressView      `json:"progress,omitempty"`
	NotKept   *map[string][]string `json:"not_kept,omitempty"`
	CreatedAt *string              `json:"created_at,omitempty"`
}

// progressView is the progress of one resource, with the id that it has anew.
type progressView struct {
	progress.View
	NewID string `json:"new_id"`
}

type answer struct {
	Restore view `json:"restore"`
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
func (v view) withProgress(r karbor.Restore, resources []karbor.ResourceProgress) view {
	list := make([]progressView, len(resources))
	notKept := map[string][]string{}
	for i, p := range resources {
		list[i] = progressView{View: progress.Of(p), NewID: p.NewID}
		if len(p.NotKept) > 0 {
			notKept[p.Key()] = append(notKept[p.Key()], p.NotKept...)
		}
	}
	v.Progress, v.NotKept, v.CreatedAt = &list, &notKept, api.Time(r.CreatedAt)
	return v
}
