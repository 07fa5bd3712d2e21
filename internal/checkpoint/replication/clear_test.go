package replication_test

import (
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/replication"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/protection"
)

// describe makes a checkpoint that has documents alone, under these keys.
func describe(t *testing.T, s replication.Side, keys ...string) {
	t.Helper()
	must(t, s.Checkpoints.Lease().Acquire(t.Context()))
	graph := &karbor.Graph{}
	node := graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: "0a1b2c3d-0001-4002-8003-0000000000aa", Name: "data"}, "")
	must(t, s.Checkpoints.Create(t.Context(), karbor.Checkpoint{ID: cpID, ProjectID: project, ProviderID: "provider", Graph: graph,
		Plan: karbor.PlanRecord{ID: "plan", Name: "shop", ProviderID: "provider"}, CreatedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}))
	d, err := s.Checkpoints.Documents(project, cpID, node.Key())
	must(t, err)
	for _, key := range keys {
		must(t, d.CreateJSON(t.Context(), key, map[string]string{"name": "data"}))
	}
	must(t, s.Checkpoints.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, checkpoint.Change{}))
}

func TestSealedDocumentsComeIntoTheClearOnlyIfItIsSaidAndKeysNever(t *testing.T) {
	for name, test := range map[string]struct {
		keys       []string
		inTheClear bool
		refused    bool
	}{
		"not said":                 {keys: []string{"metadata"}, refused: true},
		"said":                     {keys: []string{"metadata"}, inTheClear: true},
		"said, of a volume's keys": {keys: []string{"metadata", protection.KeyDocument}, inTheClear: true, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			from, endFrom := side(t, banktest.NewMemory(), "a", keyring.Key(keyring.NewKey()))
			defer endFrom()
			describe(t, from, test.keys...)
			target := banktest.NewMemory()
			to, endTo := side(t, target, "b")
			defer endTo()
			must(t, to.Checkpoints.Lease().Acquire(t.Context()))
			before := len(target.Snapshot())
			c := &replication.Copier{From: from, To: to, InTheClear: test.inTheClear}
			_, checkErr := c.Check(t.Context(), project, cpID)
			_, err := c.Copy(t.Context(), project, cpID)
			if !test.refused {
				if err != nil || checkErr != nil {
					t.Errorf("it is refused: %v, %v", err, checkErr)
				}
				return
			}
			if err == nil || checkErr == nil || karbor.KindOf(err) != karbor.Conflict || karbor.KindOf(checkErr) != karbor.Conflict {
				t.Errorf("it is not refused: %v, %v", err, checkErr)
			}
			if after := len(target.Snapshot()); after != before {
				t.Errorf("%d objects came into the clear", after-before)
			}
		})
	}
}
