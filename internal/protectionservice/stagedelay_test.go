package protectionservice_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// span is when a hook began, and when it was over.
type span struct{ begin, end time.Time }

// together is how long a server takes to be put together in the tests of stages.
const together = 7 * time.Second

// staged is a shop whose servers take a while to be put together, with the times of that. It is for a bubble, in
// which the clock goes on when all are waiting.
func staged(t *testing.T) (*shop, map[string]span) {
	s, spans := newShop(t), map[string]span{}
	s.script.set(karbor.RestoreOperation, karbor.ServerType, protection.Hooks{Complete: func(ctx context.Context, c *protection.Call) error {
		begin := time.Now()
		time.Sleep(together)
		s.mu.Lock()
		spans[c.Node.ID] = span{begin, time.Now()}
		s.mu.Unlock()
		return c.NewResources.Set(ctx, "new-"+c.Node.ID)
	}})
	return s, spans
}

// over waits until a restore is over, and gives when that is seen.
func (s *shop) over(id string) (karbor.Restore, time.Time) {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		r, err := s.store.Restore(s.t.Context(), projectID, id)
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Status != karbor.RestoreInProgress {
			return r, time.Now()
		}
	}
	s.t.Fatal("the restore does not come to an end")
	return karbor.Restore{}, time.Time{}
}

// ahead is how much the engine and the hooks' records may take of the clock in which nothing else goes on.
const ahead = 2 * time.Second

func TestTheDelayOfAStageLiesBetweenItAndTheOneBefore(t *testing.T) {
	for name, c := range map[string]struct{ first, second int64 }{
		"none":                                  {0, 0},
		"some":                                  {0, 20},
		"before the first, where no stage lies": {20, 0},
		"both":                                  {30, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, spans := staged(t)
				begin := time.Now()
				r, err := s.ask(karbor.RestoreChoices{Stages: []karbor.RestoreStage{
					{Resources: []string{server1}, Delay: c.first}, {Resources: []string{server2}, Delay: c.second},
				}})
				if err != nil {
					t.Fatal(err)
				}
				if r, _ = s.over(r.ID); r.Status != karbor.RestoreSuccess {
					t.Fatalf("the restore is %s: %v", r.Status, r.ResourcesReason)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if lag := spans["s1"].begin.Sub(begin); lag > ahead {
					t.Errorf("the first stage begins after %v", lag)
				}
				delay := time.Duration(c.second) * time.Second
				if lag := spans["s2"].begin.Sub(spans["s1"].end); lag < delay || lag > delay+ahead {
					t.Errorf("between the stages there are %v, not %v", lag, delay)
				}
			})
		})
	}
}

// waits gives what each server of a restore is told to wait for.
func (s *shop) waits(id string) map[string]string {
	s.t.Helper()
	progress, err := s.service.RestoreProgress(s.t.Context(), s.caller(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range progress {
		if p.Waiting != "" {
			out[p.ID] = p.Waiting
		}
	}
	return out
}

func TestAServerOfALaterStageSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, spans := staged(t)
		r, err := s.ask(karbor.RestoreChoices{Stages: []karbor.RestoreStage{
			{Resources: []string{server1}}, {Resources: []string{server2}, Delay: 20},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, moment := range []struct {
			after time.Duration
			want  map[string]string
		}{
			{3 * time.Second, map[string]string{"s2": "waiting for the stage before its own"}},
			{12 * time.Second, map[string]string{"s2": "waiting for its stage, which begins 20 seconds after the one before"}},
			{17 * time.Second, map[string]string{}}, // it is being put together
		} {
			time.Sleep(moment.after)
			if diff := cmp.Diff(moment.want, s.waits(r.ID)); diff != "" {
				t.Errorf("%v later (-want +got):\n%s", moment.after, diff)
			}
		}
		if r, _ = s.over(r.ID); r.Status != karbor.RestoreSuccess || len(s.waits(r.ID)) > 0 {
			t.Errorf("the restore is %s: %v; it waits for %v", r.Status, r.ResourcesReason, s.waits(r.ID))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(spans) != 2 {
			t.Errorf("put together were %v", spans)
		}
	})
}

func TestACancelEndsTheDelayOfAStageAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, spans := staged(t)
		r, err := s.ask(karbor.RestoreChoices{Stages: []karbor.RestoreStage{
			{Resources: []string{server1}}, {Resources: []string{server2}, Delay: int64(karbor.MaxStageDelay / time.Second)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(together + 10*time.Second)
		asked := time.Now()
		if err := s.cancel(r.ID, "the wrong one"); err != nil {
			t.Fatal(err)
		}
		r, seen := s.over(r.ID)
		if lag := seen.Sub(asked); r.Status != karbor.RestoreFail || lag > ahead {
			t.Errorf("%v after the cancel the restore is %s: %v", lag, r.Status, r.ResourcesReason)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, made := spans["s2"]; made || len(spans) != 1 {
			t.Errorf("put together were %v", spans)
		}
	})
}
