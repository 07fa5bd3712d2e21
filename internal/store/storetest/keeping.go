package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// verified has the checkpoint verified, and finds its resources good or not.
func verified(t *testing.T, s *store.Store, c karbor.Checkpoint, at time.Time, good map[string]bool) {
	t.Helper()
	now := nextDate()
	v := karbor.Verification{
		ID: karbor.NewID(), ProjectID: c.ProjectID, ProviderID: c.ProviderID, CheckpointID: c.ID,
		Status: karbor.VerificationVerifying, CreatedAt: now, UpdatedAt: now,
	}
	a := Acceptance(karbor.Verify, c)
	a.Operation.ID, a.Log.ID = v.ID, v.ID
	a.Verification = &v
	must(t, s.Accept(t.Context(), a))
	found := store.Verified{
		LastVerified: karbor.LastVerified{At: at, Depth: "full", Result: karbor.VerificationSuccess},
		Resources:    map[string]store.VerifiedResource{},
	}
	for resource, ok := range good {
		if found.Resources[resource] = (store.VerifiedResource{Depth: "full", Good: ok}); !ok {
			found.Result = karbor.VerificationError
		}
	}
	must(t, s.EndOperation(t.Context(), v.ID, store.Outcome{
		VerificationStatus: found.Result, LogStatus: karbor.LogSuccess, Verified: &found,
	}))
}

// standing asks the gate, which lets nothing through.
func standing(t *testing.T, s *store.Store, c karbor.Checkpoint) store.Standing {
	t.Helper()
	var seen store.Standing
	shut := errors.New("shut")
	a := Acceptance(karbor.Delete, c)
	a.CheckpointFrom, a.CheckpointTo = []karbor.CheckpointStatus{karbor.CheckpointAvailable}, karbor.CheckpointDeleting
	a.Gate = func(st store.Standing) error {
		seen = st
		return shut
	}
	if err := s.Accept(t.Context(), a); !errors.Is(err, shut) {
		t.Fatalf("the gate's error becomes %v", err)
	}
	if now, err := s.Checkpoint(t.Context(), c.ProjectID, c.ProviderID, c.ID); err != nil || now.Status != karbor.CheckpointAvailable {
		t.Fatalf("behind a shut gate it is %s, %v", now.Status, err)
	}
	return seen
}

func testKeepings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c, other := available(t, s, "project"), available(t, s, "project")
	same(t, store.Standing{CheckpointID: c.ID}, standing(t, s, c))
	hold := karbor.Hold{Reason: "audit", Until: start.Add(time.Hour), At: start, UserID: "user"}
	set := func(k karbor.Keeping) func(*karbor.Keeping) error {
		return func(old *karbor.Keeping) error {
			*old = k
			return nil
		}
	}
	want := karbor.Keeping{Hold: &hold, ExpiresAt: start.Add(time.Minute), ExpiresBy: "user"}
	got, err := s.KeepCheckpoint(ctx, "project", c.ProviderID, c.ID, set(want))
	must(t, err)
	same(t, want, got)
	_, err = s.KeepCheckpoint(ctx, "stranger", c.ProviderID, c.ID, set(karbor.Keeping{}))
	wantKind(t, err, karbor.NotFound)
	refused := karbor.Errorf(karbor.Conflict, "no")
	_, err = s.KeepCheckpoint(ctx, "", c.ProviderID, c.ID, func(k *karbor.Keeping) error {
		*k = karbor.Keeping{}
		return refused
	})
	wantKind(t, err, karbor.Conflict)
	planned, err := s.PlannedCheckpoints(ctx, "project", c.ProviderID, c.Plan.ID)
	must(t, err)
	same(t, []store.PlannedCheckpoint{{ID: c.ID, Status: c.Status, CreatedAt: c.CreatedAt, ExtraInfo: c.ExtraInfo, Keeping: want}}, planned)
	// The catalogue's copy of the bank does not touch it, nor does a verification.
	must(t, s.PutCheckpoint(ctx, c))
	verified(t, s, c, start, map[string]bool{"OS::Cinder::Volume#v": false})
	want.LastVerified = &karbor.LastVerified{At: start, Depth: "full", Result: karbor.VerificationError}
	verified(t, s, c, start.Add(-time.Second), map[string]bool{"OS::Cinder::Volume#v": true}) // one that was slower
	all, err := s.Keepings(ctx, c.ProviderID, []string{c.ID, other.ID, karbor.NewID()})
	must(t, err)
	same(t, map[string]karbor.Keeping{c.ID: want}, all)
	same(t, store.Standing{CheckpointID: c.ID, Keeping: want}, standing(t, s, c))

	a := Acceptance(karbor.Delete, c)
	a.CheckpointFrom, a.CheckpointTo = []karbor.CheckpointStatus{karbor.CheckpointAvailable}, karbor.CheckpointDeleting
	must(t, s.Accept(ctx, a))
	_, err = s.KeepCheckpoint(ctx, "project", c.ProviderID, c.ID, set(karbor.Keeping{}))
	wantKind(t, err, karbor.Conflict)
	must(t, s.EndOperation(ctx, a.Operation.ID, store.Outcome{CheckpointStatus: karbor.CheckpointDeleted}))
	_, err = s.PurgeDeleted(ctx, store.Purge{Before: time.Now().Add(time.Hour)})
	must(t, err)
	all, err = s.Keepings(ctx, c.ProviderID, []string{c.ID})
	must(t, err)
	same(t, map[string]karbor.Keeping{}, all)
}

