// Package retentions serves the rules of retention: what they would do to the
// checkpoints of a plan, and doing it once.
package retentions

import (
	"context"
	_ "embed"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/protectionservice"
)

// Store keeps plans; store.Store is one.
type Store interface {
	Plan(ctx context.Context, projectID, id string) (karbor.Plan, error)
}

// Service applies the rules; protectionservice.Service is one.
type Service interface {
	ApplyRetention(ctx context.Context, c protectionservice.Caller, r protectionservice.RetentionRequest) (protectionservice.RetentionResult, error)
}

// Deps are what the room needs.
type Deps struct {
	Store   Store
	Service Service
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
}

//go:embed apply.json
var applySchema []byte

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	return []api.Route{{
		Method: "POST", Pattern: "/plans/{id}/retention", Rule: "plan:retention", Since: api.ControlVersion, Body: applySchema, Handle: d.apply, Tag: "plans",
		Summary: "Apply rules of retention to a plan",
		Description: "Says of each checkpoint of the plan, but copies, whether it goes, and why. With `dry_run` nothing is deleted; " +
			"without, what goes is being deleted after the answer. What is held or in use, the newest good checkpoint and the newest verified one of " +
			"each resource always stay, and nothing goes while the newest checkpoint is one that failed.",
		Answer: answer{},
	}}
}

// view is what rules do to a plan, on the wire.
type view struct {
	PlanID  string  `json:"plan_id"`
	DryRun  bool    `json:"dry_run"`
	Refused *string `json:"refused" doc:"Why nothing goes at all; null if the rules were applied."`
	// Checkpoints are sorted, the newest first.
	Checkpoints []verdictView `json:"checkpoints" doc:"The newest first."`
	Gone        int           `json:"gone" doc:"How many go."`
	GoneSize    int64         `json:"gone_size" doc:"Logical bytes that they hold. Deleting them frees less where others hold the same data."`
}

type verdictView struct {
	ID        string   `json:"id"`
	CreatedAt *string  `json:"created_at" format:"date-time"`
	Size      int64    `json:"size" doc:"Logical bytes."`
	Goes      bool     `json:"goes"`
	Reasons   []string `json:"reasons" doc:"All that keep it, or why it goes."`
}

type answer struct {
	Retention view `json:"retention"`
}

type asked struct {
	DryRun            bool   `json:"dry_run"`
	MaxBackups        int    `json:"max_backups"`
	RetentionDuration int    `json:"retention_duration"`
	KeepHourly        int    `json:"keep_hourly"`
	KeepDaily         int    `json:"keep_daily"`
	KeepWeekly        int    `json:"keep_weekly"`
	KeepMonthly       int    `json:"keep_monthly"`
	KeepYearly        int    `json:"keep_yearly"`
	MinimumKeep       int    `json:"minimum_keep"`
	IncludeManual     bool   `json:"include_manual"`
	Timezone          string `json:"timezone"`
}

func (a asked) rules() karbor.RetentionRules {
	return karbor.RetentionRules{
		MaxBackups: a.MaxBackups, RetentionDuration: a.RetentionDuration, Timezone: a.Timezone, Manual: a.IncludeManual,
		Keep: karbor.KeepRules{
			Hourly: a.KeepHourly, Daily: a.KeepDaily, Weekly: a.KeepWeekly, Monthly: a.KeepMonthly, Yearly: a.KeepYearly, Minimum: a.MinimumKeep,
		},
	}
}

func (d Deps) apply(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Retention asked `json:"retention"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	plan, err := d.Store.Plan(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	rules := body.Retention.rules()
	if !rules.Limited() {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute retention: it needs max_backups, retention_duration or a keep rule, without which all checkpoints stay.")
	}
	caller := protectionservice.Caller{Identity: r.Identity, Cloud: d.Session(r.Identity), Project: plan.ProjectID}
	result, err := d.Service.ApplyRetention(ctx, caller, protectionservice.RetentionRequest{
		PlanID: plan.ID, Rules: rules, DryRun: body.Retention.DryRun,
	})
	if err != nil {
		return nil, err
	}
	v := view{PlanID: plan.ID, DryRun: body.Retention.DryRun, Refused: api.Text(result.Refused), Checkpoints: []verdictView{}}
	for _, one := range result.Verdicts {
		v.Checkpoints = append(v.Checkpoints, verdictView{
			ID: one.CheckpointID, CreatedAt: api.Time(one.CreatedAt), Size: one.Size, Goes: one.Goes, Reasons: one.Reasons,
		})
		if one.Goes {
			v.Gone++
			v.GoneSize += one.Size
		}
	}
	return answer{v}, nil
}
