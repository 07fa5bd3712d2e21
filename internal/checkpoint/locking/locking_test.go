package locking_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/locking"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	project = "0123456789abcdef0123456789abcdef"
	held    = "0a1b2c3d-0001-4002-8003-000000000001"
	other   = "0a1b2c3d-0001-4002-8003-000000000002"
	volume  = karbor.NodeKey("volume/0a1b2c3d-0001-4002-8003-0000000000aa")
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place opens a bank, with keys or without.
func place(t *testing.T, b bank.Bank, keys ...*keyring.Source) locking.Place {
	t.Helper()
	o := checkpoint.Options{Owner: "owner", Now: time.Now}
	var p locking.Place
	if len(keys) > 0 {
		domains, err := repository.NewDomains(repository.Options{Bank: b, Keys: keys, Now: time.Now})
		must(t, err)
		p.Domains, o.Sealer = domains, domains
		t.Cleanup(func() { _ = domains.Close(context.WithoutCancel(t.Context())) })
	}
	var err error
	p.Checkpoints, err = checkpoint.Open(t.Context(), b, o)
	must(t, err)
	must(t, p.Checkpoints.Lease().Acquire(t.Context()))
	return p
}

// protect makes a checkpoint with a volume of bytes that no other seed has.
func protect(t *testing.T, p locking.Place, id string, seed byte) {
	t.Helper()
	graph := &karbor.Graph{}
	node := graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: strings.TrimPrefix(string(volume), "volume/"), Name: "data"}, "")
	must(t, p.Checkpoints.Create(t.Context(), karbor.Checkpoint{ID: id, ProjectID: project, ProviderID: "provider", Graph: graph,
		Plan: karbor.PlanRecord{ID: "plan", Name: "shop", ProviderID: "provider"}, CreatedAt: time.Now()}))
	d, err := p.Checkpoints.Documents(project, id, node.Key())
	must(t, err)
	must(t, d.CreateJSON(t.Context(), "metadata", map[string]string{"name": "data"}))
	section, err := p.Checkpoints.Data(project, id, volume)
	must(t, err)
	streams, err := repository.NewStreams(repository.StreamsOptions{Domains: p.Domains, Project: project, Section: section})
	must(t, err)
	w, err := streams.Create(t.Context(), "volume")
	must(t, err)
	data := make([]byte, 300_000)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	_, err = w.Write(data)
	must(t, err)
	_, err = w.Commit(t.Context())
	must(t, err)
	must(t, p.Checkpoints.SetState(t.Context(), project, id, karbor.CheckpointAvailable, checkpoint.Change{
		Size: 300_000, Figures: map[string]karbor.Figures{"OS::Cinder::Volume#x": {Size: 300_000}},
	}))
}

// lockAll locks the documents of a checkpoint, and its data.
func lockAll(ctx context.Context, p locking.Place, project, id string, until time.Time) (int, error) {
	n, err := p.Checkpoints.Lock(ctx, project, id, until)
	if err != nil {
		return n, err
	}
	more, err := locking.Data(ctx, p, project, id, until)
	return n + more, err
}

// lockedKeys gives the keys of what is locked.
func lockedKeys(t *testing.T, b *banktest.Memory) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for key := range b.Snapshot() {
		until, err := b.LockedUntil(t.Context(), key)
		must(t, err)
		if until.After(time.Now()) {
			out[key] = true
		}
	}
	return out
}

func TestWhatACheckpointNeedsIsLockedAndNothingElse(t *testing.T) {
	for name, keys := range map[string][]*keyring.Source{"clear": nil, "encrypted": {keyring.Key(keyring.NewKey())}} {
		t.Run(name, func(t *testing.T) {
			b := banktest.NewMemory()
			b.SetLocks(time.Hour)
			p := place(t, b, keys...)
			protect(t, p, held, 1)
			needed := b.Snapshot() // with no other checkpoint there, nearly all
			protect(t, p, other, 2)
			n, err := lockAll(t.Context(), p, project, held, time.Now().Add(time.Hour))
			must(t, err)
			locked := lockedKeys(t, b)
			if n != len(locked) {
				t.Errorf("%d objects are told, %d are locked", n, len(locked))
			}
			var packs, documents int
			for key := range locked {
				switch {
				case strings.Contains(key, "/slots/") || strings.Contains(key, "/leases/") || strings.Contains(key, "/index/"):
					t.Errorf("%s is locked", key)
				case strings.Contains(key, other):
					t.Errorf("%s of another checkpoint is locked", key)
				case needed[key] == "" && strings.Contains(key, "/repositories/"):
					t.Errorf("the pack %s of another checkpoint is locked", key)
				case strings.Contains(key, "/repositories/"):
					packs++
				default:
					documents++
				}
			}
			// Description, state, manifest, metadata, figures; packs of data and of pages, and the domain.
			if documents < 5 || len(keys) > 0 && packs < 3 {
				t.Errorf("%d documents and %d objects of the repository are locked: %v", documents, packs, locked)
			}
			// A thief with the service's rights can remove nothing that it needs.
			for key := range b.Snapshot() {
				if !strings.Contains(key, "/index/") && !strings.Contains(key, "/slots/") {
					_ = b.Delete(t.Context(), key)
				}
			}
			for key := range locked {
				if _, err := b.Stat(t.Context(), key); err != nil {
					t.Errorf("%s has gone: %v", key, err)
				}
			}
		})
	}
}

