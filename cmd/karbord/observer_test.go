package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

func TestOperationsAreListedWhileTheClusterOfTheEngineIsAway(t *testing.T) {
	// Nothing listens on this port.
	path, state := settings(t, "engine: {type: temporal, temporal: {address: '127.0.0.1:1'}}\n")
	s, err := store.Open(t.Context(), filepath.Join(state, "karbor.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"show", a.Operation.ID}} {
		out, err := run(t, append(append([]string{"operation"}, args...), "--config", path)...)
		if err != nil || !strings.Contains(out, a.Operation.ID) || !strings.Contains(out, "the engine does not say: connecting to the Temporal cluster at 127.0.0.1:1") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}
