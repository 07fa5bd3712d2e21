package client

import (
	"context"
	"net/http"
	"time"

	"github.com/karbor/karbor"
)

// Hold keeps a checkpoint from being deleted.
type Hold struct {
	Reason string `json:"reason"`
	// Until is its end; empty for one that ends when it is released.
	Until  Timestamp `json:"until"`
	HeldAt Timestamp `json:"held_at"`
	UserID string    `json:"user_id"`
}

// LastVerified is what the newest verification of a checkpoint that came to its end has
// found.
type LastVerified struct {
	At Timestamp `json:"at"`
	// Depth is quick, stored or full.
	Depth  string                    `json:"depth"`
	Result karbor.VerificationStatus `json:"result"`
}

// BankLock says how a bank has locked what a checkpoint needs. Until is empty if not all of it
// was ever locked, Reason says why the last try has failed.
type BankLock struct {
	Until   Timestamp `json:"until"`
	Objects int       `json:"objects"`
	Reason  *string   `json:"reason"`
	TriedAt Timestamp `json:"tried_at"`
}

// Keeping says how a checkpoint is kept. Microversion 1.4.
type Keeping struct {
	// Hold is nil for one that is not held.
	Hold *Hold `json:"hold,omitempty"`
	// ExpiresAt is when it is deleted by itself; empty for never.
	ExpiresAt Timestamp `json:"expires_at,omitempty"`
	// LastVerified is nil for one that was never verified.
	LastVerified *LastVerified `json:"last_verified,omitempty"`
}

// Hold has nobody delete a checkpoint, for a reason, until a time or, if that is zero,
// until Release.
func (p *Checkpoints) Hold(ctx context.Context, provider, id, reason string, until time.Time) (Keeping, error) {
	hold := map[string]any{"reason": reason}
	if !until.IsZero() {
		hold["until"] = until.UTC().Format(time.RFC3339)
	}
	var k Keeping
	err := p.c.do(ctx, call{method: http.MethodPut, path: checkpointsPath(provider) + "/" + escape(id) + "/hold",
		body: map[string]any{"hold": hold}, what: "holding the checkpoint " + id}, &k)
	return k, err
}

// Release ends the hold of a checkpoint.
func (p *Checkpoints) Release(ctx context.Context, provider, id string) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: checkpointsPath(provider) + "/" + escape(id) + "/hold",
		what: "releasing the checkpoint " + id}, nil)
}

// Expire has a checkpoint deleted by itself at a time; zero takes the date away.
func (p *Checkpoints) Expire(ctx context.Context, provider, id string, at time.Time) error {
	var date any
	if !at.IsZero() {
		date = at.UTC().Format(time.RFC3339)
	}
	return p.c.do(ctx, call{method: http.MethodPut, path: checkpointsPath(provider) + "/" + escape(id) + "/expiry",
		body: map[string]any{"expires_at": date}, what: "setting when the checkpoint " + id + " expires"}, nil)
}

// ForceDelete starts to delete a checkpoint though it is the newest verified one of a
// resource. The reason goes into the operation log.
func (p *Checkpoints) ForceDelete(ctx context.Context, provider, id, reason string) error {
	return p.c.do(ctx, call{method: http.MethodPost, path: checkpointsPath(provider) + "/" + escape(id) + "/force_delete",
		body: map[string]any{"force_delete": map[string]any{"reason": reason}}, what: "deleting the checkpoint " + id + " by force"}, nil)
}

// RetentionRules say which checkpoints of a plan are kept, as karbor.RetentionRules.
type RetentionRules struct {
	MaxBackups        int    `json:"max_backups,omitempty"`
	RetentionDuration int    `json:"retention_duration,omitempty"`
	KeepHourly        int    `json:"keep_hourly,omitempty"`
	KeepDaily         int    `json:"keep_daily,omitempty"`
	KeepWeekly        int    `json:"keep_weekly,omitempty"`
	KeepMonthly       int    `json:"keep_monthly,omitempty"`
	KeepYearly        int    `json:"keep_yearly,omitempty"`
	MinimumKeep       int    `json:"minimum_keep,omitempty"`
	IncludeManual     bool   `json:"include_manual,omitempty"`
	Timezone          string `json:"timezone,omitempty"`
	// DryRun says what would go, and deletes nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// Retention is what rules do to a plan.
type Retention struct {
	PlanID string `json:"plan_id"`
	DryRun bool   `json:"dry_run"`
	// Refused says why nothing goes at all; empty if the rules were applied.
	Refused string `json:"refused"`
	// Checkpoints are sorted, the newest first.
	Checkpoints []RetentionVerdict `json:"checkpoints"`
	Gone        int                `json:"gone"`
	// GoneSize is in logical bytes.
	GoneSize int64 `json:"gone_size"`
}

// RetentionVerdict is what rules do to a checkpoint.
type RetentionVerdict struct {
	ID        string    `json:"id"`
	CreatedAt Timestamp `json:"created_at"`
	Size      int64     `json:"size"`
	Goes      bool      `json:"goes"`
	Reasons   []string  `json:"reasons"`
}

// Retention applies rules to the checkpoints of a plan, once. Microversion 1.4.
func (p *Plans) Retention(ctx context.Context, id string, r RetentionRules) (Retention, error) {
	return create[Retention](ctx, p.c, call{path: "/plans/" + escape(id) + "/retention",
		body: map[string]any{"retention": r}, what: "applying rules of retention to the plan " + id}, "retention")
}
