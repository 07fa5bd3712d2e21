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

func TestAnOperationThatWaitsForAPlaceIsListedSo(t *testing.T) {
	path, state := settings(t, "")
	s, err := store.Open(t.Context(), filepath.Join(state, "karbor.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	a.Operation.Waiting = true
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"show", a.Operation.ID}} {
		out, err := run(t, append([]string{"operation", "--config", path}, args...)...)
		if err != nil || !strings.Contains(out, waitsForPlace) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
