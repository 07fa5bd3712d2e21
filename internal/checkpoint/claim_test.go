package checkpoint

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// claimed reports whether an owner has a claim on the sample.
func claimed(t *testing.T, b bank.Bank, owner string) bool {
	t.Helper()
	_, err := b.Stat(t.Context(), claimKey(owner, project, cpID))
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		t.Fatal(err)
	}
	return err == nil
}

func TestAStateThatIsPublishedIsNoFailureThoughItsClaimStays(t *testing.T) {
	for name, publish := range map[string]func(*Checkpoints) error{
		"available": func(c *Checkpoints) error {
			return c.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{})
		},
		"error": func(c *Checkpoints) error {
			return c.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{})
		},
		"available at once": func(c *Checkpoints) error { return c.CreateAvailable(t.Context(), sample(), Change{}) },
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			m := memory(clock)
			held := []string{"@" + cpID}
			cs := open(t, refusing{m, &held, karbor.Errorf(karbor.Forbidden, "the bank lets nothing go")}, clock, "a")
			var log bytes.Buffer
			cs.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
			if err := cs.Create(t.Context(), sample()); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a repeat finds it made
				if err := publish(cs); err != nil || !claimed(t, m, "a") || !strings.Contains(log.String(), "its claim stays") {
					t.Fatalf("it ends with %v, and the log says %q", err, log.String())
				}
			}
			if err := cs.Settle(t.Context(), project, cpID); karbor.KindOf(err) != karbor.Forbidden {
				t.Errorf("a claim that the bank keeps is settled with %v", err)
			}
			held = nil
			if err := cs.Settle(t.Context(), project, cpID); err != nil || claimed(t, m, "a") {
				t.Errorf("the claim stays, with %v", err)
			}
		})
	}
}

func TestSettleLeavesTheClaimOnWhatIsWorkedOn(t *testing.T) {
	clock := newClock()
	m := memory(clock)
	cs := open(t, m, clock, "a")
	if err := cs.Create(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	if err := cs.Settle(t.Context(), project, cpID); err != nil || !claimed(t, m, "a") {
		t.Errorf("the claim has gone, with %v", err)
	}
}

func TestSettleGivesTheClaimBackToWhatWasBegunMeanwhile(t *testing.T) {
	clock := newClock()
	l := &late{Bank: memory(clock)}
	cs := open(t, l, clock, "a")
	for _, to := range []karbor.CheckpointStatus{karbor.CheckpointProtecting, karbor.CheckpointAvailable} {
		if err := become(t, cs, to); err != nil {
			t.Fatal(err)
		}
	}
	l.at, l.still = 3, func() { // at the removal of the claim: a deletion begins
		l.still = nil
		if err := cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}); err != nil {
			t.Error(err)
		}
	}
	if err := cs.Settle(t.Context(), project, cpID); err != nil || !claimed(t, l, "a") {
		t.Errorf("what is worked on has no claim, with %v", err)
	}
}

// become makes the sample, or sets its state.
func become(t *testing.T, cs *Checkpoints, to karbor.CheckpointStatus) error {
	t.Helper()
	if to == karbor.CheckpointProtecting {
		return cs.Create(t.Context(), sample())
	}
	return cs.SetState(t.Context(), project, cpID, to, Change{})
}

func TestStatusTellsOfTombstonesToo(t *testing.T) {
	clock := newClock()
	cs := open(t, memory(clock), clock, "a")
	want := func(status karbor.CheckpointStatus, err error) {
		t.Helper()
		is, lookErr := cs.Status(t.Context(), project, cpID)
		if is != status || lookErr != nil || err != nil {
			t.Errorf("it is %q, want %q: %v, %v", is, status, lookErr, err)
		}
	}
	want("", nil)
	for _, to := range []karbor.CheckpointStatus{karbor.CheckpointProtecting, karbor.CheckpointAvailable, karbor.CheckpointDeleting} {
		want(to, become(t, cs, to))
	}
	want(karbor.CheckpointDeleted, cs.Purge(t.Context(), project, cpID))
	if _, err := cs.Status(t.Context(), project, "../other"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("what is no id: %v", err)
	}
}
