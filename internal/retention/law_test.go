package retention_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/retention"
)

// decider is Decide, or one with a bug.
type decider func(retention.Request) retention.Decision

// laws are what must hold for any request. Each gives a sentence if it does not.
func laws() map[string]func(decider, retention.Request) string {
	return map[string]func(decider, retention.Request) string{
		"all are told of once, newest first":                          complete,
		"only available ones that a schedule made go":                 onlyOwn,
		"what is held, in use or has a date of its own stays":         onlyFree,
		"the newest good one stays":                                   newestGood,
		"the newest verified one of each resource stays":              newestVerified,
		"nothing goes after a run that failed":                        onlyAfterSuccess,
		"the newest in number and the minimum stay":                   newestInNumber,
		"the newest of each period stays, in the zone":                newestOfPeriod,
		"what nothing keeps goes":                                     restGoes,
		"a second time, nothing more goes":                            settled,
		"one more checkpoint never lets more go than there are rules": gentle,
		"one more checkpoint never brings back what had to go":        steady,
		"milder rules let nothing go that stricter ones keep":         monotone,
	}
}

func byID(r retention.Request) map[string]retention.Checkpoint {
	out := map[string]retention.Checkpoint{}
	for _, c := range r.Checkpoints {
		out[c.ID] = c
	}
	return out
}

func gone(d retention.Decision) map[string]bool {
	out := map[string]bool{}
	for _, id := range d.Gone() {
		out[id] = true
	}
	return out
}

// sorted gives the checkpoints, newest first.
func sorted(r retention.Request) []retention.Checkpoint {
	return slices.SortedFunc(slices.Values(r.Checkpoints), func(a, b retention.Checkpoint) int {
		if !a.MadeAt.Equal(b.MadeAt) {
			return b.MadeAt.Compare(a.MadeAt)
		}
		if a.ID > b.ID {
			return -1
		}
		return 1
	})
}

// candidate reports whether the rules hold for a checkpoint at all.
func candidate(r retention.Request, c retention.Checkpoint) bool {
	return c.Status == karbor.CheckpointAvailable && (c.Scheduled || r.Rules.Manual) && c.ExpiresAt.IsZero()
}

// good gives the candidates that are not faulty, newest first.
func good(r retention.Request) []retention.Checkpoint {
	return slices.DeleteFunc(sorted(r), func(c retention.Checkpoint) bool { return !candidate(r, c) || c.Faulty })
}

func complete(decide decider, r retention.Request) string {
	d := decide(r)
	for i, c := range sorted(r) {
		if len(d.Verdicts) != len(r.Checkpoints) || d.Verdicts[i].ID != c.ID || len(d.Verdicts[i].Reasons) == 0 {
			return fmt.Sprintf("verdicts %v", d.Verdicts)
		}
	}
	return ""
}

func onlyOwn(decide decider, r retention.Request) string {
	all := byID(r)
	for id := range gone(decide(r)) {
		if c := all[id]; c.Status != karbor.CheckpointAvailable || !c.Scheduled && !r.Rules.Manual {
			return fmt.Sprintf("%+v goes", c)
		}
	}
	return ""
}

func onlyFree(decide decider, r retention.Request) string {
	all := byID(r)
	for id := range gone(decide(r)) {
		if c := all[id]; c.Held != "" || c.InUse != "" || !c.ExpiresAt.IsZero() {
			return fmt.Sprintf("%+v goes", c)
		}
	}
	return ""
}

func newestGood(decide decider, r retention.Request) string {
	if all := good(r); len(all) > 0 && gone(decide(r))[all[0].ID] {
		return all[0].ID + " goes"
	}
	return ""
}

func newestVerified(decide decider, r retention.Request) string {
	left, seen := gone(decide(r)), map[string]bool{}
	for _, c := range sorted(r) {
		if c.Status != karbor.CheckpointAvailable {
			continue
		}
		for _, resource := range c.Verified {
			if !seen[resource] && left[c.ID] {
				return fmt.Sprintf("%s goes, the newest that was verified of %s", c.ID, resource)
			}
			seen[resource] = true
		}
	}
	return ""
}

func onlyAfterSuccess(decide decider, r retention.Request) string {
	d := decide(r)
	failed := r.After != "" && byID(r)[r.After].Status != karbor.CheckpointAvailable
	over := slices.DeleteFunc(sorted(r), func(c retention.Checkpoint) bool {
		return c.Status != karbor.CheckpointAvailable && c.Status != karbor.CheckpointError
	})
	failed = failed || len(over) > 0 && over[0].Status == karbor.CheckpointError
	if failed && (len(d.Gone()) > 0 || d.Refused == "") {
		return fmt.Sprintf("%v go, refused %q", d.Gone(), d.Refused)
	}
	return ""
}

func newestInNumber(decide decider, r retention.Request) string {
	left := gone(decide(r))
	for i, c := range good(r) {
		young := r.Rules.RetentionDuration == 0 || r.Now.Sub(c.MadeAt) <= time.Duration(r.Rules.RetentionDuration)*24*time.Hour
		if left[c.ID] && (i < r.Rules.Keep.Minimum || i < r.Rules.MaxBackups && young) {
			return fmt.Sprintf("%s goes, number %d", c.ID, i+1)
		}
	}
	return ""
}

