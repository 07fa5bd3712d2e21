package replication_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/replication"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// prove puts the record of a drill beside a checkpoint.
func prove(t *testing.T, s replication.Side, drill string) []byte {
	t.Helper()
	key, err := evidence.NewKeyFile()
	must(t, err)
	signer, err := evidence.NewSigner(key)
	must(t, err)
	file, err := signer.Sign(evidence.Record{
		DrillID: drill, ProjectID: project, ProviderID: "provider", Bank: "main", Checkpoint: evidence.Checkpoint{ID: cpID}, EndedAt: evidence.Time{Time: time.Unix(1, 0)},
		Verdict: karbor.DrillPassed, Reasons: []string{}, Left: []string{}, LeftOut: []evidence.LeftOut{}, Phases: []evidence.Phase{}, Resources: []evidence.Resource{}, Removed: true,
	})
	must(t, err)
	p, err := checkpoint.NewProof(file, karbor.Drill{Status: karbor.DrillFinished})
	must(t, err)
	must(t, s.Checkpoints.PutProof(t.Context(), project, cpID, p))
	return file
}

func TestRecordsOfDrillsGoAlongWhereTheCopyIsTheSameCheckpoint(t *testing.T) {
	m := banktest.NewMemory()
	from, endFrom := side(t, m, "a", keyring.Key(keyring.NewKey()))
	defer endFrom()
	protect(t, from)
	const first, second = "d0d0d0d0-0000-4000-8000-000000000001", "d0d0d0d0-0000-4000-8000-000000000002"
	files := [][]byte{prove(t, from, first)}
	to, endTo := side(t, banktest.NewMemory(), "b", keyring.Key(keyring.NewKey()))
	defer endTo()
	must(t, to.Checkpoints.Lease().Acquire(t.Context()))
	copier := &replication.Copier{From: from, To: to}
	for round := range 2 {
		r, err := copier.Copy(t.Context(), project, cpID)
		must(t, err)
		got, err := to.Checkpoints.Proofs(t.Context(), project, cpID, func(u checkpoint.UnreadProof) error { return u.Err })
		must(t, err)
		if len(got) != len(files) || r.Present != (round == 1) {
			t.Fatalf("round %d: %d records of %d, %+v", round, len(got), len(files), r)
		}
		for i, p := range got {
			if !bytes.Equal(p.File, files[i]) {
				t.Errorf("the record is another: %s", p.File)
			}
		}
		files = append(files, prove(t, from, second)) // a drill after the copy
	}
	// A copy with an id of its own is another checkpoint.
	const copied = "0a1b2c3d-0001-4002-8003-0000000000ff"
	as := &replication.Copier{From: from, To: to, As: func(o karbor.Checkpoint) karbor.Checkpoint {
		o.ID = copied
		return o
	}}
	_, err := as.Copy(t.Context(), project, cpID)
	must(t, err)
	if got, err := to.Checkpoints.Proofs(t.Context(), project, copied, nil); err != nil || len(got) > 0 {
		t.Errorf("a copy of another id has %d records, %v", len(got), err)
	}
}
