package compliance

import (
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/compliance"
)

type answer struct {
	Compliance view `json:"compliance"`
}

// view is a report on the wire.
type view struct {
	ProjectID string  `json:"project_id"`
	CreatedAt *string `json:"created_at" format:"date-time" doc:"The time that it speaks of."`
	// BackTo is null where all checkpoints were looked at.
	BackTo    *string        `json:"back_to" format:"date-time" doc:"Older checkpoints than this were not looked at; null if all were."`
	Total     int            `json:"total" doc:"How many resources there are, whatever the filters."`
	Verdicts  map[string]int `json:"verdicts" doc:"How many have each verdict; together all."`
	Findings  map[string]int `json:"findings" doc:"Of how many each is found; a resource may count several times."`
	Types     []typeView     `json:"types" doc:"What came of listing the resources of each type."`
	Resources []rowView      `json:"resources" doc:"By type, name and id."`
	Unmade    []unmadeView   `json:"unmade" doc:"Runs that should have happened and did not, the latest first, at most some hundred."`
}

type typeView struct {
	Type   karbor.ResourceType `json:"type"`
	State  string              `json:"state" enum:"listed|partial|absent|failed"`
	Count  int                 `json:"count" doc:"How many were found."`
	Reason *string             `json:"reason" doc:"Why they are not all listed."`
}

type rowView struct {
	Type         karbor.ResourceType `json:"type"`
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Verdict      string              `json:"verdict" doc:"The first of findings." enum:"missing|unprotected|no_checkpoint|damaged|late|unpromised|unverified|undrilled|unlisted|kept"`
	Findings     []string            `json:"findings" doc:"All that is found; kept alone if nothing is."`
	Plans        []planView          `json:"plans" doc:"The plans that include it."`
	RPO          *int64              `json:"rpo_seconds" doc:"The longest time between two runs of the strictest schedule; null if none is promised."`
	Allowed      *int64              `json:"allowed_age_seconds" doc:"rpo_seconds and the time by which a run may begin late."`
	PromisedBy   *string             `json:"promised_by" doc:"The scheduled operation that promises it."`
	Age          *int64              `json:"age_seconds" doc:"How old the data of the last good checkpoint is; null without one."`
	Checkpoint   *goodView           `json:"last_good_checkpoint"`
	LastVerified *verifiedView       `json:"last_verified" doc:"When a checkpoint of it was last verified and found good."`
	LastDrill    *drillView          `json:"last_drill"`
}

type planView struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	ProviderID string `json:"provider_id"`
	Through    string `json:"through" enum:"direct|dependency|project|topology" doc:"How the plan includes it."`
}

type goodView struct {
	ID         string   `json:"id"`
	ProviderID string   `json:"provider_id"`
	PlanID     string   `json:"plan_id"`
	DataFrom   *string  `json:"data_from" format:"date-time"`
	Bank       *string  `json:"bank" doc:"The copy target in whose bank it lies; null for the provider's own."`
	Copies     []string `json:"copies" doc:"The copy targets that have a copy of it."`
}

type verifiedView struct {
	CheckpointID string  `json:"checkpoint_id"`
	At           *string `json:"at" format:"date-time"`
	Depth        string  `json:"depth" enum:"quick|stored|full"`
}

type drillView struct {
	ID           string  `json:"id"`
	CheckpointID string  `json:"checkpoint_id"`
	At           *string `json:"at" format:"date-time"`
	Verdict      string  `json:"verdict" enum:"passed|failed|inconclusive"`
	RTO          *int64  `json:"rto_seconds" doc:"How long it took until the resource was ready, rounded up; null if it never was."`
}

type unmadeView struct {
	ScheduledOperationID string                        `json:"scheduled_operation_id"`
	Name                 string                        `json:"name"`
	OperationType        karbor.ScheduledOperationType `json:"operation_type"`
	PlanID               string                        `json:"plan_id"`
	ExpectedAt           *string                       `json:"expected_at" format:"date-time"`
	State                string                        `json:"state" enum:"overdue|skipped|dropped_out_of_window|error"`
	Reason               string                        `json:"reason"`
}

// viewOf gives a report with the rows that are wanted.
func viewOf(r *compliance.Report, wanted func(*compliance.Resource) bool) view {
	verdicts, findings := r.Totals()
	v := view{
		ProjectID: r.ProjectID, CreatedAt: api.Time(r.At), BackTo: api.Time(r.BackTo), Total: len(r.Resources),
		Verdicts: named(verdicts), Findings: named(findings), Types: []typeView{}, Resources: []rowView{}, Unmade: []unmadeView{},
	}
	for _, t := range r.Types {
		v.Types = append(v.Types, typeView{Type: t.Type, State: string(t.State), Count: t.Count, Reason: api.Text(t.Reason)})
	}
	for i := range r.Resources {
		if wanted(&r.Resources[i]) {
			v.Resources = append(v.Resources, rowOf(&r.Resources[i]))
		}
	}
	for _, u := range r.Unmade {
		v.Unmade = append(v.Unmade, unmadeView{
			ScheduledOperationID: u.ScheduledOperationID, Name: u.Name, OperationType: u.Type, PlanID: u.PlanID,
			ExpectedAt: api.Time(u.ExpectedAt), State: u.State, Reason: u.Reason,
		})
	}
	return v
}

func named(counts map[compliance.Finding]int) map[string]int {
	out := make(map[string]int, len(counts))
	for f, n := range counts {
		out[string(f)] = n
	}
	return out
}

func rowOf(row *compliance.Resource) rowView {
	v := rowView{
		Type: row.Type, ID: row.ID, Name: row.Name, Verdict: string(row.Verdict), Findings: []string{}, Plans: []planView{},
	}
	for _, f := range row.Findings {
		v.Findings = append(v.Findings, string(f))
	}
	for _, m := range row.Plans {
		v.Plans = append(v.Plans, planView{ID: m.PlanID, Name: m.PlanName, ProviderID: m.ProviderID, Through: string(m.Through)})
	}
	if p := row.Promise; p != nil {
		v.RPO, v.Allowed, v.PromisedBy = seconds(p.Every), seconds(p.Allowed), &p.ScheduledOperationID
	}
	if g := row.Good; g != nil {
		v.Age = seconds(row.Age)
		v.Checkpoint = &goodView{
			ID: g.CheckpointID, ProviderID: g.ProviderID, PlanID: g.PlanID, DataFrom: api.Time(g.At), Bank: api.Text(g.Bank), Copies: append([]string{}, g.Copies...),
		}
	}
	if w := row.Verified; w != nil {
		v.LastVerified = &verifiedView{CheckpointID: w.CheckpointID, At: api.Time(w.At), Depth: w.Depth}
	}
	if d := row.Drilled; d != nil {
		v.LastDrill = &drillView{ID: d.DrillID, CheckpointID: d.CheckpointID, At: api.Time(d.At), Verdict: string(d.Verdict)}
		if d.RecoveryTime > 0 {
			v.LastDrill.RTO = seconds(d.RecoveryTime)
		}
	}
	return v
}

// seconds gives a duration in whole seconds, rounded up.
func seconds(d time.Duration) *int64 {
	return new(int64((d + time.Second - 1) / time.Second))
}
