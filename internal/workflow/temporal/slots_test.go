package temporal

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

func TestAShareLeavesAsManySlotsAsItHas(t *testing.T) {
	s := newSlots(100, 110)
	held := func(share string) int {
		n := 0
		for s.take(share) {
			n++
		}
		return n
	}
	if a, b := held("a"), held("b"); a != 50 || b != 25 {
		t.Errorf("the first has %d, the second %d", a, b)
	}
	if !s.crowded("a") || s.crowded("b") {
		t.Error("the first is not the one that has too many")
	}
	for s.crowded("a") {
		s.give("a")
	}
	held("b")
	if a, b := s.held["a"], s.held["b"]; a < 33 || b < a-5 {
		t.Errorf("then the first has %d, the second %d", a, b)
	}
	for i := range 200 {
		s.take(fmt.Sprint("share", i))
	}
	if s.total != 110 {
		t.Errorf("with one for each there are %d", s.total)
	}
	if s.crowded("share0") {
		t.Error("the only one of a share is too many")
	}
}

func TestWhoWaitsForAPlaceYieldsToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPools(func(string) int { return 1 })
		never := func() bool { return false }
		if err := p.take(t.Context(), "main/a", never); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.take(t.Context(), "main/a", func() bool { return time.Since(began) > time.Minute }); !errors.Is(err, errYielded) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(began); d > time.Minute+yieldEvery {
			t.Errorf("it yields after %s", d)
		}
		// Who has left gets no place.
		p.give("main/a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.take(ctx, "main/a", never); err != nil {
			t.Error(err)
		}
		p.give("main/a")
		if len(p.used) != 0 {
			t.Errorf("left are %v", p.used)
		}
	})
}

// TestWhatIsTurnedAwayRestsOnTheCluster looks what the cluster is told.
func TestWhatIsTurnedAwayRestsOnTheCluster(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(away)
	_, err := env.ExecuteActivity(away)
	told, _ := errors.AsType[*temporal.ApplicationError](err)
	if told == nil || told.NonRetryable() {
		t.Fatalf("got %v", err)
	}
	if rest := told.NextRetryDelay(); rest < firstAway*8/10 || rest > firstAway*12/10 {
		t.Errorf("it rests for %s", rest)
	}
}
