package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// changesBy gives changes of what a scheduled operation uses, by a user: of its name, and
// of what is inside.
func changesBy(t *testing.T, s *store.Store) map[string]func(o karbor.ScheduledOperation, by string, inside bool) error {
	return map[string]func(o karbor.ScheduledOperation, by string, inside bool) error{
		"plan": func(o karbor.ScheduledOperation, by string, inside bool) error {
			_, err := s.UpdatePlan(t.Context(), "project", o.Definition.PlanID, by, func(p *karbor.Plan) error {
				if p.Name = "renamed"; inside {
					p.Resources = p.Resources[:1]
				}
				return nil
			})
			return err
		},
		"trigger": func(o karbor.ScheduledOperation, by string, inside bool) error {
			_, err := s.UpdateTrigger(t.Context(), "project", o.TriggerID, by, func(g *karbor.Trigger) error {
				if g.Name = "renamed"; inside {
					g.Properties.Pattern = "30 * * * *"
				}
				return nil
			})
			return err
		},
	}
}

func testDistrust(t *testing.T, s *store.Store) {
	for what, change := range changesBy(t, s) {
		own, renamed, changed := hourly(t, s, "project"), hourly(t, s, "project"), hourly(t, s, "project")
		fire(t, s, ahead)
		var claimed store.ClaimedRun
		for _, r := range claim(t, s, "node", ahead) {
			if r.ScheduledOperationID == changed.ID {
				claimed = r
			}
		}
		must(t, change(own, own.UserID, true))
		must(t, change(renamed, "another", false))
		must(t, change(changed, "another", true))
		for _, o := range []karbor.ScheduledOperation{own, renamed} {
			if v := scheduleOf(t, s, o.ID); v.DelegationState != karbor.DelegationGood {
				t.Errorf("a harmless change of the %s made it %+v", what, v)
			}
		}
		want := "its " + what + " was changed by another user; update the scheduled operation, so that it may go on"
		if v := scheduleOf(t, s, changed.ID); v.DelegationState != karbor.DelegationBroken || v.DelegationReason != want {
			t.Errorf("a change of the %s by another user made it %+v", what, v)
		}
		if err := begin(t, s, claimed); !errors.Is(err, store.ErrRunLost) {
			t.Errorf("a run that was about to begin: %v", err)
		}
		// That the old delegation still works is no reason to use it.
		must(t, s.NoteDelegation(t.Context(), store.LentDelegation{ScheduledOperationID: changed.ID, Sealed: []byte("sealed")}, karbor.DelegationGood, "", ahead))
		again := 0
		for _, r := range claim(t, s, "node", ahead) {
			if r.ScheduledOperationID == changed.ID {
				again++
				if r.Delegation != nil || scheduleOf(t, s, changed.ID).DelegationState != karbor.DelegationBroken {
					t.Errorf("the %s's run is %+v", what, r)
				}
				must(t, s.EndRun(t.Context(), r.Claim, r.ScheduledOperationID, karbor.RunError, "it can't", ahead))
			}
		}
		if again != 1 {
			t.Errorf("the %s's run was claimed %d times", what, again)
		}
		returned, err := s.ReturnedDelegations(t.Context(), ahead.AddDate(1, 0, 0), 100)
		must(t, err)
		if len(returned) != 1 || returned[0].ScheduledOperationID != changed.ID || string(returned[0].Sealed) != "sealed" {
			t.Fatalf("given back are %+v", returned)
		}
		must(t, s.GaveBack(t.Context(), returned[0].ID, time.Time{}))
	}
}

func testPlanOfOthersCheckpoints(t *testing.T, s *store.Store) {
	change := changesBy(t, s)
	for _, kind := range []karbor.ScheduledOperationType{karbor.ScheduledVerify, karbor.ScheduledCopy, karbor.ScheduledDrill} {
		of := hourly(t, s, "project")
		o := of
		o.ID, o.OperationType, o.Definition.MaxBackups, o.Definition.RetentionDuration = karbor.NewID(), kind, 0, 0
		must(t, s.CreateSchedule(t.Context(), o, karbor.OverlapSkip, &store.Lent{Sealed: []byte("sealed"), Kind: karbor.DelegationTrust}))
		must(t, change["plan"](o, "another", true))
		if v := scheduleOf(t, s, o.ID); v.DelegationState != karbor.DelegationGood {
			t.Errorf("a change of the plan by another user made a %s %+v", kind, v)
		}
		if v := scheduleOf(t, s, of.ID); v.DelegationState != karbor.DelegationBroken {
			t.Errorf("a change of the plan by another user made what protects it %+v", v)
		}
		must(t, change["trigger"](o, "another", true))
		if v := scheduleOf(t, s, o.ID); v.DelegationState != karbor.DelegationBroken {
			t.Errorf("a change of the trigger by another user made a %s %+v", kind, v)
		}
	}
}
