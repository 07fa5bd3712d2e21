package daemon

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// adopter is a cluster that refuses some operations.
type adopter struct {
	refuses map[string]error
	has     []string
}

func (a *adopter) Adopt(_ context.Context, found local.Recorded) error {
	if err := a.refuses[found.ID]; err != nil {
		return err
	}
	a.has = append(a.has, found.ID)
	return nil
}

// handed accepts an operation of a project, and hands it to the local engine.
func handed(t *testing.T, s *store.Store, project string) string {
	t.Helper()
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint(project))
	e, err := local.New(local.Options{Journal: s.Journal(), Owner: "api", Now: time.Now})
	err = errors.Join(err, s.Accept(t.Context(), a))
	if err == nil {
		err = e.Start(t.Context(), a.Operation.ID, workflow.Steps{{ID: "a", Limit: "main/" + project}})
	}
	if err = errors.Join(err, s.Dispatched(t.Context(), a.Operation.ID)); err != nil {
		t.Fatal(err)
	}
	return a.Operation.ID
}

func TestOneOperationThatCantBeHandedOverKeepsNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	s, err := store.Open(t.Context(), path, store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	damaged, large := handed(t, s, "one"), handed(t, s, "one")
	var others []string
	for i := range pageOf + 5 {
		others = append(others, handed(t, s, fmt.Sprint("project", i%2)))
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "DELETE FROM journal_pages WHERE operation_id = ?", damaged); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO journal_steps SELECT id, 9, 'running', 1, 0, 0, 0, '', NULL, created_at, 0 FROM journal_operations WHERE id = ?", damaged); err != nil {
		t.Fatal(err)
	}
	token, _, err := s.Journal().Acquire(t.Context(), migrator, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	to := &adopter{refuses: map[string]error{large: karbor.Errorf(karbor.Invalid, "it is too large")}}
	m := newMover(Options{Now: time.Now}, s, to, token)
	err = m.all(t.Context())
	if err == nil || !strings.Contains(err.Error(), damaged) || !strings.Contains(err.Error(), large) || !errors.Is(err, workflow.ErrDamaged) {
		t.Errorf("the error is %v", err)
	}
	slices.Sort(others)
	slices.Sort(to.has)
	if m.moved != len(others) || !slices.Equal(to.has, others) {
		t.Errorf("%d operations were moved of %d", m.moved, len(others))
	}
	if ids, err := s.Undispatched(t.Context(), 10); err != nil || !slices.Equal(ids, []string{damaged}) {
		t.Errorf("%v begin anew, %v", ids, err)
	}
	left, err := s.Journal().Shares(t.Context())
	if err != nil || len(left) != 1 || left["one"] != 1 {
		t.Errorf("the journal holds %v, %v", left, err)
	}
	// A cluster that is away is no fault of an operation: nothing more is tried.
	to.refuses[large] = karbor.Transientf("the cluster is away")
	again := newMover(Options{Now: time.Now}, s, to, token)
	if err := again.all(t.Context()); !karbor.IsTransient(err) || again.moved != 0 {
		t.Errorf("%d were moved, %v", again.moved, err)
	}
}

func TestAdoptedOperationsHaveThePlacesOfNewOnes(t *testing.T) {
	if got := enginePlaces(); got.Places("hooks/project") != 64 || got.Places("main/project") != 16 {
		t.Errorf("the places are %+v", got)
	}
}
