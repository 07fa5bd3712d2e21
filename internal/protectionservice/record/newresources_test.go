package record

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/protection"
)

// restoring gives a store with a restore, and the records of two of its resources.
func restoring(t *testing.T) (db *store.Store, first, second Record) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	db, err := store.Open(t.Context(), path, store.Options{Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	if err := db.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	nodes := a.Operation.Graph.Nodes()
	return db, Of(db, a.Operation.ID, nodes[0].Key()), Of(db, a.Operation.ID, nodes[1].Key())
}

func none(karbor.NodeKey) string { return "" }

func TestAHookSeesWhatOthersHaveMadeAndItself(t *testing.T) {
	_, first, second := restoring(t)
	earlier := first.NewResources(true, none)
	hook := func(ctx context.Context, c *protection.Call) error {
		if err := c.NewResources.Set(ctx, "new"); err != nil {
			return err
		}
		return c.NewResources.SetPart(ctx, "part", "new part")
	}
	if err := earlier.Reading(hook)(t.Context(), &protection.Call{NewResources: earlier}); err != nil {
		t.Fatal(err)
	}
	for name, makes := range map[string]bool{"in a restore": true, "where nothing is made": false} {
		later := second.NewResources(makes, none)
		err := later.Reading(func(ctx context.Context, c *protection.Call) error {
			if err := c.NewResources.Set(ctx, "own"); err != nil {
				return err
			}
			id, part, own := c.NewResources.ID(first.Key()), c.NewResources.Part("part"), c.NewResources.ID(second.Key())
			if (id == "new") != makes || (part == "new part") != makes || own != "own" {
				t.Errorf("%s a hook sees %q, %q and %q", name, id, part, own)
			}
			return nil
		})(t.Context(), &protection.Call{NewResources: later})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAHookThatAsksForWhatCanNotBeReadHasItsContextEndedBeforeItHasAnAnswer(t *testing.T) {
	db, first, second := restoring(t)
	n := second.NewResources(true, none)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	call := &protection.Call{NewResources: n}
	err := n.Reading(func(ctx context.Context, c *protection.Call) error {
		if id := c.NewResources.ID(first.Key()); id != "" || ctx.Err() == nil {
			t.Errorf("it gets %q, its context %v", id, ctx.Err())
		}
		return nil
	})(t.Context(), call)
	if err == nil {
		t.Error("the hook succeeds")
	}
	if err := n.Reading(func(context.Context, *protection.Call) error { return nil })(t.Context(), call); err != nil {
		t.Errorf("a hook that asks for nothing: %v", err)
	}
}
