package checkpoint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
)

// nodes are the keys of the documents and data of the sample.
func nodes(m *banktest.Memory) (keys []string) {
	for key := range m.Snapshot() {
		if strings.HasPrefix(key, nodesPrefix(project, cpID)) {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestDiscardedCheckpointHoldsNothingAndStays(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	must(t, cs.Create(t.Context(), sample()))
	must(t, addNodes(t.Context(), cs, cpID))
	if len(nodes(m)) == 0 {
		t.Fatal("there is nothing to discard")
	}
	must(t, cs.Discard(t.Context(), project, cpID))
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{Reasons: map[string]string{"a": "b"}}))
	before := withoutLease(m)
	must(t, cs.Discard(t.Context(), project, cpID))
	if diff := cmp.Diff(before, withoutLease(m)); diff != "" {
		t.Errorf("a repeat changed (-before +after):\n%s", diff)
	}
	if left := nodes(m); left != nil {
		t.Errorf("left are %v", left)
	}
	cp, err := cs.Get(t.Context(), project, cpID)
	if err != nil || cp.Status != karbor.CheckpointError || cp.Plan.ID != sample().Plan.ID {
		t.Errorf("the checkpoint is %+v, %v", cp, err)
	}
	if err := cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{}); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("making it available gave %v", err)
	}
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	must(t, cs.Purge(t.Context(), project, cpID))
}

func TestDiscardLeavesWhatWasFinishedAndWhatOthersMake(t *testing.T) {
	c := newClock()
	m := memory(c)
	mine, theirs := open(t, m, c, "a"), open(t, m, c, "b")
	must(t, mine.Discard(t.Context(), project, cpID)) // there is none
	must(t, mine.Create(t.Context(), sample()))
	must(t, addNodes(t.Context(), mine, cpID))
	refused := func(when string, cs *Checkpoints) {
		t.Helper()
		before := withoutLease(m)
		if err := cs.Discard(t.Context(), project, cpID); karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("%s: %v", when, err)
		}
		if diff := cmp.Diff(before, withoutLease(m)); diff != "" {
			t.Errorf("%s, it changed (-before +after):\n%s", when, diff)
		}
	}
	refused("another makes it", theirs)
	must(t, mine.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{Size: 3}))
	refused("it is available", mine)
	// An administrator may say so of a good one, and take it back.
	must(t, mine.SetState(t.Context(), project, cpID, karbor.CheckpointError, Change{}))
	refused("it is in error, but was finished", mine)
	must(t, mine.SetState(t.Context(), project, cpID, karbor.CheckpointDeleting, Change{}))
	refused("it is being deleted", mine)
}
