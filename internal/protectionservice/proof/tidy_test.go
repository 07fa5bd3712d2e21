package proof

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

const (
	project    = "0123456789abcdef0123456789abcdef"
	providerID = "0a1b2c3d-0001-4002-8003-00000000000a"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// faulty is a bank that takes no evidence of some drills, and lets that of others not go.
type faulty struct {
	*banktest.Memory
	refused, locked map[string]bool
	// puts and deletes are the drills whose evidence it was asked for.
	puts, deletes []string
	// put, if not nil, is called before evidence is kept.
	put func(drillID string)
}

// drillIn gives the drill that a key is of, "" for other keys.
func drillIn(key string) string {
	_, rest, _ := strings.Cut(key, "/evidence/")
	id, _, _ := strings.Cut(rest, "/")
	return id
}

func (b *faulty) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if id := drillIn(key); id != "" {
		b.puts = append(b.puts, id)
		if b.put != nil {
			b.put(id)
		}
		if b.refused[id] {
			return karbor.Transientf("the bank does not take it now")
		}
	}
	return b.Memory.Create(ctx, key, body, size)
}

func (b *faulty) Delete(ctx context.Context, key string) error {
	if id := drillIn(key); id != "" {
		b.deletes = append(b.deletes, id)
		if b.refused[id] {
			return karbor.Transientf("the bank does not remove it now")
		}
		if b.locked[id] {
			return karbor.Errorf(karbor.Conflict, "it is locked")
		}
	}
	return b.Memory.Delete(ctx, key)
}

// notes is a database of records.
type notes struct {
	Store
	unkept  map[string]store.UnkeptProof
	deleted map[string]karbor.Drill
	noted   map[string]store.DrillProof
	// going are the drills that are being deleted, or whose checkpoints are, since they were listed.
	going map[string]bool
}

// page gives those of a map behind an id, in the order of the ids.
func page[T any](all map[string]T, behind string, limit int) (out []T) {
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if cmp.Compare(id, behind) > 0 && len(out) < limit {
			out = append(out, all[id])
		}
	}
	return out
}

func (n *notes) UnkeptProofs(_ context.Context, _, _, behind string, limit int) ([]store.UnkeptProof, error) {
	return page(n.unkept, behind, limit), nil
}

func (n *notes) DeletedProofs(_ context.Context, _, _, behind string, limit int) ([]karbor.Drill, error) {
	return page(n.deleted, behind, limit), nil
}

func (n *notes) NoteProof(_ context.Context, id string, p store.DrillProof) error {
	n.noted[id] = p
	return nil
}

func (n *notes) BeginProof(_ context.Context, id, provider, bank string) (bool, error) {
	if provider != providerID || bank != "" || n.going[id] {
		return false, nil
	}
	n.noted[id] = store.DrillProof{}
	return true, nil
}

func (n *notes) ForgetProof(_ context.Context, id string) error {
	delete(n.deleted, id)
	return nil
}

// shelf is a checkpoint in a bank, whose drills a database knows.
type shelf struct {
	t          *testing.T
	bank       *faulty
	notes      *notes
	provider   *provider.Provider
	checkpoint string
	signer     *evidence.Signer
}

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{
		t: t, bank: &faulty{Memory: banktest.NewMemory(), refused: map[string]bool{}, locked: map[string]bool{}}, checkpoint: karbor.NewID(),
		notes: &notes{unkept: map[string]store.UnkeptProof{}, deleted: map[string]karbor.Drill{}, noted: map[string]store.DrillProof{}},
	}
	dir := t.TempDir()
	text := fmt.Sprintf("id: %s\nname: test\nbank: {plugin: faulty}\nplugins: [{plugin: idle}]\n", providerID)
	must(t, os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o600))
	none := func() struct{} { return struct{}{} }
	loaded, err := provider.Load(t.Context(), dir, provider.Sets{
		Banks: plugin.Set[bank.Bank]{plugin.Define("faulty", "", none, func(context.Context, struct{}) (bank.Bank, error) { return s.bank, nil })},
		Protections: plugin.Set[protection.Plugin]{plugin.Define("idle", "", none, func(context.Context, struct{}) (protection.Plugin, error) {
			return idle{}, nil
		})},
	}, provider.Options{Owner: "me", Now: time.Now})
	must(t, err)
	s.provider = loaded[0]
	t.Cleanup(func() { _ = s.provider.Close() })
	checkpoints := s.provider.Checkpoints()
	must(t, checkpoints.Lease().Acquire(t.Context()))
	must(t, checkpoints.Create(t.Context(), karbor.Checkpoint{
		ID: s.checkpoint, ProjectID: project, ProviderID: providerID, Graph: &karbor.Graph{}, Status: karbor.CheckpointProtecting, CreatedAt: start,
		Plan: karbor.PlanRecord{ID: "plan", Name: "shop", ProviderID: providerID},
	}))
	must(t, checkpoints.SetState(t.Context(), project, s.checkpoint, karbor.CheckpointAvailable, checkpoint.Change{}))
	file, err := evidence.NewKeyFile()
	must(t, err)
	s.signer, err = evidence.NewSigner(file)
	must(t, err)
	return s
}

