package janitor

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

const (
	ours    = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
	theirs  = "1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"
	someone = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	volume  = "7e3c9f1e-6e1d-4b97-8f2b-1b7d2f0f8c12"
	age     = 72 * time.Hour
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// orphan gives a thing that nobody knows.
func orphan() Thing {
	call := protection.Call{Owner: someone, Installation: ours, Node: &karbor.Node{Resource: karbor.Resource{Type: karbor.VolumeType, ID: volume}}}
	return Thing{
		Kind: Snapshot, ID: "orphan", Name: call.Name(), ProjectID: "project", Status: "available",
		CreatedAt: noon.Add(-age), Tags: call.TemporaryTags(),
	}
}

// spared are things that look like orphans and must stay.
var spared = map[string]func(t *Thing){
	"of another Karbor":                func(t *Thing) { t.Tags[protection.TemporaryTag] = theirs },
	"kept by a checkpoint":             func(t *Thing) { delete(t.Tags, protection.TemporaryTag) },
	"made by a drill":                  func(t *Thing) { t.Tags[protection.DrillTag] = "true" },
	"without any tag":                  func(t *Thing) { t.Tags = nil },
	"with tags copied by the cloud":    func(t *Thing) { t.Name = "my-server-snapshot" },
	"with a name that only begins so":  func(t *Thing) { t.Name += "-mine" },
	"tagged for another resource":      func(t *Thing) { t.Tags[protection.ResourceTag] = someone },
	"tagged without a resource":        func(t *Thing) { delete(t.Tags, protection.ResourceTag) },
	"tagged with no UUID":              func(t *Thing) { t.Tags[protection.CheckpointTag], t.Name = "x", "karbor-x-"+volume },
	"of an operation that runs":        func(t *Thing) { retag(t, "a0000000-0000-4000-8000-000000000001") },
	"of a checkpoint that a bank owns": func(t *Thing) { retag(t, "b0000000-0000-4000-8000-000000000001") },
	"kept by a restore": func(t *Thing) {
		retag(t, "c0000000-0000-4000-8000-000000000001")
		delete(t.Tags, protection.TemporaryTag)
		t.Tags[protection.RestoringTag] = ours
	},
	"young":          func(t *Thing) { t.CreatedAt = noon.Add(-age + time.Second) },
	"of the future":  func(t *Thing) { t.CreatedAt = noon.Add(time.Hour) },
	"without a time": func(t *Thing) { t.CreatedAt = time.Time{} },
	"attached":       func(t *Thing) { t.Used = "it is attached" },
	"in transition":  func(t *Thing) { t.Status = "creating" },
	"being deleted":  func(t *Thing) { t.Kind, t.Status = Image, "pending_delete" },
}

func retag(t *Thing, owner string) {
	t.Tags[protection.CheckpointTag] = owner
	t.Name = "karbor-" + owner + "-" + volume
}

// world is a cloud, a ledger and the banks.
type world struct {
	things map[string]Thing
	// listed is called when a list was made, shown before a thing is.
	listed, shown func(w *world)
	owners        map[string]bool
	broken        error
	// silent has the ledger give no restores.
	silent bool
}

func newWorld(things ...Thing) *world {
	w := &world{things: map[string]Thing{}, owners: map[string]bool{"a0000000-0000-4000-8000-000000000001": true}}
	for _, t := range things {
		w.things[t.ID] = t
	}
	return w
}

// Temporary implements Cloud. It lists what it was not asked for, too, as a cloud does that
// does not know the filter.
func (w *world) Temporary(_ context.Context, kind Kind, _ string) ([]Thing, error) {
	var found []Thing
	for _, id := range slices.Sorted(maps.Keys(w.things)) {
		if t := w.things[id]; t.Kind == kind {
			found = append(found, t)
		}
	}
	if w.listed != nil {
		w.listed(w)
	}
	return found, w.broken
}

// Show implements Cloud.
func (w *world) Show(_ context.Context, _ Kind, id string) (Thing, error) {
	if w.shown != nil {
		w.shown(w)
	}
	t, there := w.things[id]
	if !there {
		return Thing{}, karbor.Errorf(karbor.NotFound, "it is gone")
	}
	return t, nil
}

// Remove implements Cloud.
func (w *world) Remove(_ context.Context, _ Kind, id string) error {
	delete(w.things, id)
	return nil
}

// LiveOwners implements Ledger.
func (w *world) LiveOwners(context.Context) (map[string]bool, error) {
	return maps.Clone(w.owners), nil
}

// Restore implements Ledger.
func (w *world) Restore(_ context.Context, _, id string) (karbor.Restore, error) {
	switch {
	case w.silent:
		return karbor.Restore{}, karbor.Transientf("the database does not answer")
	case strings.HasPrefix(id, "c"):
		return karbor.Restore{ID: id}, nil
	}
	return karbor.Restore{}, karbor.Errorf(karbor.NotFound, "there is no restore %s", id)
}

func (w *world) janitor(t testing.TB) *Janitor {
	t.Helper()
	j, err := New(Options{
		Cloud: w, Ledger: w, Installation: ours, Age: age, Interval: time.Hour, Now: func() time.Time { return noon },
		Busy: func(_ context.Context, _, _, checkpoint string) (bool, error) {
			return strings.HasPrefix(checkpoint, "b"), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// faults says what a round that removes did wrong, beside orphans and what looks like them.
func faults(t testing.TB, j func(*world) *Janitor) []string {
	t.Helper()
	var found []string
	for name, change := range spared {
		for _, everyone := range []bool{false, true} {
			thing := orphan()
			change(&thing)
			w := newWorld(thing)
			if _, err := j(w).Round(t.Context(), Query{Remove: true, Unfinished: true, Any: everyone}); err != nil {
				t.Fatal(err)
			}
			if len(w.things) == 0 {
				found = append(found, "removed: "+name)
			}
		}
	}
	w := newWorld(orphan())
	if _, err := j(w).Round(t.Context(), Query{Remove: true}); err != nil || len(w.things) > 0 {
		found = append(found, "an orphan stays")
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestOnlyOrphansAreRemoved(t *testing.T) {
	if found := faults(t, func(w *world) *Janitor { return w.janitor(t) }); len(found) > 0 {
		t.Error(found)
	}
}

// TestEachRuleIsNeeded takes one rule after the other away: what looks at the outcomes sees it.
func TestEachRuleIsNeeded(t *testing.T) {
	for i := range rules() {
		found := faults(t, func(w *world) *Janitor {
			j := w.janitor(t)
			j.rules = slices.Delete(j.rules, i, i+1)
			return j
		})
		if len(found) == 0 {
			t.Errorf("without rule %d nothing goes wrong", i)
		}
		t.Logf("without rule %d: %s", i, found)
	}
}

func TestWithoutRemoveNothingIsTouched(t *testing.T) {
	w := newWorld(orphan())
	findings, err := w.janitor(t).Round(t.Context(), Query{})
	if err != nil || len(findings) != 1 || findings[0].Spared != "" || findings[0].Removed || len(w.things) != 1 {
		t.Errorf("%+v, %v, and %d things are there", findings, err, len(w.things))
	}
}

func TestOperationThatBeginsMeanwhileKeepsItsThings(t *testing.T) {
	begin := func(w *world) { w.owners[someone] = true }
	for name, set := range map[string]func(*world){
		"while it is listed": func(w *world) { w.listed = begin },
		"before the removal": func(w *world) { w.shown = begin },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(orphan())
			set(w)
			findings, err := w.janitor(t).Round(t.Context(), Query{Remove: true})
			if err != nil || len(w.things) != 1 || findings[0].Spared == "" {
				t.Errorf("%+v, %v, and %d things are there", findings, err, len(w.things))
			}
		})
	}
}

func TestThingThatChangesBeforeItsRemovalStays(t *testing.T) {
	w := newWorld(orphan())
	w.shown = func(w *world) {
		thing := w.things["orphan"]
		thing.Used = "it is attached"
		w.things["orphan"] = thing
	}
	if findings, err := w.janitor(t).Round(t.Context(), Query{Remove: true}); err != nil || len(w.things) != 1 || findings[0].Spared == "" {
		t.Errorf("%+v, %v, and %d things are there", findings, err, len(w.things))
	}
}

func TestServiceThatDoesNotAnswerHidesNoOtherOrphans(t *testing.T) {
	w := newWorld(orphan())
	w.broken = errors.New("it does not answer")
	if findings, err := w.janitor(t).Round(t.Context(), Query{}); err == nil || len(findings) != 1 {
		t.Errorf("%+v, %v", findings, err)
	}
	w.broken = karbor.Errorf(karbor.NotImplemented, "the cloud has no such service")
	if _, err := w.janitor(t).Round(t.Context(), Query{}); err != nil {
		t.Error(err)
	}
}

func TestRoundIsNarrowedToProviderProjectAndInstallation(t *testing.T) {
	one, two, three := orphan(), orphan(), orphan()
	one.ID, one.Tags[protection.ProviderTag] = "one", "p1"
	two.ID, two.ProjectID = "two", "other"
	three.ID, three.Tags[protection.TemporaryTag] = "three", theirs
	for name, test := range map[string]struct {
		q    Query
		want []string
	}{
		"all of this Karbor":    {Query{}, []string{"one", "two"}},
		"of a provider":         {Query{Provider: "p1"}, []string{"one"}},
		"of a project":          {Query{Project: "other"}, []string{"two"}},
		"of a lost service key": {Query{Installation: theirs}, []string{"three"}},
		"of any":                {Query{Any: true}, []string{"one", "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			findings, err := newWorld(one, two, three).janitor(t).Round(t.Context(), test.q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				if f.Spared == "" {
					got = append(got, f.ID)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("orphans (-want +got):\n%s", diff)
			}
			if test.q.Any && len(findings) != 3 {
				t.Errorf("%d are told of", len(findings))
			}
		})
	}
}

// TestWhateverThereIsOnlyOrphansGo mixes orphans with things that are not.
func TestWhateverThereIsOnlyOrphansGo(t *testing.T) {
	names := slices.Sorted(maps.Keys(spared))
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld()
		var want []string
		for i := range rapid.IntRange(0, 20).Draw(r, "things") {
			thing := orphan()
			thing.ID = string(rune('a' + i))
			thing.Kind = rapid.SampledFrom(Kinds()).Draw(r, "kind")
			if thing.Kind == Database {
				thing.Status = "ACTIVE"
			}
			if rapid.Bool().Draw(r, "spared") {
				spared[rapid.SampledFrom(names).Draw(r, "why")](&thing)
				want = append(want, thing.ID)
			}
			w.things[thing.ID] = thing
		}
		// In one state an image can go, and a volume can't.
		for id, thing := range w.things {
			if thing.Kind == Image && thing.Status == "creating" {
				delete(w.things, id)
				want = slices.DeleteFunc(want, func(other string) bool { return other == id })
			}
		}
		if _, err := w.janitor(t).Round(t.Context(), Query{Remove: true}); err != nil {
			r.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(w.things)); !slices.Equal(want, got) {
			r.Fatalf("what is there (-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}

func TestRunLooksAtOnceAndTellsOfEachOrphanOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(orphan())
		var log strings.Builder
		j := w.janitor(t)
		j.o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- j.Run(ctx) }()
		time.Sleep(150 * time.Minute)
		synctest.Wait()
		if n := strings.Count(log.String(), "something is left in the cloud"); n != 1 {
			t.Errorf("it is told %d times", n)
		}
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

func TestInstallationIsThatOfTheServiceKey(t *testing.T) {
	one, two := Installation([]byte(strings.Repeat("k", 32))), Installation([]byte(strings.Repeat("l", 32)))
	if one == two || len(one) != 32 || one != Installation([]byte(strings.Repeat("k", 32))) {
		t.Errorf("%s and %s", one, two)
	}
}
