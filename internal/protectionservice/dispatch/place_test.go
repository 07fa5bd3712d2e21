package dispatch

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/workflow"
)

// at opens a dispatcher over the database of a file, as a process of its own does.
func at(t *testing.T, path string, e workflow.Engine, l Limits) (*Dispatcher, *store.Store) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := store.Open(t.Context(), path, store.Options{Now: time.Now, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d := New(Options{
		Store: s, Logger: log, Now: time.Now, Operation: s.Operation, Limits: l,
		Steps: func(store.Operation) (workflow.Steps, error) { return nil, nil },
		End:   func(context.Context, store.Operation, *workflow.Failure) error { return nil },
	})
	d.SetEngine(e)
	return d, s
}

// runs is an engine that has what it is given, until a test ends it.
type runs struct {
	workflow.Engine
	mu        sync.Mutex
	started   []string
	cancelled []string
}

func (r *runs) Start(_ context.Context, id string, _ workflow.Graph) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.started, id) {
		r.started = append(r.started, id)
	}
	return nil
}

func (r *runs) Cancel(_ context.Context, id, _ string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.started, id) {
		return karbor.Errorf(karbor.NotFound, "no operation %s", id)
	}
	r.cancelled = append(r.cancelled, id)
	return nil
}

// has gives what the engine has been given.
func (r *runs) has() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.started)
}

// waits accepts an operation of a project that waits for a place.
func waits(t *testing.T, s *store.Store, typ karbor.OperationType, project string) string {
	t.Helper()
	c := storetest.NewCheckpoint(project)
	if typ == karbor.Delete { // what is there
		made := storetest.Acceptance(karbor.Protect, c)
		if err := s.Accept(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		ended(t, s, made.Operation.ID)
	}
	a := storetest.Acceptance(typ, c)
	a.Operation.Waiting = true
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a.Operation.ID
}

func ended(t *testing.T, s *store.Store, id string) {
	t.Helper()
	if err := s.EndOperation(t.Context(), id, store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available"}); err != nil {
		t.Fatal(err)
	}
}

func round(t *testing.T, d *Dispatcher) {
	t.Helper()
	if err := d.dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	return path
}

func TestOperationsWaitUntilOthersOfTheirProjectHaveEnded(t *testing.T) {
	e := &runs{}
	d, s := at(t, file(t), e, Limits{Project: 2})
	var ids []string
	for range 4 {
		ids = append(ids, waits(t, s, karbor.Protect, "a"))
	}
	other := waits(t, s, karbor.Protect, "b")
	round(t, d)
	got := e.has()
	slices.Sort(got)
	want := []string{ids[0], ids[1], other}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("begun are %v, want the two oldest of one project, and the other's", got)
	}
	for i, want := range []string{"it is the next of the project", "1 before it"} {
		op, err := s.Operation(t.Context(), ids[2+i])
		if err != nil {
			t.Fatal(err)
		}
		if why, err := d.Waits(t.Context(), op); err != nil || why != "waiting: the 2 operations of the project that may run at a time are at work; "+want {
			t.Errorf("%q, %v", why, err)
		}
	}
	ended(t, s, ids[1])
	round(t, d)
	if got := e.has(); len(got) != 4 || got[3] != ids[2] {
		t.Errorf("behind the end of one, begun are %v; the oldest that waits is %s", got, ids[2])
	}
}

