package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// NewTrigger makes a trigger.
func NewTrigger(projectID string) karbor.Trigger {
	now := nextDate()
	return karbor.Trigger{
		ID: karbor.NewID(), ProjectID: projectID, Name: "nightly", Type: karbor.TimeTrigger,
		Properties: karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 2 * * *", StartTime: start, EndTime: start.AddDate(1, 0, 0), Window: 900 * time.Second},
		CreatedAt:  now, UpdatedAt: now,
	}
}

// NewScheduledOperation makes a scheduled operation on a plan.
func NewScheduledOperation(p karbor.Plan, triggerID string) karbor.ScheduledOperation {
	now := nextDate()
	return karbor.ScheduledOperation{
		ID: karbor.NewID(), ProjectID: p.ProjectID, UserID: "user", Name: "every night", Description: "of the shop",
		OperationType: karbor.ScheduledRetention, TriggerID: triggerID, Enabled: true,
		Definition: karbor.OperationDefinition{PlanID: p.ID, ProviderID: p.ProviderID, MaxBackups: 7, RetentionDuration: 30},
		CreatedAt:  now, UpdatedAt: now,
	}
}

// scheduled keeps a plan, a trigger, and an operation that uses both.
func scheduled(t *testing.T, s *store.Store, projectID string) karbor.ScheduledOperation {
	t.Helper()
	p, g := NewPlan(projectID), NewTrigger(projectID)
	must(t, s.CreatePlan(t.Context(), p, -1))
	must(t, s.CreateTrigger(t.Context(), g))
	o := NewScheduledOperation(p, g.ID)
	must(t, s.CreateScheduledOperation(t.Context(), o))
	return o
}

func testTriggerRoundTrip(t *testing.T, s *store.Store) {
	bare := NewTrigger("project")
	bare.Properties.EndTime, bare.Properties.Window = time.Time{}, 0
	bare.Properties.Pattern = "BEGIN:VEVENT\r\nRRULE:FREQ=DAILY;BYDAY=MO <&>\nEND:VEVENT \\n"
	for _, g := range []karbor.Trigger{NewTrigger("project"), bare} {
		must(t, s.CreateTrigger(t.Context(), g))
		got, err := s.Trigger(t.Context(), "project", g.ID)
		must(t, err)
		if diff := cmp.Diff(g, got); diff != "" {
			t.Errorf("the trigger came back changed (-want +got):\n%s", diff)
		}
		wantKind(t, s.CreateTrigger(t.Context(), g), karbor.Conflict)
		_, err = s.Trigger(t.Context(), "other", g.ID)
		wantKind(t, err, karbor.NotFound)
	}
	changed, err := s.UpdateTrigger(t.Context(), "", bare.ID, "u", func(g *karbor.Trigger) error {
		g.Name, g.ProjectID, g.Properties.Window = "new name", "stolen", time.Hour
		return nil
	})
	must(t, err)
	got, err := s.Trigger(t.Context(), "project", bare.ID)
	must(t, err)
	if diff := cmp.Diff(changed, got); diff != "" || got.Name != "new name" || got.Properties.Window != time.Hour {
		t.Errorf("kept is %+v (-gave +kept):\n%s", got, diff)
	}
	refusal := errors.New("no")
	if _, err = s.UpdateTrigger(t.Context(), "project", bare.ID, "u", func(g *karbor.Trigger) error { g.Name = "lost"; return refusal }); !errors.Is(err, refusal) {
		t.Errorf("got %v, want the refusal", err)
	}
	_, err = s.UpdateTrigger(t.Context(), "other", bare.ID, "u", func(*karbor.Trigger) error { return nil })
	wantKind(t, err, karbor.NotFound)
	wantKind(t, s.DeleteTrigger(t.Context(), "other", bare.ID), karbor.NotFound)
	must(t, s.DeleteTrigger(t.Context(), "project", bare.ID))
	wantKind(t, s.DeleteTrigger(t.Context(), "project", bare.ID), karbor.NotFound)
	_, err = s.Trigger(t.Context(), "", bare.ID)
	wantKind(t, err, karbor.NotFound)
}

