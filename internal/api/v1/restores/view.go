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
	Status          karbor.RestoreStatus            `json:"status" enum:"in_progress|success|fail"`
	ResourcesStatus map[string]karbor.ResourceState `json:"resources_status" doc:"By TYPE#new id, or TYPE#original id as long as there is no new one."`
	ResourcesReason map[string]string               `json:"resources_reason" doc:"By the same keys, what failed."`
	// These are there in a show from api.ProgressVersion on.
	Progress  *[]progressView      `json:"progress,omitempty" doc:"From 1.1, in a show: how far it is, by resource."`
	NotKept   *map[string][]string `json:"not_kept,omitempty" doc:"From 1.1, in a show: by TYPE#id of the original, what could not be brought back."`
	CreatedAt *string              `json:"created_at,omitempty" doc:"From 1.1, in a show." format:"date-time"`
	Keep      *bool                `json:"keep_on_failure,omitempty" doc:"From 1.3, in a show: whether what is restored stays when the restore fails elsewhere."`
}

// progressView is the progress of one resource, with the id that it has anew.
type progressView struct {
	progress.View
	NewID string `json:"new_id" doc:"Id of the restored resource; empty until it exists."`
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