func TestWhatEndsSomethingAndWhatIsCancelledDoNotWait(t *testing.T) {
	e := &runs{}
	d, s := at(t, file(t), e, Limits{Project: 1, Service: 1})
	first, second := waits(t, s, karbor.Protect, "a"), waits(t, s, karbor.Protect, "a")
	round(t, d)
	deletes := waits(t, s, karbor.Delete, "a")
	r := store.Request{OperationID: second, Kind: store.CancelRequest, Reason: "never mind"}
	if err := s.AskOperation(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := d.Cancel(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	select {
	case <-d.wake: // Run is called
	default:
		t.Error("nobody is told that an operation waits no more")
	}
	round(t, d)
	got := e.has()
	if len(got) != 3 || got[0] != first || !slices.Contains(got, deletes) || !slices.Contains(got, second) || !slices.Equal(e.cancelled, []string{second}) {
		t.Errorf("begun are %v, cancelled %v", got, e.cancelled)
	}
}

func TestTwoDispatchersTogetherKeepTheLimits(t *testing.T) {
	path, e := file(t), &runs{}
	l := Limits{Project: 3, Service: 5}
	one, s := at(t, path, e, l)
	two, _ := at(t, path, e, l)
	for range 10 {
		waits(t, s, karbor.Protect, "a")
		waits(t, s, karbor.Protect, "b")
	}
	over := 0
	for len(e.has()) < 20 {
		var both sync.WaitGroup
		for _, d := range []*Dispatcher{one, two} {
			both.Go(func() {
				if err := d.dispatch(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		begun := e.has()
		of := map[string]int{}
		for _, id := range begun[over:] {
			op, err := s.Operation(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			of[op.ProjectID]++
		}
		if atWork := len(begun) - over; atWork == 0 || atWork > 5 || of["a"] > 3 || of["b"] > 3 || of["a"] == 0 && of["b"] == 0 {
			t.Fatalf("at work are %v", of)
		} else if atWork == 5 && (of["a"] < 2 || of["b"] < 2) {
			t.Errorf("at work are %v: one project has more than its turn", of)
		}
		for _, id := range begun[over:] {
			ended(t, s, id)
		}
		over = len(begun)
	}
}

func TestLimitsMayBeLoweredAndRaisedOverARestart(t *testing.T) {
	path, e := file(t), &runs{}
	d, s := at(t, path, e, Limits{Project: 4})
	for range 10 {
		waits(t, s, karbor.Protect, "a")
	}
	round(t, d)
	d, s = at(t, path, e, Limits{Project: 2})
	ended(t, s, e.has()[0])
	ended(t, s, e.has()[1])
	round(t, d)
	if n := len(e.has()); n != 4 {
		t.Fatalf("with the limit lowered to the two that are at work, %d have begun", n)
	}
	ended(t, s, e.has()[2])
	round(t, d)
	if n := len(e.has()); n != 5 {
		t.Fatalf("when one of two has ended, %d have begun, want one more", n)
	}
	d, _ = at(t, path, e, Limits{Project: 5})
	round(t, d)
	if n := len(e.has()); n != 8 {
		t.Errorf("with the limit raised by three, %d have begun", n)
	}
	d, _ = at(t, path, e, Limits{})
	round(t, d)
	if n := len(e.has()); n != 10 {
		t.Errorf("without a limit, %d have begun", n)
	}
}

func TestWhatIsAcceptedWhereItRunsKeepsTheLimitsToo(t *testing.T) {
	d, s := at(t, file(t), &runs{}, Limits{Project: 2})
	accept := func(project string) bool {
		a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint(project))
		leave, ok := d.Enter(t.Context(), []store.Operation{a.Operation})
		defer leave()
		if a.Operation.Dispatched = ok; !ok {
			a.Operation.Waiting = true
		}
		if err := s.Accept(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		return ok
	}
	var got []string
	for _, project := range []string{"a", "a", "a", "b"} {
		if accept(project) {
			got = append(got, project)
		}
	}
	if !slices.Equal(got, []string{"a", "a", "b"}) {
		t.Errorf("places got %v", got)
	}
	running, err := s.OperationsAtWork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range running {
		ended(t, s, id)
	}
	if accept("a") {
		t.Error("one goes before another of its project that waits")
	}
	round(t, d)
	if leave, ok := d.Enter(t.Context(), []store.Operation{{Type: karbor.Protect, ProjectID: "b", ProviderID: "provider"}}); !ok {
		t.Error("another project gets no place")
	} else {
		leave()
	}
}