func testTriggerFilters(t *testing.T, s *store.Store) {
	for _, name := range []string{"Nightly", "night watch", "weekly"} {
		g := NewTrigger("project")
		g.Name = name
		if name == "weekly" {
			g.Properties.Format, g.Properties.Pattern = karbor.Calendar, "BEGIN:VEVENT\nRRULE:FREQ=WEEKLY\nEND:VEVENT"
		}
		must(t, s.CreateTrigger(t.Context(), g))
	}
	must(t, s.CreateTrigger(t.Context(), NewTrigger("other")))
	for _, test := range []struct {
		filter store.TriggerFilter
		want   []string
	}{
		{store.TriggerFilter{ProjectID: "project"}, []string{"Nightly", "night watch", "weekly"}},
		{store.TriggerFilter{ProjectID: "project", Name: "NIGHT"}, []string{"Nightly", "night watch"}},
		{store.TriggerFilter{ProjectID: "project", Type: "time", Properties: []string{"freq=weekly"}}, []string{"weekly"}},
		{store.TriggerFilter{ProjectID: "project", Properties: []string{`"format":"crontab"`, `"window":"900"`}, Name: "y"}, []string{"Nightly"}},
		{store.TriggerFilter{ProjectID: "project", Type: "space"}, nil},
		{store.TriggerFilter{Name: "night"}, []string{"Nightly", "night watch", "nightly"}},
	} {
		list, err := s.Triggers(t.Context(), test.filter, store.Page{Sort: []store.Sort{{Key: "created_at"}}})
		must(t, err)
		var got []string
		for _, g := range list {
			got = append(got, g.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.filter, diff)
		}
	}
}

func testScheduledOperation(t *testing.T, s *store.Store) {
	o := scheduled(t, s, "project")
	got, err := s.ScheduledOperation(t.Context(), "project", o.ID)
	must(t, err)
	if diff := cmp.Diff(o, got); diff != "" {
		t.Errorf("the scheduled operation came back changed (-want +got):\n%s", diff)
	}
	_, err = s.ScheduledOperation(t.Context(), "other", o.ID)
	wantKind(t, err, karbor.NotFound)
	wantKind(t, s.CreateScheduledOperation(t.Context(), o), karbor.Conflict)

	foreign := scheduled(t, s, "other")
	for _, test := range []struct {
		name   string
		change func(*karbor.ScheduledOperation)
		kind   karbor.Kind
	}{
		{"another project's plan", func(o *karbor.ScheduledOperation) { o.Definition.PlanID = foreign.Definition.PlanID }, karbor.NotFound},
		{"another project's trigger", func(o *karbor.ScheduledOperation) { o.TriggerID = foreign.TriggerID }, karbor.NotFound},
		{"another provider", func(o *karbor.ScheduledOperation) { o.Definition.ProviderID = "elsewhere" }, karbor.Invalid},
	} {
		bad := o
		bad.ID = karbor.NewID()
		test.change(&bad)
		if err := s.CreateScheduledOperation(t.Context(), bad); karbor.KindOf(err) != test.kind {
			t.Errorf("%s: got %v", test.name, err)
		}
	}

	second := o
	second.ID, second.Name, second.OperationType = karbor.NewID(), "another", karbor.ScheduledProtect
	second.Definition.MaxBackups, second.Definition.RetentionDuration, second.Enabled = 0, 0, false
	second.CreatedAt = nextDate()
	must(t, s.CreateScheduledOperation(t.Context(), second))
	for _, test := range []struct {
		filter store.ScheduledOperationFilter
		want   []string
	}{
		{store.ScheduledOperationFilter{ProjectID: "project"}, []string{o.ID, second.ID}},
		{store.ScheduledOperationFilter{ProjectID: "project", Name: "ANOTHER"}, []string{second.ID}},
		{store.ScheduledOperationFilter{ProjectID: "project", OperationType: "retention_protect"}, []string{o.ID}},
		{store.ScheduledOperationFilter{TriggerID: foreign.TriggerID}, []string{foreign.ID}},
		{store.ScheduledOperationFilter{ProjectID: "project", Definition: []string{`"max_backups":"7"`}}, []string{o.ID}},
	} {
		list, err := s.ScheduledOperations(t.Context(), test.filter, store.Page{Sort: []store.Sort{{Key: "created_at"}}})
		must(t, err)
		var ids []string
		for _, o := range list {
			ids = append(ids, o.ID)
		}
		if diff := cmp.Diff(test.want, ids); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.filter, diff)
		}
	}
}

func testScheduledUse(t *testing.T, s *store.Store) {
	o := scheduled(t, s, "project")
	wantKind(t, s.DeleteTrigger(t.Context(), "project", o.TriggerID), karbor.FailedDependency)
	wantKind(t, s.DeletePlan(t.Context(), "project", o.Definition.PlanID), karbor.FailedDependency)
	wantKind(t, s.DeleteScheduledOperation(t.Context(), "other", o.ID), karbor.NotFound)
	must(t, s.DeleteScheduledOperation(t.Context(), "project", o.ID))
	wantKind(t, s.DeleteScheduledOperation(t.Context(), "project", o.ID), karbor.NotFound)
	must(t, s.DeleteTrigger(t.Context(), "project", o.TriggerID))
	must(t, s.DeletePlan(t.Context(), "project", o.Definition.PlanID))
	o.ID = karbor.NewID()
	wantKind(t, s.CreateScheduledOperation(t.Context(), o), karbor.NotFound)
}