// calendar gives each keep rule's count and the start of the period of a time,
// worked out otherwise than the package does it.
func calendar(r retention.Request) map[string]func(time.Time) (int, time.Time) {
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	k := r.Rules.Keep
	day := func(t time.Time, back int) time.Time {
		y, m, d := t.In(zone).Date()
		return time.Date(y, m, d-back, 12, 0, 0, 0, zone)
	}
	return map[string]func(time.Time) (int, time.Time){
		"hour": func(t time.Time) (int, time.Time) {
			l := t.In(zone)
			return k.Hourly, l.Add(-time.Duration(l.Minute())*time.Minute - time.Duration(l.Second())*time.Second - time.Duration(l.Nanosecond()))
		},
		"day":  func(t time.Time) (int, time.Time) { return k.Daily, day(t, 0) },
		"week": func(t time.Time) (int, time.Time) { return k.Weekly, day(t, (int(t.In(zone).Weekday())+6)%7) },
		"month": func(t time.Time) (int, time.Time) {
			return k.Monthly, day(t, t.In(zone).Day()-1)
		},
		"year": func(t time.Time) (int, time.Time) { return k.Yearly, day(t, t.In(zone).YearDay()-1) },
	}
}

// byPeriod gives the ids of those that a keep rule keeps.
func byPeriod(r retention.Request) map[string]bool {
	keeps := map[string]bool{}
	for _, of := range calendar(r) {
		seen := map[int64]bool{}
		for _, c := range good(r) {
			count, start := of(c.MadeAt)
			if !seen[start.Unix()] && len(seen) < count {
				seen[start.Unix()] = true
				keeps[c.ID] = true
			}
		}
	}
	return keeps
}

func newestOfPeriod(decide decider, r retention.Request) string {
	left := gone(decide(r))
	for id := range byPeriod(r) {
		if left[id] {
			return id + " goes"
		}
	}
	return ""
}

// restGoes is the other side of all the laws that keep something.
func restGoes(decide decider, r retention.Request) string {
	d := decide(r)
	if d.Refused != "" {
		return ""
	}
	left, keeps, newer := gone(d), byPeriod(r), 0
	guarded := map[string]bool{}
	for _, c := range sorted(r) {
		for _, resource := range c.Verified {
			if c.Status == karbor.CheckpointAvailable && !guarded["resource "+resource] {
				guarded["resource "+resource], guarded[c.ID] = true, true
			}
		}
	}
	for _, c := range sorted(r) {
		if !candidate(r, c) {
			continue
		}
		limited := r.Rules.MaxBackups > 0 || r.Rules.RetentionDuration > 0
		within := limited && (r.Rules.MaxBackups == 0 || newer < r.Rules.MaxBackups) &&
			(r.Rules.RetentionDuration == 0 || r.Now.Sub(c.MadeAt) <= time.Duration(r.Rules.RetentionDuration)*24*time.Hour)
		stays := within || keeps[c.ID] || guarded[c.ID] || c.Held != "" || c.InUse != "" ||
			!c.Faulty && (newer == 0 || newer < r.Rules.Keep.Minimum)
		if stays == left[c.ID] {
			return fmt.Sprintf("%+v goes: %v", c, left[c.ID])
		}
		if !c.Faulty {
			newer++
		}
	}
	return ""
}

// without gives the request with what goes gone.
func without(r retention.Request, left map[string]bool) retention.Request {
	r.Checkpoints = slices.DeleteFunc(slices.Clone(r.Checkpoints), func(c retention.Checkpoint) bool { return left[c.ID] })
	return r
}

func settled(decide decider, r retention.Request) string {
	r.After = ""
	if again := decide(without(r, gone(decide(r)))).Gone(); len(again) > 0 {
		return fmt.Sprintf("%v go too", again)
	}
	return ""
}

// grown gives the request with one more checkpoint that a run has just made.
func grown(r retention.Request) retention.Request {
	r.Checkpoints = append(slices.Clone(r.Checkpoints), retention.Checkpoint{
		ID: "zz-new", MadeAt: r.Now, Status: karbor.CheckpointAvailable, Scheduled: true,
	})
	return r
}

// isComparable reports whether the rules are applied to a request with and without the
// new checkpoint, which is the newest.
func isComparable(decide decider, r retention.Request) bool {
	for _, c := range r.Checkpoints {
		if !c.MadeAt.Before(r.Now) {
			return false
		}
	}
	return decide(r).Refused == "" && decide(grown(r)).Refused == ""
}

func gentle(decide decider, r retention.Request) string {
	if !isComparable(decide, r) {
		return ""
	}
	rules := 2 // the newest good one, and the limit in number
	k := r.Rules.Keep
	for _, n := range []int{k.Hourly, k.Daily, k.Weekly, k.Monthly, k.Yearly, k.Minimum} {
		if n > 0 {
			rules++
		}
	}
	// Faulty ones take no place of their own: they go with the place that they are in.
	before, after := gone(decide(r)), gone(decide(grown(r)))
	more := 0
	all := byID(r)
	for id := range after {
		if !before[id] && !all[id].Faulty {
			more++
		}
	}
	if more > rules {
		return fmt.Sprintf("%d more go than %d", more, len(before))
	}
	return ""
}

func steady(decide decider, r retention.Request) string {
	if !isComparable(decide, r) {
		return ""
	}
	after := gone(decide(grown(r)))
	for id := range gone(decide(r)) {
		if !after[id] {
			return id + " stays now"
		}
	}
	return ""
}

// monotone: rules that keep more let go only what the others let go.
func monotone(decide decider, r retention.Request) string {
	more := r
	if more.Rules.MaxBackups > 0 {
		more.Rules.MaxBackups++
	}
	if more.Rules.RetentionDuration > 0 {
		more.Rules.RetentionDuration++
	}
	more.Rules.Keep.Daily++
	more.Rules.Keep.Minimum++
	if !r.Rules.Limited() {
		return ""
	}
	strict := gone(decide(r))
	for id := range maps.Keys(gone(decide(more))) {
		if !strict[id] {
			return id + " goes by the milder rules only"
		}
	}
	return ""
}
