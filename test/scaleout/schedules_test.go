//go:build temporal

package scaleout

import (
	"fmt"
	"time"

	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/daemon"
)

var roleSchedules = daemon.Roles{Schedules: true}

// often lets triggers fire each minute.
func often(c *config.Config) { c.Triggers.MinInterval = time.Minute }

// rush are scheduled operations that are all due at one time, and never again.
type rush struct {
	*tenant
	due   time.Time
	plans map[string]bool
}

// rush makes scheduled operations with the provider of copies, each with a plan of its own.
func (u *tenant) rush(n int) *rush {
	u.t.Helper()
	r := &rush{tenant: u, due: time.Now().UTC().Add(20 * time.Second).Truncate(time.Second), plans: map[string]bool{}}
	trigger := u.ask("POST", "/triggers", map[string]any{"trigger_info": map[string]any{"name": "once", "type": "time",
		"properties": map[string]any{"format": "calendar",
			"pattern": fmt.Sprintf("BEGIN:VEVENT\nDTSTART:%s\nRRULE:FREQ=MINUTELY;COUNT=1\nEND:VEVENT", r.due.Format("20060102T150405Z"))}}}, "trigger_info")
	image := u.image()
	for range n {
		plan := u.planIn(twinProvider, image)
		u.ask("POST", "/scheduled_operations", map[string]any{"scheduled_operation": map[string]any{"name": "o", "operation_type": "protect",
			"trigger_id": trigger["id"], "operation_definition": map[string]any{"provider_id": twinProvider, "plan_id": plan}}}, "scheduled_operation")
		r.plans[plan] = true
	}
	if !time.Now().Before(r.due) {
		u.t.Fatal("the scheduled operations were due before they were made")
	}
	return r
}

// dueNow waits until the operations are due.
func (r *rush) dueNow() {
	r.t.Helper()
	r.await("the time of the scheduled operations", func() bool { return !time.Now().Before(r.due) })
}

// allMade checks that each of the operations made its checkpoint, once, and nothing else is there.
func (r *rush) allMade() {
	r.t.Helper()
	r.await("the checkpoints of the scheduled operations", func() bool { return len(r.listedIn(twinProvider)) >= len(r.plans) })
	made := map[string]bool{}
	for _, id := range r.listedIn(twinProvider) {
		r.availableIn(twinProvider, id)
		cp := r.ask("GET", "/providers/"+twinProvider+"/checkpoints/"+id, nil, "checkpoint")
		plan, _ := cp["protection_plan"].(map[string]any)["id"].(string)
		if made[plan] || !r.plans[plan] {
			r.t.Errorf("a checkpoint was made of plan %s once more, or without cause", plan)
		}
		made[plan] = true
		r.verified(r.verifying(twinProvider, id))
	}
}
