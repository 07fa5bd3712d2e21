package custody

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
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

// slow is a bank whose listings of evidence end when so many of them are under way, or no more come.
type slow struct {
	*banktest.Memory
	mu     sync.Mutex
	asked  int
	now    int
	most   int
	gather int
	full   chan struct{}
}

func (b *slow) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if strings.HasSuffix(prefix, "/evidence/") {
		b.mu.Lock()
		b.asked++
		b.now++
		if b.most = max(b.most, b.now); b.asked == b.gather {
			close(b.full)
		}
		b.mu.Unlock()
		select {
		case <-b.full:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		defer func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.now--
		}()
	}
	return b.Memory.List(ctx, prefix, marker, limit)
}

func TestTheEvidenceOfSomeCheckpointsIsLookedForAtOnce(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	b := &slow{Memory: banktest.NewMemory(), gather: readers, full: make(chan struct{})}
	p, before := opened(t, b, clock)
	text, err := evidence.NewKeyFile()
	must(t, err)
	signer, err := evidence.NewSigner(text)
	must(t, err)
	const checkpoints = 2*readers + 1
	var drills []string
	for range checkpoints {
		drills = append(drills, proven(t, p, held(t, p, before, now), signer))
	}
	p, db := opened(t, b, clock)
	k := New(Options{Store: db, Providers: []*provider.Provider{p}, Keys: signer.Keys(), Now: clock, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // one after the other, it would wait for ever
	defer cancel()
	must(t, k.fill(ctx, p))
	for i, id := range drills {
		if known, err := db.DrillKnown(t.Context(), id); err != nil || !known {
			t.Errorf("drill %d is known: %t, %v", i, known, err)
		}
	}
	if b.asked != checkpoints || b.most > readers {
		t.Errorf("%d listings for %d checkpoints, %d at once", b.asked, checkpoints, b.most)
	}
	if filled, err := db.CatalogueFilled(t.Context(), p.ID, ""); err != nil || !filled {
		t.Errorf("the catalogue is said to be filled: %t, %v", filled, err)
	}
}

func TestARecordThatCanNotBeReadKeepsNothingElseFromTheCatalogue(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	mute := ""
	b := torn{banktest.NewMemory(), &mute}
	p, before := opened(t, b, clock)
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
	p, db := opened(t, b, clock)
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
