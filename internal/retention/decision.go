// Package retention decides which checkpoints of a plan go and which stay, and says
// why. It is told all that it needs, and does nothing itself: who deletes goes through
// the protection service's gate.
//
// docs/tenants/retention.md says the rules in the tenant's words.
package retention

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
)

// Checkpoint is what a decision needs to know of a checkpoint.
type Checkpoint struct {
	ID     string
	MadeAt time.Time
	Status karbor.CheckpointStatus
	// Scheduled says that a schedule asked for it, not a tenant.
	Scheduled bool
	// Faulty says that its newest verification has found it damaged.
	Faulty bool
	// Verified are the resources in it whose newest verification found them good.
	Verified []string
	// Held says until when, and why, nothing may delete it, as a sentence; "" if it is
	// not held. InUse says in the same way what works on it.
	Held, InUse string
	// ExpiresAt is a date that was set for it alone; zero for none. The rules leave such
	// a one alone.
	ExpiresAt time.Time
}

// Request is what is decided on.
type Request struct {
	Now   time.Time
	Rules karbor.RetentionRules
	// Zone is the zone of the rules; nil is UTC.
	Zone *time.Location
	// After is the checkpoint of the run after which the rules are applied: it must
	// be available. "" is for no run.
	After string
	// Checkpoints are all of one plan, in any order.
	Checkpoints []Checkpoint
}

// Verdict is what is decided of a checkpoint.
type Verdict struct {
	ID   string
	Goes bool
	// Reasons are sentences: all that keep it, or why it goes. There is at least one.
	Reasons []string
}

// Decision is what is decided of a plan.
type Decision struct {
	// Refused is a sentence that says why nothing goes; "" if the rules were applied.
	Refused string
	// Verdicts are of all checkpoints, newest first.
	Verdicts []Verdict
}

// Gone gives the ids of those that go, oldest first.
func (d Decision) Gone() []string {
	var out []string
	for _, v := range slices.Backward(d.Verdicts) {
		if v.Goes {
			out = append(out, v.ID)
		}
	}
	return out
}

// Decide decides. Its result depends on the request only. These hold for any request:
// what goes is available, and made by a schedule unless the rules say otherwise; what is
// held, in use, has a date of its own, is the newest good one or the newest verified one
// of a resource stays; nothing goes after a run that failed; and once what goes has gone,
// the same request lets nothing more go.
func Decide(r Request) Decision {
	all := slices.Clone(r.Checkpoints)
	slices.SortFunc(all, func(a, b Checkpoint) int {
		return cmp.Or(b.MadeAt.Compare(a.MadeAt), cmp.Compare(b.ID, a.ID))
	})
	d := Decision{Refused: refusal(r, all)}
	v := newView(r, all)
	for _, c := range all {
		stays := v.staying(c)
		switch {
		case len(stays) > 0:
			d.Verdicts = append(d.Verdicts, Verdict{ID: c.ID, Reasons: stays})
		case d.Refused != "":
			d.Verdicts = append(d.Verdicts, Verdict{ID: c.ID, Reasons: []string{d.Refused}})
		default:
			d.Verdicts = append(d.Verdicts, Verdict{ID: c.ID, Goes: true, Reasons: v.going(c)})
		}
	}
	return d
}

// refusal says why nothing may go at all; all are sorted, the newest first.
func refusal(r Request, all []Checkpoint) string {
	if !r.Rules.Limited() {
		return "The rules set no limit."
	}
	if r.After != "" {
		i := slices.IndexFunc(all, func(c Checkpoint) bool { return c.ID == r.After })
		if i < 0 || all[i].Status != karbor.CheckpointAvailable {
			return "The run has made no checkpoint that is available, and nothing goes after a run that failed."
		}
	}
	for _, c := range all {
		if c.Status == karbor.CheckpointProtecting {
			continue // nobody knows yet
		}
		if c.Status == karbor.CheckpointError {
			return fmt.Sprintf("The newest checkpoint, %s, has failed, and nothing goes after a run that failed.", c.ID)
		}
		if c.Status == karbor.CheckpointAvailable {
			break
		}
	}
	return ""
}

