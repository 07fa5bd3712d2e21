package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor/internal/store"
)

func TestRequestsAreRememberedForADay(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "karbor.db")
	open := func() *store.Store {
		s, err := store.Open(t.Context(), path, store.Options{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	claim := func() bool {
		t.Helper()
		_, mine, err := s.ClaimReplay(t.Context(), store.Replay{Scope: "scope", Body: "body"})
		if err != nil {
			t.Fatal(err)
		}
		return mine
	}
	if !claim() {
		t.Error("it was there before")
	}
	if err := s.AnswerReplay(t.Context(), "scope", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {store.ReplayFor - time.Second, false}, {time.Second, true}, {0, false}} {
		now = now.Add(c.after)
		if mine := claim(); mine != c.want {
			t.Errorf("at %s it is new: %t, want %t", now, mine, c.want)
		}
	}
}
