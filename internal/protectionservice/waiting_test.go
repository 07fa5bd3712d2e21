package protectionservice

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
)

func TestPlacesInTheQueueAreThoseInWhichStreamsAreGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := newTransfers(1, 1)
		var granted []string
		ready := make(chan func(), 10)
		come := func(project, operation, key string) {
			go func() {
				leave, err := places.enter(t.Context(), project, streamOf{operation, karbor.NodeKey(key)})
				if err != nil {
					t.Error(err)
				}
				granted = append(granted, key)
				ready <- leave
			}()
			synctest.Wait()
		}
		come("a", "a1", "first")
		come("a", "a1", "x")
		come("a", "a2", "y")
		come("b", "b1", "z") // its project moves nothing: it is before the others
		if diff := cmp.Diff(map[karbor.NodeKey]int{"x": 1}, places.waiting("a1")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[karbor.NodeKey]int{"y": 2}, places.waiting("a2")); diff != "" {
			t.Error(diff)
		}
		if got := places.waiting("c"); got != nil {
			t.Errorf("of nobody: %v", got)
		}
		for range 4 {
			(<-ready)()
			synctest.Wait()
		}
		// When its place was given back, all projects moved the same: the oldest was next.
		if diff := cmp.Diff([]string{"first", "x", "y", "z"}, granted); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAStepSaysWhatItWaitsFor(t *testing.T) {
	due := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	for want, step := range map[string]workflow.StepDescription{
		"": {State: workflow.Running, Queued: true},
		"it is tried again at 2026-11-21T15:00:00Z":                           {State: workflow.Pending, Waiting: due},
		"waiting for a free place of the project (it is the next)":            {State: workflow.Pending, Queued: true},
		"waiting for a free place of the project (1 other step is before it)": {State: workflow.Pending, Queued: true, Before: 1},
		"waiting for a free place of the project (3 other steps are before it)": {
			State: workflow.Pending, Queued: true, Before: 3},
	} {
		if got := waitOf(step); got != want {
			t.Errorf("%+v waits for %q, want %q", step, got, want)
		}
	}
	if got := waitOf(workflow.StepDescription{State: workflow.Pending}); got != "" {
		t.Errorf("a step whose turn has not come waits for %q", got)
	}
	d := workflow.Description{State: workflow.Pending, Before: 7}
	if got := waitOfAll(d); got != "waiting for its turn (7 other operations are before it)" {
		t.Errorf("an operation waits for %q", got)
	}
	if d.State = workflow.Running; waitOfAll(d) != "" {
		t.Error("one that runs waits")
	}
}

func TestSpeedIsThatOfTheLastSeconds(t *testing.T) {
	p, now := newPaces(), time.Now()
	at := func(after time.Duration, done int64) int64 { return p.observe("o", "k", done, now.Add(after)) }
	if got := at(0, 1000); got >= 0 {
		t.Errorf("at once it is %d", got)
	}
	if got := at(500*time.Millisecond, 9000); got >= 0 {
		t.Errorf("after half a second it is %d", got)
	}
	if got := at(2*time.Second, 3000); got != 1000 {
		t.Errorf("it is %d a second, want 1000", got)
	}
	for i := range 60 {
		at(time.Duration(3+i)*time.Second, 3000+int64(i+1)*5000)
	}
	if got := at(63*time.Second, 3000+61*5000); got < 4900 || got > 5000 {
		t.Errorf("after a minute it is %d a second, want 5000", got)
	}
	if got := at(3*time.Minute, 3000+61*5000); got > 10 {
		t.Errorf("standing still it is %d a second", got)
	}
	if got := at(4*time.Minute, 10); got >= 0 {
		t.Errorf("when it begins anew it is %d", got)
	}
	p.forget("o")
	if len(p.all) != 0 {
		t.Error("it is not forgotten")
	}
}

func TestTimeLeftIsAnEstimateOrNothing(t *testing.T) {
	for _, tt := range []struct {
		done, total, speed int64
		want               time.Duration
	}{
		{0, 1000, 100, 10 * time.Second},
		{0, 1001, 100, 11 * time.Second},
		{1000, 1000, 100, 0},
		{2000, 1000, 100, 0},
		{0, 0, 100, 0},
		{0, 1000, 0, 0},
		{0, 1000, -1, 0},
		{0, 1 << 62, 1, 0},
	} {
		if got := timeLeft(tt.done, tt.total, tt.speed); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
