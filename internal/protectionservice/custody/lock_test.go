package custody

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

const (
	project    = "0123456789abcdef0123456789abcdef"
	providerID = "0a1b2c3d-0001-4002-8003-00000000000a"
	// manifest is that of a stream that lies under the checkpoint.
	manifest = `{"format":"chunks/1"}`
)

// counted is a bank that counts the locks it is asked for, and can give the manifests damaged.
type counted struct {
	*banktest.Memory
	locks   *int
	damaged *bool
}

func (c counted) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	body, err := c.Memory.Get(ctx, key, offset, length)
	if err == nil && *c.damaged && strings.HasSuffix(key, "/manifest") {
		_ = body.Close()
		body = io.NopCloser(strings.NewReader(strings.Repeat("x", len(manifest))))
	}
	return body, err
}

func (c counted) Lock(ctx context.Context, key string, until time.Time) (time.Time, error) {
	*c.locks++
	return c.Memory.Lock(ctx, key, until)
}

// idle protects volumes, and has nothing to do for it.
type idle struct{}

func (idle) Types() []karbor.ResourceType                   { return []karbor.ResourceType{karbor.VolumeType} }
func (idle) Schemas(karbor.ResourceType) protection.Schemas { return protection.Schemas{} }
func (idle) Hooks(karbor.OperationType, karbor.ResourceType) protection.Hooks {
	return protection.Hooks{}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opened gives a provider with a bank, and a database.
func opened(t *testing.T, b bank.Bank, now func() time.Time) (*provider.Provider, *store.Store) {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("id: %s\nname: test\nbank: {plugin: memory}\nplugins: [{plugin: idle}]\n", providerID)
	must(t, os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o600))
	loaded, err := provider.Load(t.Context(), dir, provider.Sets{
		Banks: plugin.Set[bank.Bank]{plugin.Define("memory", "", func() struct{} { return struct{}{} },
			func(context.Context, struct{}) (bank.Bank, error) { return b, nil })},
		Protections: plugin.Set[protection.Plugin]{plugin.Define("idle", "", func() struct{} { return struct{}{} },
			func(context.Context, struct{}) (protection.Plugin, error) { return idle{}, nil })},
	}, provider.Options{Owner: "me", Now: now})
	must(t, err)
	path := filepath.Join(dir, "karbor.db")
	storetest.NewFile(t, path)
	db, err := store.Open(t.Context(), path, store.Options{Now: now})
	must(t, err)
	t.Cleanup(func() { _ = db.Close(); _ = loaded[0].Close() })
	must(t, loaded[0].Checkpoints().Lease().Acquire(t.Context()))
	return loaded[0], db
}

// held keeps a checkpoint with a volume, which is held for good.
func held(t *testing.T, p *provider.Provider, db *store.Store, now time.Time) karbor.Checkpoint {
	t.Helper()
	c := karbor.Checkpoint{ID: karbor.NewID(), ProjectID: project, ProviderID: p.ID, Graph: &karbor.Graph{}, Status: karbor.CheckpointAvailable,
		Plan: karbor.PlanRecord{ID: "plan", Name: "shop", ProviderID: p.ID}, CreatedAt: now}
	c.Graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: "v", Name: "data"}, "")
	must(t, p.Checkpoints().Create(t.Context(), c))
	must(t, p.Checkpoints().SetState(t.Context(), project, c.ID, karbor.CheckpointAvailable, checkpoint.Change{}))
	must(t, db.PutCheckpoint(t.Context(), c))
	_, err := db.KeepCheckpoint(t.Context(), project, p.ID, c.ID, func(k *karbor.Keeping) error {
		k.Hold = &karbor.Hold{Reason: "audit", At: now, UserID: "user"}
		return nil
	})
	must(t, err)
	return c
}

func TestADamagedHeldCheckpointIsNotLockedAnewAllTheTime(t *testing.T) {
	const day, ahead = 24 * time.Hour, 30 * 24 * time.Hour
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	locks, damaged := 0, true
	m := banktest.NewMemory()
	m.SetNow(clock)
	m.SetLocks(ahead)
	p, db := opened(t, counted{m, &locks, &damaged}, clock)
	c := held(t, p, db, now)
	key := "v1/checkpoints/" + project + "/" + c.ID + "/nodes/volume/v/data/volume/manifest"
	must(t, m.Put(t.Context(), key, strings.NewReader(manifest), int64(len(manifest))))
	k := New(Options{Store: db, Providers: []*provider.Provider{p}, Now: clock, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	tries := map[string]*lockTry{}
	looked := 0
	round := func() store.BankLock {
		t.Helper()
		must(t, k.lockDue(t.Context(), p, ahead, tries))
		found, err := db.Locks(t.Context(), p.ID, []string{c.ID})
		must(t, err)
		if found[c.ID].TriedAt.Equal(now) {
			looked++
		}
		return found[c.ID]
	}
	for end := now.Add(10 * day); now.Before(end); now = now.Add(10 * time.Minute) {
		if lock := round(); lock.Reason == "" || !lock.Until.IsZero() {
			t.Fatalf("the lock of a damaged one is %+v", lock)
		}
	}
	// Its documents are locked for a month: once is enough.
	if once := 3; locks != once || looked < 10 || looked > 20 {
		t.Errorf("in ten days it was tried %d times, with %d locks; want a try a day, and %d locks", looked, locks, once)
	}
	for end := now.Add(10 * day); now.Before(end); now = now.Add(time.Hour) {
		round()
		until, err := m.LockedUntil(t.Context(), "v1/checkpoints/"+project+"/"+c.ID+"/description")
		if err != nil || until.Before(now.Add(ahead/2-2*day)) {
			t.Fatalf("the description is locked until %v, %v", until, err)
		}
	}
	if locks != 6 {
		t.Errorf("at the half of a month the documents are not locked once more: %d locks", locks)
	}
	// What is mended is locked within a day, and no longer than its documents.
	damaged = false
	documents, err := m.LockedUntil(t.Context(), "v1/checkpoints/"+project+"/"+c.ID+"/description")
	must(t, err)
	now = now.Add(day)
	if lock := round(); lock.Reason != "" || !lock.Until.Equal(documents) || lock.Objects != 3 || len(tries) != 0 {
		t.Errorf("the lock of a whole one is %+v, and its documents' ends %v", lock, documents)
	}
}