func testNewestVerified(t *testing.T, s *store.Store) {
	const volume, image = "OS::Cinder::Volume#v", "OS::Glance::Image#i"
	old, middle, newest := available(t, s, "project"), available(t, s, "project"), available(t, s, "project")
	stranger := available(t, s, "stranger")
	verified(t, s, stranger, start, map[string]bool{volume: true})
	verified(t, s, old, start, map[string]bool{volume: true, image: true})
	of := func(c karbor.Checkpoint, want ...string) {
		t.Helper()
		same(t, want, standing(t, s, c).NewestVerifiedOf)
	}
	of(old, volume, image)
	// A resource is found again, however long the name of it and of its server is.
	long := image + strings.Repeat("i", 250) + "@" + strings.Repeat("s", 250)
	verified(t, s, middle, start, map[string]bool{long: true})
	if names := standing(t, s, middle).NewestVerifiedOf; len(names) != 1 || len(names[0]) > 400 || !strings.HasPrefix(names[0], "OS::Glance::Image#") {
		t.Errorf("it is the newest of %q", names)
	}
	verified(t, s, newest, start, map[string]bool{long: true, long + "2": true})
	of(middle)
	if names := standing(t, s, newest).NewestVerifiedOf; len(names) != 2 {
		t.Errorf("it is the newest of %q", names)
	}
	verified(t, s, middle, start, map[string]bool{volume: true})
	of(old, image)
	of(middle, volume)
	verified(t, s, newest, start, map[string]bool{volume: false, image: true})
	of(old)
	of(middle, volume)
	of(newest, image)
	planned, err := s.PlannedCheckpoints(t.Context(), "project", newest.ProviderID, newest.Plan.ID)
	must(t, err)
	if len(planned) != 1 || planned[0].LastVerified == nil || len(planned[0].Verified) != 1 || planned[0].Verified[0] != image {
		t.Errorf("the plan has %+v", planned)
	}
	// What is found damaged later is no longer the one.
	verified(t, s, middle, start.Add(time.Hour), map[string]bool{volume: false})
	of(old, volume)
	of(middle)
	// A copy is as old as its original.
	copied := available(t, s, "project")
	copied.CopyOf, copied.Bank = old.ID, "vault"
	must(t, s.PutCheckpoint(t.Context(), copied))
	verified(t, s, middle, start.Add(2*time.Hour), map[string]bool{volume: true})
	verified(t, s, copied, start, map[string]bool{volume: true})
	of(middle, volume)
	of(copied)
	// What is being deleted protects nothing.
	a := Acceptance(karbor.Delete, middle)
	a.CheckpointFrom, a.CheckpointTo = []karbor.CheckpointStatus{karbor.CheckpointAvailable}, karbor.CheckpointDeleting
	must(t, s.Accept(t.Context(), a))
	if len(standing(t, s, old).NewestVerifiedOf)+len(standing(t, s, copied).NewestVerifiedOf) != 1 {
		t.Error("of the original and its copy not exactly one is the newest")
	}
}

// expiring makes a checkpoint that expires at a time.
func expiring(t *testing.T, s *store.Store, at time.Time) karbor.Checkpoint {
	t.Helper()
	c := available(t, s, "project")
	_, err := s.KeepCheckpoint(t.Context(), "project", c.ProviderID, c.ID, func(k *karbor.Keeping) error {
		k.ExpiresAt = at
		return nil
	})
	must(t, err)
	return c
}

// failedAt says of a checkpoint that it could not be deleted.
func failedAt(t *testing.T, s *store.Store, id string, at time.Time) {
	t.Helper()
	all, err := s.Checkpoints(t.Context(), store.CheckpointFilter{ProjectID: "project"}, store.Page{})
	must(t, err)
	for _, c := range all {
		if c.ID == id {
			c.Status, c.UpdatedAt = karbor.CheckpointErrorDeleting, at
			must(t, s.PutCheckpoint(t.Context(), c))
			return
		}
	}
	t.Fatalf("there is no checkpoint %s", id)
}

func testExpired(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var want []store.Expired
	for i := range 5 {
		at := start.Add(time.Duration(i/2) * time.Minute)
		c := expiring(t, s, at)
		want = append(want, store.Expired{ProjectID: "project", ProviderID: c.ProviderID, CheckpointID: c.ID, ExpiresAt: at})
	}
	available(t, s, "project") // has no date
	failedAt(t, s, want[0].CheckpointID, start.Add(time.Minute-time.Hour))
	failedAt(t, s, expiring(t, s, start).ID, start.Add(time.Minute-time.Hour+time.Second)) // is left alone for now
	var got []store.Expired
	for behind := (store.Expired{}); ; {
		page, err := s.ExpiredCheckpoints(ctx, start.Add(time.Minute), behind, 3)
		must(t, err)
		if got = append(got, page...); len(page) < 3 {
			break
		}
		behind = page[2]
	}
	if len(got) != 4 {
		t.Fatalf("%d have expired", len(got))
	}
	seen := map[string]bool{}
	for i, e := range got {
		seen[e.CheckpointID] = true
		if i > 0 && e.ExpiresAt.Before(got[i-1].ExpiresAt) {
			t.Error("they are not in the order of their dates")
		}
	}
	for i, e := range want {
		if seen[e.CheckpointID] != (i < 4) {
			t.Errorf("number %d: %v", i, seen[e.CheckpointID])
		}
	}
}