// view is a plan as the rules see it.
type view struct {
	now   time.Time
	rules karbor.RetentionRules
	// newer counts the good candidates that are newer than each candidate.
	newer map[string]int
	// guarded are the reasons for which a checkpoint stays that the rules do not say, and
	// kept those that they say.
	guarded, kept map[string][]string
}

func newView(r Request, all []Checkpoint) *view {
	v := &view{
		now: r.Now, rules: r.Rules, newer: map[string]int{}, guarded: map[string][]string{}, kept: map[string][]string{},
	}
	var good []Checkpoint
	for _, c := range all {
		if v.leaves(c) != "" {
			continue
		}
		v.newer[c.ID] = len(good)
		if !c.Faulty {
			good = append(good, c)
		}
	}
	if len(good) > 0 {
		v.guard(good[0].ID, "It is the newest good one.")
	}
	verified := map[string]bool{}
	for _, c := range all {
		if c.Status != karbor.CheckpointAvailable {
			continue
		}
		for _, resource := range c.Verified {
			if !verified[resource] {
				verified[resource] = true
				v.guard(c.ID, fmt.Sprintf("It is the newest one in which %s was verified.", resource))
			}
		}
	}
	for i := range min(r.Rules.Keep.Minimum, len(good)) {
		v.keep(good[i].ID, fmt.Sprintf("minimum_keep is %d.", r.Rules.Keep.Minimum))
	}
	for _, p := range periods(r.Rules.Keep) {
		for _, c := range p.newest(good, r.Zone) {
			v.keep(c.ID, fmt.Sprintf("It is the newest of its %s, and %s is %d.", p.word, p.rule, p.count))
		}
	}
	return v
}

func (v *view) guard(id, why string) { v.guarded[id] = append(v.guarded[id], why) }
func (v *view) keep(id, why string)  { v.kept[id] = append(v.kept[id], why) }

// leaves says why the rules leave a checkpoint alone; "" for a candidate.
func (v *view) leaves(c Checkpoint) string {
	switch {
	case c.Status != karbor.CheckpointAvailable:
		return fmt.Sprintf("It is %s, and only available ones go.", c.Status)
	case !c.Scheduled && !v.rules.Manual:
		return "It was made by hand, and not by a schedule."
	case !c.ExpiresAt.IsZero():
		return fmt.Sprintf("It has a date of its own: it expires at %s.", c.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return ""
}

// staying gives all reasons for which a checkpoint stays.
func (v *view) staying(c Checkpoint) []string {
	var why []string
	for _, one := range []string{c.Held, c.InUse, v.leaves(c)} {
		if one != "" {
			why = append(why, one)
		}
	}
	why = append(why, v.guarded[c.ID]...)
	if v.leaves(c) != "" {
		return why
	}
	why = append(why, v.kept[c.ID]...)
	if v.limited() && len(v.beyond(c)) == 0 {
		why = append(why, "It is within the limits.")
	}
	return why
}

// limited reports whether there is a limit, so that what is within stays.
func (v *view) limited() bool { return v.rules.MaxBackups > 0 || v.rules.RetentionDuration > 0 }

// beyond gives the limits that a checkpoint is beyond.
func (v *view) beyond(c Checkpoint) []string {
	var why []string
	if n := v.rules.MaxBackups; n > 0 && v.newer[c.ID] >= n {
		why = append(why, fmt.Sprintf("There are %d newer ones, and max_backups is %d.", v.newer[c.ID], n))
	}
	if days := v.rules.RetentionDuration; days > 0 && v.now.Sub(c.MadeAt) > time.Duration(days)*24*time.Hour {
		why = append(why, fmt.Sprintf("It is older than %d days, which is retention_duration.", days))
	}
	return why
}

// going says why a checkpoint goes that nothing keeps.
func (v *view) going(c Checkpoint) []string {
	if why := v.beyond(c); len(why) > 0 {
		return why
	}
	return []string{"No rule keeps it."}
}
