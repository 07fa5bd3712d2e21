package deletion

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/retention"
	"github.com/karbor/karbor/internal/store"
)

// RetentionRequest asks to apply rules to the checkpoints of a plan.
type RetentionRequest struct {
	// ProviderID is whose checkpoints are meant; "" is the plan's provider.
	ProviderID, PlanID string
	Rules              karbor.RetentionRules
	// After is the checkpoint of the run after which this is done: nothing goes unless
	// it is available. "" is for no run.
	After string
	// DryRun says what would go, and deletes nothing.
	DryRun bool
}

// RetentionVerdict is what becomes of a checkpoint.
type RetentionVerdict struct {
	CheckpointID string
	CreatedAt    time.Time
	// Size is in logical bytes.
	Size int64
	// Goes says that it is being deleted, or would be.
	Goes bool
	// Reasons are sentences: all that keep it, or why it goes.
	Reasons []string
}

// RetentionResult is what rules do to a plan.
type RetentionResult struct {
	// Refused is a sentence that says why nothing goes; "" if the rules were applied.
	Refused string
	// Verdicts are of all of the plan's checkpoints but copies, newest first.
	Verdicts []RetentionVerdict
}

// ApplyRetention deletes the checkpoints of a plan that the rules don't keep, as the
// caller, and says of each checkpoint why it stays or goes; the deletions go on behind it.
// What the gate holds back after all stays with that reason. Rules of which any is out of
// range, and an unknown time zone, are karbor.Invalid.
func (d *Deleter) ApplyRetention(ctx context.Context, c admission.Caller, r RetentionRequest) (RetentionResult, error) {
	var result RetentionResult
	if err := CheckRetention(r.Rules); err != nil {
		return result, err
	}
	zone, err := retention.Zone(r.Rules.Timezone)
	if err != nil {
		return result, err
	}
	plan, err := d.store.Plan(ctx, c.ActsOn(), r.PlanID)
	if err != nil {
		return result, err
	}
	p, err := d.providers.ByID(cmp.Or(r.ProviderID, plan.ProviderID))
	if err != nil {
		return result, err
	}
	rows, err := d.store.PlannedCheckpoints(ctx, c.ActsOn(), p.ID, plan.ID)
	if err != nil {
		return result, err
	}
	busy, err := d.store.BusyCheckpoints(ctx, p.ID)
	if err != nil {
		return result, err
	}
	known := make(map[string]store.PlannedCheckpoint, len(rows))
	request := retention.Request{Now: d.now(), Rules: r.Rules, Zone: zone, After: r.After}
	for _, row := range rows {
		known[row.ID] = row
		request.Checkpoints = append(request.Checkpoints, d.planned(row, busy[row.ID]))
	}
	decided := retention.Decide(request)
	result.Refused = decided.Refused
	place := map[string]int{}
	for i, v := range decided.Verdicts {
		place[v.ID] = i
		result.Verdicts = append(result.Verdicts, RetentionVerdict{
			CheckpointID: v.ID, CreatedAt: known[v.ID].CreatedAt, Size: known[v.ID].Size, Goes: v.Goes, Reasons: v.Reasons,
		})
	}
	if r.DryRun {
		return result, nil
	}
	scheduled := ""
	if c.Run != nil {
		// The deletions are operations of their own, and not the run's.
		scheduled, c.Run = c.Run.ScheduledOperationID, nil
	}
	for _, id := range decided.Gone() {
		v := &result.Verdicts[place[id]]
		err := d.Delete(ctx, c, Request{
			ProviderID: p.ID, ID: id, By: ByRetention, Reason: strings.Join(v.Reasons, " "), ScheduledOperationID: scheduled,
		})
		switch {
		case err == nil:
		case karbor.KindOf(err) == karbor.Conflict || karbor.KindOf(err) == karbor.NotFound:
			v.Goes, v.Reasons = false, []string{karbor.Sentence(err)}
		default:
			return result, err
		}
	}
	return result, nil
}

// planned is a checkpoint as the rules see it; doing is what works on it.
func (d *Deleter) planned(row store.PlannedCheckpoint, doing karbor.OperationType) retention.Checkpoint {
	c := retention.Checkpoint{
		ID: row.ID, MadeAt: row.CreatedAt, Status: row.Status, Scheduled: madeBySchedule(row.ExtraInfo), ExpiresAt: row.ExpiresAt,
		Faulty: row.LastVerified != nil && row.LastVerified.Result == karbor.VerificationError,
	}
	for _, key := range row.Verified {
		name := resourceName(key)
		if _, role, ok := strings.Cut(key, "@"); ok {
			name += " (" + role + ")" // which is another one
		}
		c.Verified = append(c.Verified, name)
	}
	if row.Hold.On(d.now()) {
		c.Held = "The " + heldSentence(row.ID, row.Hold) + "."
	}
	if doing != "" {
		c.InUse = "It is in use by the operation " + string(doing) + "."
	}
	return c
}

// madeBySchedule reports whether the extra information of a checkpoint says so.
func madeBySchedule(extra map[string]json.RawMessage) bool {
	var by string
	return json.Unmarshal(extra[admission.CreatedBy], &by) == nil && by == admission.ScheduledBy
}

// The most of the numbers of retention rules.
const (
	mostBackups = 1_000_000
	mostDays    = 36_500
)

// CheckRetention reports, as karbor.Invalid, rules of which a number is out of range.
func CheckRetention(r karbor.RetentionRules) error {
	for _, n := range []struct {
		name  string
		value int
		most  int
	}{
		{"max_backups", r.MaxBackups, mostBackups}, {"retention_duration", r.RetentionDuration, mostDays},
		{"keep_hourly", r.Keep.Hourly, mostBackups}, {"keep_daily", r.Keep.Daily, mostBackups}, {"keep_weekly", r.Keep.Weekly, mostBackups},
		{"keep_monthly", r.Keep.Monthly, mostBackups}, {"keep_yearly", r.Keep.Yearly, mostBackups}, {"minimum_keep", r.Keep.Minimum, mostBackups},
	} {
		if n.value < 0 || n.value > n.most {
			return karbor.Errorf(karbor.Invalid, "%s: %d is not from 0 to %d", n.name, n.value, n.most)
		}
	}
	return nil
}
