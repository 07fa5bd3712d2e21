package operationengine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

func TestWhatComesAfterARunKeepsNoTimeWaiting(t *testing.T) {
	s := newSite(t, midnight)
	slow := s.schedule(t, "p", hourly)
	s.exec(t, "UPDATE scheduled_operations SET operation_type = 'retention_protect'")
	quick := s.schedule(t, "p", hourly)
	s.advance(hour)
	immortal(s, "a").step(t.Context())
	s.finish(t, nil)
	entered, began := make(chan struct{}, 10), make(chan string, 10)
	n := immortal(s, "b")
	n.engine.o.Runners = Runners{
		karbor.ScheduledProtect: {Start: func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) error {
			defer func() { began <- r.ScheduledOperationID }()
			return s.accept(ctx, c, r)
		}},
		karbor.ScheduledRetention: {Start: s.accept, After: func(ctx context.Context, _ protectionservice.Caller, _ store.ClaimedRun) (string, error) {
			entered <- struct{}{}
			<-ctx.Done()
			return "", ctx.Err()
		}},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.engine.Run(ctx) }()
	<-entered
	s.advance(time.Hour)
	n.engine.Wake()
	select {
	case got := <-began:
		if got != quick.ID {
			t.Errorf("%s began, want %s", got, quick.ID)
		}
	case <-time.After(20 * time.Second):
		t.Error("nothing began while something was done after a run")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	found, err := s.store.ScheduledRuns(t.Context(), slow.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r := found[len(found)-1]; r.State != karbor.RunRunning {
		t.Errorf("what was broken off has ended its run: %+v", r)
	}
}

// unfinished is a store that ends no runs.
type unfinished struct{ Store }

func (unfinished) FinishRuns(context.Context, store.Lease, int, func(karbor.ScheduledOperationType, karbor.RunState) bool) ([]store.ClaimedRun, int, error) {
	return nil, 0, errors.New("a row can't be read")
}

func TestOneBadRowStopsNothingElse(t *testing.T) {
	s := newSite(t, midnight)
	bad, good := s.schedule(t, "p", hourly), s.schedule(t, "p", hourly)
	s.exec(t, "UPDATE triggers SET properties = 'torn' WHERE id = '"+bad.TriggerID+"'")
	n := immortal(s, "a")
	n.engine.o.Store = unfinished{n.mortal}
	s.advance(hour)
	if _, err := n.engine.look(t.Context()); err != nil {
		t.Error(err)
	}
	s.want(t, good, karbor.RunQueued, "")
	s.want(t, bad, karbor.RunDropped, "its trigger can't be read; replace the trigger's properties")
	if v := s.scheduleOf(t, bad); !v.DueAt.IsZero() {
		t.Errorf("it is due still: %+v", v)
	}
}

// spread is hourly, with runs up to 20 minutes late.
var spread = karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 * * * *", Jitter: 20 * time.Minute, Window: time.Hour}

func TestARunThatWasAskedForIsNotDisturbedByAnEarlierTime(t *testing.T) {
	s := newSite(t, midnight)
	n := immortal(s, "a")
	begun, claimed := s.schedule(t, "p", spread), s.schedule(t, "p", spread)
	s.advance(hour)
	// Their shares have not passed yet, but those times are expected already.
	s.advance(min(karbor.Share(begun.ID, spread.Jitter), karbor.Share(claimed.ID, spread.Jitter)) / 2)
	if _, err := s.store.RunNow(t.Context(), "p", begun.ID); err != nil {
		t.Fatal(err)
	}
	n.step(t.Context())
	s.want(t, begun, karbor.RunRunning, "")
	if _, err := s.store.RunNow(t.Context(), "p", claimed.ID); err != nil {
		t.Fatal(err)
	}
	lease := store.Lease{Owner: "other", Now: s.now(), Until: s.now().Add(time.Hour)}
	if got, _, err := s.store.ClaimRuns(t.Context(), lease, 10); err != nil || len(got) != 1 {
		t.Fatalf("claimed are %v, %v", got, err)
	}
	s.advance(20 * time.Minute)
	n.step(t.Context())
	states := func(o karbor.ScheduledOperation) (out []karbor.RunState) {
		found, err := s.store.ScheduledRuns(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			out = append(out, r.State)
		}
		return out
	}
	if diff := cmp.Diff([]karbor.RunState{karbor.RunRunning, karbor.RunSkipped}, states(begun)); diff != "" {
		t.Errorf("beside one that goes on (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]karbor.RunState{karbor.RunQueued, karbor.RunQueued}, states(claimed)); diff != "" {
		t.Errorf("beside one that is about to begin (-want +got):\n%s", diff)
	}
	if s.operations() != 1 {
		t.Errorf("%d operations were accepted", s.operations())
	}
}

func TestADelegationOfWhichKeystoneSaidNothingIsTriedAgainSoon(t *testing.T) {
	s := newSite(t, midnight)
	o := s.schedule(t, "p", karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 0 1 1 *"})
	n := immortal(s, "a")
	s.broken[o.ID] = true
	s.advance(time.Hour)
	s.away.Store(s.now().Add(time.Minute).UnixNano())
	n.step(t.Context())
	if v := s.scheduleOf(t, o); v.DelegationState != karbor.DelegationGood {
		t.Errorf("while Keystone is away it is %+v", v)
	}
	s.advance(doubtPause)
	n.step(t.Context())
	if v := s.scheduleOf(t, o); v.DelegationState != karbor.DelegationBroken {
		t.Errorf("when Keystone is back it is %+v", v)
	}
}

func TestNothingIsDoneAfterARunForAUserWhoIsGone(t *testing.T) {
	s := newSite(t, midnight)
	o, n := s.schedule(t, "p", hourly), immortal(s, "a")
	s.exec(t, "UPDATE scheduled_operations SET operation_type = 'retention_protect'")
	s.advance(hour)
	n.step(t.Context())
	s.finish(t, nil)
	s.broken[o.ID], s.cached = true, true
	n.step(t.Context())
	s.want(t, o, karbor.RunError, "it can't act as its user any more")
	if len(s.retained) != 0 {
		t.Error("its rights were used by a token that it had still")
	}
	if v := s.scheduleOf(t, o); v.DelegationState != karbor.DelegationBroken || !strings.Contains(v.DelegationReason, "update it") {
		t.Errorf("the delegation is %+v", v)
	}
}
