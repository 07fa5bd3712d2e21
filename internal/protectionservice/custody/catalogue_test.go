package custody

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/provider"
)

// torn is a bank that does not give the evidence beside one checkpoint.
type torn struct {
	*banktest.Memory
	checkpoint *string
}

func (b torn) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if *b.checkpoint != "" && strings.Contains(key, *b.checkpoint+"/evidence/") {
		return nil, karbor.Transientf("the bank does not answer now")
	}
	return b.Memory.Get(ctx, key, offset, length)
}

// proven puts the evidence of a drill beside a checkpoint, and gives the drill.
func proven(t *testing.T, p *provider.Provider, c karbor.Checkpoint, by *evidence.Signer) string {
	t.Helper()
	id := karbor.NewID()
	file, err := by.Sign(evidence.Record{
		DrillID: id, ProjectID: project, ProviderID: p.ID, Checkpoint: evidence.Checkpoint{ID: c.ID, PlanID: c.Plan.ID}, Verdict: karbor.DrillPassed,
		StartedAt: evidence.Time{Time: c.CreatedAt}, EndedAt: evidence.Time{Time: c.CreatedAt.Add(time.Hour)}, Removed: true,
	})
	must(t, err)
	proof, err := checkpoint.NewProof(file, karbor.Drill{Status: karbor.DrillFinished, Probes: karbor.DrillProbes{Active: &karbor.ActiveProbe{}}})
	must(t, err)
	must(t, p.Checkpoints().PutProof(t.Context(), project, c.ID, proof))
	return id
}

func TestARecordThatCanNotBeReadKeepsNothingElseFromTheCatalogue(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	mute := ""
	bank := torn{banktest.NewMemory(), &mute}
	p, before := opened(t, bank, clock)
	text, err := evidence.NewKeyFile()
	must(t, err)
	signer, err := evidence.NewSigner(text)
	must(t, err)
	var checkpoints []karbor.Checkpoint
	var drills []string
	for range 3 {
		c := held(t, p, before, now)
		checkpoints, drills = append(checkpoints, c), append(drills, proven(t, p, c, signer))
	}
	p, db := opened(t, bank, clock)
	k := New(Options{Store: db, Providers: []*provider.Provider{p}, Keys: signer.Keys(), Now: clock, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	for _, want := range []struct {
		mute   string
		filled bool
	}{{checkpoints[1].ID, false}, {"", true}} {
		mute = want.mute
		must(t, k.fill(t.Context(), p))
		for i, c := range checkpoints {
			if _, err := db.Checkpoint(t.Context(), project, p.ID, c.ID); err != nil {
				t.Errorf("a checkpoint is not in the catalogue: %v", err)
			}
			known, err := db.DrillKnown(t.Context(), drills[i])
			must(t, err)
			if known != (c.ID != mute) {
				t.Errorf("drill %d is known: %t", i, known)
			}
		}
		filled, err := db.CatalogueFilled(t.Context(), p.ID, "")
		must(t, err)
		if filled != want.filled {
			t.Errorf("the catalogue is said to be filled: %t", filled)
		}
	}
}