// testScheduleRace lets triggers and plans be deleted while operations that use
// them are made: never may one be left without the other.
func testScheduleRace(t *testing.T, s *store.Store) {
	const rounds = 12
	var kept atomic.Int32
	for i := range rounds {
		p, g := NewPlan("project"), NewTrigger("project")
		must(t, s.CreatePlan(t.Context(), p, -1))
		must(t, s.CreateTrigger(t.Context(), g))
		o := NewScheduledOperation(p, g.ID)
		var made, deleted error
		var wg sync.WaitGroup
		wg.Go(func() { made = s.CreateScheduledOperation(t.Context(), o) })
		wg.Go(func() {
			if i%2 == 0 {
				deleted = s.DeleteTrigger(t.Context(), "project", g.ID)
			} else {
				deleted = s.DeletePlan(t.Context(), "project", p.ID)
			}
		})
		wg.Wait()
		switch {
		case made == nil && karbor.KindOf(deleted) == karbor.FailedDependency && deleted != nil:
			kept.Add(1)
		case deleted == nil && made != nil && karbor.KindOf(made) == karbor.NotFound:
		default:
			t.Errorf("made: %v, deleted: %v", made, deleted)
		}
	}
	list, err := s.ScheduledOperations(t.Context(), store.ScheduledOperationFilter{}, store.Page{})
	must(t, err)
	if len(list) != int(kept.Load()) {
		t.Errorf("%d operations are listed, %d were made", len(list), kept.Load())
	}
}

func testServices(t *testing.T, s *store.Store) {
	first, err := s.ReportService(t.Context(), "host1", karbor.ProtectionBinary)
	must(t, err)
	second, err := s.ReportService(t.Context(), "host1", karbor.OperationEngineBinary)
	must(t, err)
	again, err := s.ReportService(t.Context(), "host1", karbor.OperationEngineBinary)
	must(t, err)
	if first.ID == second.ID || again.ID != second.ID || again.ReportCount != 2 || again.UpdatedAt.Before(second.UpdatedAt) || !again.CreatedAt.Equal(second.CreatedAt) {
		t.Errorf("got %+v, %+v and %+v", first, second, again)
	}
	must(t, firstErr(s.ReportService(t.Context(), "host2", karbor.ProtectionBinary)))
	changed, err := s.UpdateService(t.Context(), second.ID, func(v *karbor.Service) error {
		v.Disabled, v.DisabledReason, v.Host = true, "for the night", "stolen"
		return nil
	})
	must(t, err)
	if !changed.Disabled || changed.DisabledReason != "for the night" || changed.Host != "host1" || !changed.UpdatedAt.Equal(again.UpdatedAt) {
		t.Errorf("disabled it is %+v", changed)
	}
	third, err := s.ReportService(t.Context(), "host1", karbor.OperationEngineBinary)
	must(t, err)
	if !third.Disabled || third.ReportCount != 3 {
		t.Errorf("a report changed more than it may: %+v", third)
	}
	_, err = s.UpdateService(t.Context(), 99, func(*karbor.Service) error { return nil })
	wantKind(t, err, karbor.NotFound)
	for filter, want := range map[store.ServiceFilter]int{
		{}: 3, {Host: "host1"}: 2, {Binary: karbor.ProtectionBinary}: 2, {Host: "host2", Binary: karbor.OperationEngineBinary}: 0,
	} {
		list, err := s.Services(t.Context(), filter)
		if err != nil || len(list) != want || !slices.IsSortedFunc(list, func(a, b karbor.Service) int { return int(a.ID - b.ID) }) {
			t.Errorf("%+v gives %+v, %v", filter, list, err)
		}
	}
}

func firstErr(_ karbor.Service, err error) error { return err }

func testServicesRace(t *testing.T, s *store.Store) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				_, err := s.ReportService(t.Context(), fmt.Sprint("host", i%4), karbor.ProtectionBinary)
				if err == nil {
					return
				}
				if !karbor.IsTransient(err) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	list, err := s.Services(t.Context(), store.ServiceFilter{})
	if err != nil || len(list) != 4 {
		t.Fatalf("got %+v, %v", list, err)
	}
	for _, v := range list {
		if v.ReportCount != 2 {
			t.Errorf("%s has reported %d times, not 2", v.Host, v.ReportCount)
		}
	}
}
