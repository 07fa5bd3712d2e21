package operationengine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// midnight is when the tests begin: everything of them fires at the next full hour.
var midnight = time.Date(2026, 11, 21, 0, 30, 0, 0, time.UTC)

// hour is the time from midnight to the first run.
const hour = 30 * time.Minute

var hourly = karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 * * * *"}

// immortal makes a node that does not die.
func immortal(s *site, name string) *node {
	n := &node{site: s, name: name}
	n.start(1<<30, false)
	return n
}

// last gives the newest run of a scheduled operation.
func (s *site) last(t *testing.T, o karbor.ScheduledOperation) karbor.ScheduledRun {
	t.Helper()
	found, err := s.store.ScheduledRuns(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return karbor.ScheduledRun{}
	}
	return found[0]
}

func (s *site) scheduleOf(t *testing.T, o karbor.ScheduledOperation) karbor.Schedule {
	t.Helper()
	found, err := s.store.Schedules(t.Context(), []string{o.ID})
	if err != nil {
		t.Fatal(err)
	}
	return found[o.ID]
}

// want checks the newest run.
func (s *site) want(t *testing.T, o karbor.ScheduledOperation, state karbor.RunState, reason string) {
	t.Helper()
	if r := s.last(t, o); r.State != state || !strings.Contains(r.Reason, reason) || reason == "" && r.Reason != "" {
		t.Errorf("the run is %s (%s), want %s (%s)", r.State, r.Reason, state, reason)
	}
}

func TestAnOperationStartsAtItsTimeAndEnds(t *testing.T) {
	s := newSite(t, midnight)
	o, n := s.schedule(t, "p", hourly), immortal(s, "a")
	s.advance(hour - time.Second)
	n.step(t.Context())
	if r := s.last(t, o); r.ID != "" {
		t.Fatalf("a second early there is %+v", r)
	}
	s.advance(time.Second)
	n.step(t.Context())
	s.want(t, o, karbor.RunRunning, "")
	s.finish(t, nil)
	n.step(t.Context())
	s.want(t, o, karbor.RunSuccess, "")
	if s.operations() != 1 {
		t.Errorf("there are %d operations", s.operations())
	}
}

