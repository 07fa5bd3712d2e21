package checkpoint

import (
	"testing"

	"github.com/karbor/karbor"
)

func TestWorkOfALivingOwnerIsTakenOverByWhoKnows(t *testing.T) {
	clock := newClock()
	b := memory(clock)
	one, two := open(t, b, clock, "one"), open(t, b, clock, "two")
	cp := sample()
	must(t, one.Create(t.Context(), cp))
	err := two.SetState(t.Context(), cp.ProjectID, cp.ID, karbor.CheckpointAvailable, Change{})
	if err == nil || karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("without knowing: %v", err)
	}
	knows := TakingOver(t.Context())
	must(t, two.SetState(knows, cp.ProjectID, cp.ID, karbor.CheckpointAvailable, Change{}))
	must(t, one.SetState(t.Context(), cp.ProjectID, cp.ID, karbor.CheckpointDeleting, Change{}))
	must(t, two.Purge(knows, cp.ProjectID, cp.ID))
}