// idle protects volumes, and has nothing to do for it.
type idle struct{}

func (idle) Types() []karbor.ResourceType                   { return []karbor.ResourceType{karbor.VolumeType} }
func (idle) Schemas(karbor.ResourceType) protection.Schemas { return protection.Schemas{} }
func (idle) Hooks(karbor.OperationType, karbor.ResourceType) protection.Hooks {
	return protection.Hooks{}
}

// drilled has the database know so many drills whose records are in no bank, and gives them in order.
func (s *shelf) drilled(n int) (ids []string) {
	s.t.Helper()
	for range n {
		d := karbor.Drill{ID: karbor.NewID(), ProjectID: project, ProviderID: providerID, CheckpointID: s.checkpoint, Status: karbor.DrillFinished}
		file, err := s.signer.Sign(evidence.Record{
			DrillID: d.ID, ProjectID: project, ProviderID: providerID, Checkpoint: evidence.Checkpoint{ID: s.checkpoint}, Verdict: karbor.DrillPassed,
			StartedAt: evidence.Time{Time: start}, EndedAt: evidence.Time{Time: start.Add(time.Hour)}, Removed: true,
		})
		must(s.t, err)
		s.notes.unkept[d.ID] = store.UnkeptProof{Drill: d, Evidence: file}
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}

func (s *shelf) tidy() error {
	return Tidy(s.t.Context(), s.notes, s.provider, slog.New(slog.NewTextHandler(s.t.Output(), nil)))
}

func (s *shelf) same(want, got any) {
	s.t.Helper()
	if d := diff.Diff(want, got); d != "" {
		s.t.Error(d)
	}
}

func TestARecordThatFailsHoldsUpNoOther(t *testing.T) {
	s := newShelf(t)
	ids := s.drilled(5)
	s.bank.refused[ids[0]], s.bank.refused[ids[1]], s.bank.refused[ids[3]] = true, true, true
	if err := s.tidy(); err == nil || strings.Count(err.Error(), "does not take") != 3 {
		t.Errorf("it tells of %v", err)
	}
	for i, want := range []bool{false, false, true, false, true} {
		if got := s.notes.noted[ids[i]]; got.Kept != want || want != (got.Reason == "") {
			t.Errorf("record %d is noted as %+v", i, got)
		}
	}
}

func TestABankThatTakesNothingIsLeftInPeaceAfterAFewRecords(t *testing.T) {
	s := newShelf(t)
	ids := s.drilled(patience + 2)
	for _, id := range ids {
		s.bank.refused[id] = true
	}
	if err := s.tidy(); !karbor.IsTransient(err) {
		t.Errorf("it tells of %v", err)
	}
	s.same(ids[:patience], slices.Compact(s.bank.puts))
}

func TestThatARecordMayLieInTheBankIsNotedBeforeItDoes(t *testing.T) {
	s := newShelf(t)
	s.drilled(1)
	s.bank.put = func(id string) {
		if got, known := s.notes.noted[id]; !known || got.Kept {
			t.Errorf("it is noted as %+v, %t", got, known)
		}
	}
	must(t, s.tidy())
	if len(s.bank.puts) != 1 {
		t.Errorf("there were %d tries", len(s.bank.puts))
	}
}

func TestNoRecordIsPutBesideACheckpointWhoseDeletionHasBeenAcceptedSinceItWasListed(t *testing.T) {
	s := newShelf(t)
	ids := s.drilled(3)
	s.notes.going = map[string]bool{}
	s.bank.put = func(string) { s.notes.going[ids[1]] = true } // while the first one is put
	must(t, s.tidy())
	s.same([]string{ids[0], ids[2]}, s.bank.puts)
	if got, known := s.notes.noted[ids[1]]; known {
		t.Errorf("it is noted as %+v", got)
	}
}

func TestLockedRecordsOfDeletedDrillsHoldUpNoOther(t *testing.T) {
	s := newShelf(t)
	ids := s.drilled(batch + 2)
	must(t, s.tidy())
	for i, id := range ids {
		s.notes.deleted[id] = s.notes.unkept[id].Drill
		s.bank.locked[id] = i < batch
	}
	clear(s.notes.unkept)
	must(t, s.tidy())
	s.same(ids[:batch], slices.Sorted(maps.Keys(s.notes.deleted)))
}

func TestABankThatRemovesNothingIsLeftInPeaceAfterAFewRecords(t *testing.T) {
	s := newShelf(t)
	ids := s.drilled(patience + 3)
	must(t, s.tidy())
	for i, id := range ids {
		s.notes.deleted[id] = s.notes.unkept[id].Drill
		s.bank.refused[id] = i != 1
	}
	clear(s.notes.unkept)
	if err := s.tidy(); !karbor.IsTransient(err) {
		t.Errorf("it tells of %v", err)
	}
	s.same(ids[:patience+2], slices.Compact(s.bank.deletes))
}
