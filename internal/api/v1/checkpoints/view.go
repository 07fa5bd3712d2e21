package checkpoints

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/progress"
)

// view is a checkpoint on the wire.
type view struct {
	ID        string                  `json:"id"`
	ProjectID string                  `json:"project_id"`
	Status    karbor.CheckpointStatus `json:"status"`
	Plan      planView                `json:"protection_plan"`
	// Graph and ExtraInfo are texts that hold JSON: so the original had it, and
	// its client decodes them. The client can't read a null graph.
	Graph     string `json:"resource_graph,omitempty" doc:"A text that holds JSON: the resources and what depends on what."`
	CreatedAt string `json:"created_at" format:"date"`
	ExtraInfo string `json:"extra_info" doc:"A text that holds JSON: created_by, and the caller's own members."`
	// Size is there from api.ProgressVersion on, the others in a show only.
	Size      *int64                  `json:"size,omitempty" doc:"From 1.1: logical bytes that it holds."`
	Progress  *[]progress.View        `json:"progress,omitempty" doc:"From 1.1, in a show: how far the newest operation is, by resource."`
	Reasons   *map[string]string      `json:"reasons,omitempty" doc:"From 1.1, in a show: by TYPE#id, what failed."`
	NotKept   *map[string][]string    `json:"not_kept,omitempty" doc:"From 1.3, in a show: by TYPE#id, what of the resource a restore can't bring back."`
	Figures   *map[string]figuresView `json:"figures,omitempty" doc:"From 1.3, in a show: by TYPE#id, how many bytes it holds and has added to the bank."`
	LastDrill *lastDrillView          `json:"last_drill,omitempty" doc:"From 1.5, in a show, and from 1.6, in a list: its newest drill that is over."`
	// BankLock is there in a show from api.ProofVersion on.
	BankLock *lockView `json:"bank_lock,omitempty" doc:"From 1.5, in a show, of one that is or was held in a bank with object lock: until when nobody can remove it there."`
	keepingView
	copyView
}

// figuresView is karbor.Figures on the wire.
type figuresView struct {
	Size   int64  `json:"size" doc:"Logical bytes."`
	New    *int64 `json:"new,omitempty" doc:"How many of them the bank had not had before. Missing where that is not told."`
	Stored *int64 `json:"stored,omitempty" doc:"How many bytes the bank has got more. Missing where that is not told."`
}

// planView is what a checkpoint remembers of its plan, on the wire.
type planView struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	ProviderID string            `json:"provider_id"`
	Resources  []karbor.Resource `json:"resources"`
}

type answer struct {
	Checkpoint view `json:"checkpoint"`
}

func viewOf(c karbor.Checkpoint, version api.Version) (view, error) {
	v := view{
		ID: c.ID, ProjectID: c.ProjectID, Status: c.Status,
		Plan:      planView{ID: c.Plan.ID, Name: c.Plan.Name, ProviderID: c.Plan.ProviderID, Resources: c.Plan.Resources},
		CreatedAt: c.CreatedAt.UTC().Format(time.DateOnly),
		ExtraInfo: "{}",
		copyView:  copyViewOf(c, version),
	}
	if v.Plan.Resources == nil {
		v.Plan.Resources = []karbor.Resource{}
	}
	if c.Graph != nil {
		text, err := c.Graph.MarshalText()
		if err != nil {
			return view{}, fmt.Errorf("writing the graph of checkpoint %s: %w", c.ID, err)
		}
		v.Graph = string(text)
	}
	if len(c.ExtraInfo) > 0 {
		text, err := json.Marshal(c.ExtraInfo)
		if err != nil {
			return view{}, fmt.Errorf("writing the extra info of checkpoint %s: %w", c.ID, err)
		}
		v.ExtraInfo = string(text)
	}
	if version >= api.ProgressVersion {
		v.Size = &c.Size
	}
	return v, nil
}

// withProgress adds what a show has from api.ProgressVersion on.
func (v view) withProgress(c karbor.Checkpoint, resources []karbor.ResourceProgress, version api.Version) view {
	list := make([]progress.View, len(resources))
	for i, p := range resources {
		list[i] = progress.Of(p, version)
	}
	reasons := c.Reasons
	if reasons == nil {
		reasons = map[string]string{}
	}
	v.Progress, v.Reasons = &list, &reasons
	return v
}

// withFigures adds what a show has from api.FiguresVersion on.
func (v view) withFigures(c karbor.Checkpoint) view {
	figures := make(map[string]figuresView, len(c.Figures))
	for key, f := range c.Figures {
		figures[key] = figuresView(f)
	}
	v.Figures = &figures
	return v
}

// withNotKept adds what a show has from api.FiguresVersion on of what is not kept.
func (v view) withNotKept(resources []karbor.ResourceProgress) view {
	notKept := map[string][]string{}
	for _, p := range resources {
		if len(p.NotKept) > 0 {
			notKept[p.Key()] = append(notKept[p.Key()], p.NotKept...)
		}
	}
	v.NotKept = &notKept
	return v
}
