package client

import (
	"context"
	"net/url"
	"strconv"

	"github.com/karbor/karbor"
)

// Compliance is a report on whether the resources of a project are protected as was
// promised. Microversion 1.5.
type Compliance struct {
	ProjectID string `json:"project_id"`
	// CreatedAt is the time that it speaks of.
	CreatedAt Timestamp `json:"created_at"`
	// BackTo is set where older checkpoints were not looked at.
	BackTo Timestamp `json:"back_to"`
	// Total is how many resources there are; Resources may be fewer.
	Total int `json:"total"`
	// Verdicts and Findings say how many resources have each.
	Verdicts  map[string]int       `json:"verdicts"`
	Findings  map[string]int       `json:"findings"`
	Types     []ComplianceType     `json:"types"`
	Resources []ComplianceResource `json:"resources"`
	Unmade    []UnmadeRun          `json:"unmade"`
}

// ComplianceType says what came of listing the resources of a type: State is listed,
// partial, absent or failed.
type ComplianceType struct {
	Type   karbor.ResourceType `json:"type"`
	State  string              `json:"state"`
	Count  int                 `json:"count"`
	Reason *string             `json:"reason"`
}

// ComplianceResource is what is to be said of one resource.
type ComplianceResource struct {
	Type karbor.ResourceType `json:"type"`
	ID   string              `json:"id"`
	Name string              `json:"name"`
	// Verdict is the first of Findings.
	Verdict  string           `json:"verdict"`
	Findings []string         `json:"findings"`
	Plans    []CompliancePlan `json:"plans"`
	// RPOSeconds is what the strictest schedule promises, AllowedSeconds with the time by
	// which a run may begin late; nil if nothing is promised.
	RPOSeconds     *int64  `json:"rpo_seconds"`
	AllowedSeconds *int64  `json:"allowed_age_seconds"`
	PromisedBy     *string `json:"promised_by"`
	// AgeSeconds is how old the data of Checkpoint is; nil without one.
	AgeSeconds   *int64              `json:"age_seconds"`
	Checkpoint   *GoodCheckpoint     `json:"last_good_checkpoint"`
	LastVerified *ComplianceVerified `json:"last_verified"`
	LastDrill    *ComplianceDrill    `json:"last_drill"`
}

// CompliancePlan is a plan that includes a resource: directly, by dependency, by project or
// by topology, as Through says.
type CompliancePlan struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	ProviderID string `json:"provider_id"`
	Through    string `json:"through"`
}

// GoodCheckpoint is the last good checkpoint of a resource.
type GoodCheckpoint struct {
	ID         string    `json:"id"`
	ProviderID string    `json:"provider_id"`
	PlanID     string    `json:"plan_id"`
	DataFrom   Timestamp `json:"data_from"`
	// Bank is the copy target in whose bank it lies; nil for the provider's own.
	Bank *string `json:"bank"`
	// Copies are the copy targets that have a copy of it.
	Copies []string `json:"copies"`
}

// ComplianceVerified is the last time that a resource was found good.
type ComplianceVerified struct {
	CheckpointID string    `json:"checkpoint_id"`
	At           Timestamp `json:"at"`
	Depth        string    `json:"depth"`
}

// ComplianceDrill is the last drill that restored a resource.
type ComplianceDrill struct {
	ID           string    `json:"id"`
	CheckpointID string    `json:"checkpoint_id"`
	At           Timestamp `json:"at"`
	Verdict      string    `json:"verdict"`
	// RTOSeconds is how long it took until it was ready; nil if it never was.
	RTOSeconds *int64 `json:"rto_seconds"`
}

// UnmadeRun is a run that should have happened and did not.
type UnmadeRun struct {
	ScheduledOperationID string    `json:"scheduled_operation_id"`
	Name                 string    `json:"name"`
	OperationType        string    `json:"operation_type"`
	PlanID               string    `json:"plan_id"`
	ExpectedAt           Timestamp `json:"expected_at"`
	// State is overdue, skipped, dropped_out_of_window or error.
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// ComplianceOptions narrow a report down. Zero values ask for nothing.
type ComplianceOptions struct {
	Type             karbor.ResourceType
	Verdict, Finding string
	// VerifiedDays, DrilledDays and UnmadeDays are numbers of days: within which a resource
	// is to have been verified, within which drilled, and how far back it is looked for
	// runs that did not happen.
	VerifiedDays, DrilledDays, UnmadeDays int
}

// Compliance reports on the resources of the project. The service asks the cloud for them:
// it may take seconds.
func (c *Client) Compliance(ctx context.Context, o ComplianceOptions) (Compliance, error) {
	q := url.Values{}
	for name, v := range map[string]string{"type": string(o.Type), "verdict": o.Verdict, "finding": o.Finding} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, n := range map[string]int{"verified_days": o.VerifiedDays, "drilled_days": o.DrilledDays, "unmade_days": o.UnmadeDays} {
		if n != 0 {
			q.Set(name, strconv.Itoa(n))
		}
	}
	return show[Compliance](ctx, c, call{path: "/compliance", query: q, what: "reporting on the project's protection"}, "compliance")
}