func TestALockedCheckpointIsNotRemoved(t *testing.T) {
	b := banktest.NewMemory()
	b.SetLocks(time.Hour)
	p := place(t, b, keyring.Key(keyring.NewKey()))
	protect(t, p, held, 1)
	must(t, p.Checkpoints.MayRemove(t.Context(), project, held))
	_, err := lockAll(t.Context(), p, project, held, time.Now().Add(time.Hour))
	must(t, err)
	if err := p.Checkpoints.MayRemove(t.Context(), project, held); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("it may be removed: %v", err)
	}
	b.SetNow(func() time.Time { return time.Now().Add(2 * time.Hour) })
	must(t, p.Checkpoints.MayRemove(t.Context(), project, held))
}

func TestABrokenOffLockGoesOnAndABankThatCannotLockSaysSo(t *testing.T) {
	key := keyring.Key(keyring.NewKey())
	m := banktest.NewMemory()
	p := place(t, m, key)
	protect(t, p, held, 1)
	until := time.Now().Add(time.Hour)
	if _, err := lockAll(t.Context(), p, project, held, until); karbor.KindOf(err) != karbor.NotImplemented {
		t.Errorf("a bank that can't lock: %v", err)
	}
	m.SetLocks(time.Hour)
	all := m.Clone()
	want, err := lockAll(t.Context(), place(t, all, key), project, held, until)
	must(t, err)
	for nth := 1; nth <= want; nth++ {
		one := m.Clone()
		faulty := banktest.NewFaulty(one)
		faulty.Add(banktest.Fault{Method: banktest.Lock, Nth: nth, Onward: true})
		broken := place(t, faulty, key)
		if _, err := lockAll(t.Context(), broken, project, held, until); err == nil {
			t.Fatalf("call %d: no error", nth)
		}
		if nth > 1 {
			// From the first object on it is not deleted.
			if until, err := one.LockedUntil(t.Context(), "v1/checkpoints/"+project+"/"+held+"/description"); err != nil || until.IsZero() {
				t.Errorf("call %d: the description is not locked, %v", nth, err)
			}
		}
		faulty.Heal()
		if n, err := lockAll(t.Context(), broken, project, held, until); err != nil || n != want || len(lockedKeys(t, one)) != want {
			t.Errorf("call %d: %d objects, %d locked, %v", nth, n, len(lockedKeys(t, one)), err)
		}
	}
}

func TestOnlyAnAvailableWholeCheckpointIsLocked(t *testing.T) {
	b := banktest.NewMemory()
	b.SetLocks(time.Hour)
	p := place(t, b, keyring.Key(keyring.NewKey()))
	until := time.Now().Add(time.Hour)
	if _, err := lockAll(t.Context(), p, project, held, until); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("one that is not there: %v", err)
	}
	protect(t, p, held, 1)
	for key := range b.Snapshot() {
		if strings.Contains(key, "/packs/") {
			must(t, b.Delete(t.Context(), key))
		}
	}
	if _, err := lockAll(t.Context(), p, project, held, until); err == nil {
		t.Error("one whose packs are gone is locked")
	}
	must(t, p.Checkpoints.SetState(t.Context(), project, held, karbor.CheckpointError, checkpoint.Change{}))
	if _, err := lockAll(t.Context(), p, project, held, until); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("one in error: %v", err)
	}
}

func TestTheCollectorLeavesLockedPacksAloneAndGoesOn(t *testing.T) {
	b := banktest.NewMemory()
	b.SetLocks(time.Hour)
	key := keyring.Key(keyring.NewKey())
	p := place(t, b, key)
	protect(t, p, held, 1)
	protect(t, p, other, 2)
	domain := p.Domains.Domain(project)
	before := b.Snapshot()
	_, err := p.Domains.Lock(t.Context(), domain, []string{manifestOf(held)}, time.Now().Add(time.Hour))
	must(t, err)
	// Both are deleted: the packs of the one are still locked.
	must(t, b.Delete(t.Context(), manifestOf(held)))
	must(t, b.Delete(t.Context(), manifestOf(other)))
	collect := func() collection.Result {
		t.Helper()
		r, err := p.Domains.Collect(t.Context(), domain, collection.Options{Times: session.Options{
			Now: time.Now, Renew: 40 * time.Millisecond, Expire: 200 * time.Millisecond, Margin: 50 * time.Millisecond, Settle: time.Millisecond,
		}}, nil)
		must(t, err)
		return r
	}
	if r := collect(); r.Locked < 2 || r.Deleted < 2 || r.KeptPacks != 0 || r.Unlocked.IsZero() {
		t.Errorf("the first collection: %+v", r)
	}
	for name := range before {
		if until, err := b.LockedUntil(t.Context(), name); err == nil && until.After(time.Now()) && b.Snapshot()[name] != before[name] {
			t.Errorf("the locked %s was touched", name)
		}
	}
	if r := collect(); r.Locked < 2 || r.Deleted != 0 || r.KeptPacks != 0 {
		t.Errorf("the second collection: %+v", r)
	}
}

// manifestOf is the key of the manifest of a checkpoint's stream.
func manifestOf(id string) string {
	return "v1/checkpoints/" + project + "/" + id + "/nodes/" + string(volume) + "/data/volume/manifest"
}
