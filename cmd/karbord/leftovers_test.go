package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

func TestLeftoversAreListedHastenedAndForgotten(t *testing.T) {
	path, state := settings(t, "")
	s, err := store.Open(t.Context(), filepath.Join(state, "karbor.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	id, key := a.Operation.ID, a.Operation.Graph.Nodes()[0].Key()
	left := map[karbor.NodeKey]string{key: "it is locked"}
	if err := s.EndOperation(t.Context(), id, store.Outcome{LogStatus: karbor.LogError, Left: left}); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "leftovers", "list", "--config", path); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "it is locked") {
		t.Errorf("list: %v\n%s", err, out)
	}
	list := func(project string) (found []leftover) {
		out, err := run(t, "leftovers", "list", "-f", "json", "--project", project, "--config", path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return found
	}
	if found := list("project"); len(found) != 1 || found[0].Operation != id || found[0].Resource != string(key) {
		t.Errorf("list: %+v", found)
	}
	if found := list("another"); len(found) != 0 {
		t.Errorf("of another project: %+v", found)
	}
	change := func(verb, want string) {
		t.Helper()
		out, err := run(t, "leftovers", verb, id, "--config", path)
		if got := out; err != nil && strings.Contains(err.Error(), want) || err == nil && got == want {
			return
		}
		t.Errorf("%s: %q, %v; want %q", verb, out, err, want)
	}
	change("retry", "1 to be tried again\n")
	change("forget", "has nothing left that can be forgotten")
	found, err := s.LeftoversOf(t.Context(), a.Operation.ProviderID, a.Operation.CheckpointID)
	if err != nil || len(found) != 1 || found[0].TriedAt.After(time.Unix(1, 0)) {
		t.Fatalf("it is %+v, %v", found, err)
	}
	found[0].GivenUp = true
	if err := s.KeepLeftover(t.Context(), found[0], false); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	change("retry", "has nothing left that can be tried again")
	change("forget", "1 forgotten\n")
	if found := list(""); len(found) != 0 {
		t.Errorf("left: %+v", found)
	}
}