func TestWhileKeystoneIsAwayARunWaitsWithinItsWindow(t *testing.T) {
	s := newSite(t, midnight)
	short, long := s.schedule(t, "p", hourly), s.schedule(t, "p", karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 * * * *", Window: time.Hour})
	n := immortal(s, "a")
	s.advance(hour)
	s.away.Store(s.now().Add(20 * time.Minute).UnixNano())
	for range 25 {
		n.step(t.Context())
		if s.now().Sub(midnight) == hour+5*time.Minute {
			s.want(t, short, karbor.RunQueued, "Keystone does not answer")
		}
		s.advance(time.Minute)
	}
	s.want(t, short, karbor.RunDropped, "Keystone does not answer")
	s.want(t, long, karbor.RunRunning, "")
	if v := s.scheduleOf(t, long); v.DelegationState != karbor.DelegationGood {
		t.Errorf("an absence made the delegation %s", v.DelegationState)
	}
}

func TestABrokenDelegationIsToldAtTheRunAndBefore(t *testing.T) {
	s := newSite(t, midnight)
	tick, probe := s.schedule(t, "p", hourly), s.schedule(t, "p", karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 0 1 1 *"})
	n := immortal(s, "a")
	s.broken[tick.ID], s.broken[probe.ID] = true, true
	s.advance(hour)
	n.step(t.Context())
	s.want(t, tick, karbor.RunError, "it can't act as its user any more: the delegation has ended, or was revoked; update it")
	if v := s.scheduleOf(t, tick); v.DelegationState != karbor.DelegationBroken {
		t.Errorf("after the run it is %+v", v)
	}
	s.advance(time.Hour)
	n.step(t.Context())
	if v := s.scheduleOf(t, probe); v.DelegationState != karbor.DelegationBroken || !strings.Contains(v.DelegationReason, "revoked") {
		t.Errorf("after the probe it is %+v", v)
	}
	s.broken[probe.ID] = false
	s.advance(6 * time.Hour)
	n.step(t.Context())
	if v := s.scheduleOf(t, probe); v.DelegationState != karbor.DelegationGood || v.DelegationReason != "" {
		t.Errorf("when it works again it is %+v", v)
	}
}

func TestOneWithoutADelegationSaysWhatToDo(t *testing.T) {
	s := newSite(t, midnight)
	o := s.schedule(t, "p", hourly)
	s.exec(t, "UPDATE schedules SET delegation = NULL, delegation_state = 'missing'")
	s.advance(hour)
	immortal(s, "a").step(t.Context())
	s.want(t, o, karbor.RunError, "older than the operation engine; update it")
}

func TestWhatCanNotBeStartedEndsWithItsReason(t *testing.T) {
	s := newSite(t, midnight)
	o, n := s.schedule(t, "p", hourly), immortal(s, "a")
	s.refuse = karbor.Errorf(karbor.OverLimit, "the quota of checkpoints is used up")
	s.advance(hour)
	n.step(t.Context())
	s.want(t, o, karbor.RunError, "the quota of checkpoints is used up")
	// What may pass is tried again.
	s.refuse = karbor.Transientf("the bank is not ready")
	s.advance(time.Hour)
	n.step(t.Context())
	s.want(t, o, karbor.RunQueued, "the bank is not ready")
	s.refuse = nil
	s.advance(time.Minute)
	n.step(t.Context())
	s.want(t, o, karbor.RunRunning, "")
}

func TestADisabledNodeTakesNoNewWork(t *testing.T) {
	s := newSite(t, midnight)
	o, a, b := s.schedule(t, "p", hourly), immortal(s, "a"), immortal(s, "b")
	v, err := s.store.ReportService(t.Context(), "a", karbor.OperationEngineBinary)
	if err != nil {
		t.Fatal(err)
	}
	disable := func(yes bool) {
		if _, err := s.store.UpdateService(t.Context(), v.ID, func(v *karbor.Service) error { v.Disabled = yes; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	disable(true)
	s.advance(hour)
	a.step(t.Context())
	if r := s.last(t, o); r.ID != "" {
		t.Errorf("a disabled node made %+v", r)
	}
	b.step(t.Context())
	s.want(t, o, karbor.RunRunning, "")
	// What is over, it ends.
	s.finish(t, nil)
	a.step(t.Context())
	s.want(t, o, karbor.RunSuccess, "")
	disable(false)
	s.advance(time.Hour)
	a.step(t.Context())
	s.want(t, o, karbor.RunRunning, "")
}

func TestTheDatabasesTimeCounts(t *testing.T) {
	s := newSite(t, midnight)
	o := s.schedule(t, "p", hourly)
	early := &node{site: s, name: "early", skew: 2 * time.Hour}
	early.start(1<<30, false)
	early.step(t.Context())
	if r := s.last(t, o); r.ID != "" {
		t.Errorf("a node whose clock is ahead made %+v", r)
	}
	late := &node{site: s, name: "late", skew: -2 * time.Hour}
	late.start(1<<30, false)
	s.advance(hour)
	late.step(t.Context())
	s.want(t, o, karbor.RunRunning, "")
	if r := s.last(t, o); !r.TriggeredAt.Equal(s.now()) {
		t.Errorf("triggered at %s, it is %s", r.TriggeredAt, s.now())
	}
}

func TestRetentionFollowsASuccessOnly(t *testing.T) {
	s := newSite(t, midnight)
	o, n := s.schedule(t, "p", hourly), immortal(s, "a")
	s.exec(t, "UPDATE scheduled_operations SET operation_type = 'retention_protect'")
	s.advance(hour - time.Hour)
	run := func(status karbor.CheckpointStatus) {
		t.Helper()
		s.advance(time.Hour)
		n.step(t.Context())
		r := s.last(t, o)
		if err := s.store.EndOperation(t.Context(), r.ID, store.Outcome{CheckpointStatus: status, LogStatus: karbor.LogStatus(status), ErrorInfo: "broken"}); err != nil {
			t.Fatal(err)
		}
		n.step(t.Context())
	}
	run(karbor.CheckpointError)
	s.want(t, o, karbor.RunError, "broken")
	if len(s.retained) != 0 {
		t.Errorf("after a failure something is deleted: %v", s.retained)
	}
	run(karbor.CheckpointAvailable)
	s.want(t, o, karbor.RunSuccess, "One is deleted.")
	if len(s.retained) != 1 {
		t.Errorf("retention was applied %d times", len(s.retained))
	}
	s.retain = karbor.Transientf("the bank does not answer")
	run(karbor.CheckpointAvailable)
	s.want(t, o, karbor.RunRunning, "the bank does not answer")
	s.retain = karbor.Errorf(karbor.Forbidden, "the plan may not be read")
	s.advance(10 * time.Second)
	n.step(t.Context())
	s.want(t, o, karbor.RunError, "what comes after it failed: the plan may not be read")
}

func TestDelegationsOfDeletedOnesAreGivenBackWhenTheirRunsAreOver(t *testing.T) {
	s := newSite(t, midnight)
	o, n := s.schedule(t, "p", hourly), immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	if err := s.store.DeleteScheduledOperation(t.Context(), "p", o.ID); err != nil {
		t.Fatal(err)
	}
	n.step(t.Context())
	if len(s.returned) != 0 {
		t.Errorf("%v was given back under a run", s.returned)
	}
	s.finish(t, nil)
	s.away.Store(s.now().Add(time.Minute).UnixNano())
	n.step(t.Context())
	s.advance(10 * time.Minute)
	n.step(t.Context())
	if diff := cmp.Diff([]string{o.ID}, s.returned); diff != "" {
		t.Errorf("given back (-want +got):\n%s", diff)
	}
}

func TestAnEngineRunsUntilItIsStopped(t *testing.T) {
	s := newSite(t, midnight)
	o := s.schedule(t, "p", hourly)
	s.advance(hour)
	started := make(chan struct{})
	n := &node{site: s, name: "a"}
	n.start(1<<30, false)
	n.engine.o.Runners = s.runners(func(ctx context.Context, _ protectionservice.Caller, _ store.ClaimedRun) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.engine.Run(ctx) }()
	<-started
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	// The start that was broken off is given back, and another node goes on with it.
	s.want(t, o, karbor.RunQueued, "")
	immortal(s, "b").step(t.Context())
	s.want(t, o, karbor.RunRunning, "")
}

func TestAnEngineIsWokenByAChange(t *testing.T) {
	s := newSite(t, midnight)
	o := s.schedule(t, "p", hourly)
	began := make(chan string, 1)
	n := &node{site: s, name: "a"}
	n.start(1<<30, false)
	n.engine.o.Poll = time.Hour
	n.engine.o.Runners = s.runners(func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) error {
		defer func() { began <- r.ID }()
		return s.accept(ctx, c, r)
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.engine.Run(ctx) }()
	run, err := s.store.RunNow(t.Context(), "p", o.ID)
	if err != nil {
		t.Fatal(err)
	}
	n.engine.Wake()
	if got := <-began; got != run.ID {
		t.Errorf("%s began, want %s", got, run.ID)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
