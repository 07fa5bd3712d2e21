package operationengine

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// site is a database with fake time, and a service that accepts operations.
type site struct {
	store *store.Store
	path  string

	mu    sync.Mutex
	clock time.Time
	// operations that were accepted, by run, and those that have not ended.
	counts map[string]int
	open   []string
	total  int
	// double has it accept operations whatever the claim says.
	double bool
	// twice is the same of operations of a type that work on checkpoints.
	twice karbor.OperationType
	// kinds are the types of operations that make no checkpoint; damaged are the
	// operations that find a checkpoint so; copied says that there is nothing to copy.
	kinds  map[string]karbor.OperationType
	copied bool
	// projects are those of scheduled operations.
	projects map[string]string
	damaged  map[string]bool
	// away is until when Keystone does not answer, in nanoseconds.
	away atomic.Int64
	// broken are the delegations that Keystone refuses; returned those that it has back.
	broken map[string]bool
	// cached has Keystone let what it has given out before go on.
	cached   bool
	returned []string
	// reclaimed are the lendings that were looked for.
	reclaimed []string
	// refuse is what an operation is refused with.
	refuse error
	// retained are the scheduled operations after whose runs something was done, retain what that gives.
	retained []string
	retain   error
}

func newSite(t testing.TB, start time.Time) *site {
	t.Helper()
	s := &site{clock: start, counts: map[string]int{}, broken: map[string]bool{}, kinds: map[string]karbor.OperationType{},
		damaged: map[string]bool{}, projects: map[string]string{}, path: filepath.Join(t.TempDir(), "karbor.db")}
	storetest.NewFile(t, s.path)
	db, err := store.Open(t.Context(), s.path, store.Options{Now: s.now, Runs: 1000})
	if err != nil {
		t.Fatal(err)
	}
	s.store = db
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *site) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// exec changes the database behind the store's back.
func (s *site) exec(t testing.TB, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", s.path+"?_pragma=busy_timeout(10000)")
	if err == nil {
		_, err = db.ExecContext(t.Context(), query)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// schedule keeps a scheduled operation with its plan and its trigger.
func (s *site) schedule(t testing.TB, project string, p karbor.TriggerProperties) karbor.ScheduledOperation {
	t.Helper()
	return s.scheduleAs(t, project, p, func(*karbor.ScheduledOperation) {})
}

// scheduleAs is schedule, with a change.
func (s *site) scheduleAs(t testing.TB, project string, p karbor.TriggerProperties, change func(*karbor.ScheduledOperation)) karbor.ScheduledOperation {
	t.Helper()
	p.StartTime = s.now().Truncate(time.Second).Add(-time.Hour)
	plan := karbor.Plan{ID: karbor.NewID(), ProjectID: project, Name: "p", ProviderID: "provider", Status: karbor.PlanSuspended}
	g := karbor.Trigger{ID: karbor.NewID(), ProjectID: project, Name: "t", Type: karbor.TimeTrigger, Properties: p}
	o := karbor.ScheduledOperation{
		ID: karbor.NewID(), ProjectID: project, UserID: "u", Name: "o", OperationType: karbor.ScheduledProtect, TriggerID: g.ID,
		Definition: karbor.OperationDefinition{PlanID: plan.ID, ProviderID: "provider", MaxBackups: 1}, Enabled: true,
	}
	change(&o)
	s.mu.Lock()
	s.projects[o.ID] = project
	s.mu.Unlock()
	if err := errors.Join(s.store.CreatePlan(t.Context(), plan, -1), s.store.CreateTrigger(t.Context(), g),
		s.store.CreateSchedule(t.Context(), o, karbor.OverlapSkip, &store.Lent{Sealed: []byte(o.ID), Kind: karbor.DelegationTrust})); err != nil {
		t.Fatal(err)
	}
	return o
}

// accept is the protection service of the site: it accepts an operation.
func (s *site) accept(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) error {
	s.mu.Lock()
	double, refuse := s.double, s.refuse
	s.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	a := store.Acceptance{
		Operation: store.Operation{ID: r.ID, Type: karbor.Protect, ProjectID: r.ProjectID, ProviderID: "provider", CheckpointID: karbor.NewID(), Graph: &karbor.Graph{}},
		Log:       karbor.OperationLog{ID: r.ID, ProjectID: r.ProjectID, OperationType: karbor.Protect, ScheduledOperationID: r.ScheduledOperationID, Status: "protecting"},
		Run:       &c.Run.Claim,
	}
	a.Checkpoint = &karbor.Checkpoint{
		ID: a.Operation.CheckpointID, ProjectID: r.ProjectID, ProviderID: "provider", Status: karbor.CheckpointProtecting,
		Plan: karbor.PlanRecord{ID: r.Operation.Definition.PlanID}, CreatedAt: s.now(),
	}
	if double {
		a.Operation.ID, a.Run = karbor.NewID(), nil
		a.Log.ID = a.Operation.ID
	}
	if err := s.store.Accept(ctx, a); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[r.ID]++
	s.total++
	s.open = append(s.open, a.Operation.ID)
	return nil
}

func (s *site) accepted(run string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[run]
}

func (s *site) operations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// finish ends some of the operations that go on; all without a random.
func (s *site) finish(t testing.TB, random *rand.Rand) {
	t.Helper()
	s.mu.Lock()
	var over, open []string
	for _, id := range s.open {
		if random == nil || random.IntN(6) == 0 {
			over = append(over, id)
		} else {
			open = append(open, id)
		}
	}
	s.open = open
	s.mu.Unlock()
	for _, id := range over {
		err := s.store.EndOperation(t.Context(), id, s.outcome(id))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// outcome gives how an operation ends.
func (s *site) outcome(id string) store.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind := s.kinds[id]; {
	case kind == karbor.Verify && s.damaged[id]:
		return store.Outcome{VerificationStatus: karbor.VerificationError, LogStatus: karbor.LogError, ErrorInfo: "a byte is wrong"}
	case kind == karbor.Verify:
		return store.Outcome{VerificationStatus: karbor.VerificationSuccess, LogStatus: karbor.LogSuccess}
	case kind == karbor.DrillOperation:
		return store.Outcome{LogStatus: karbor.LogSuccess}
	case kind == karbor.CopyOperation:
		return store.Outcome{CopyStatus: karbor.CopyFinished, LogStatus: karbor.LogSuccess}
	}
	return store.Outcome{CheckpointStatus: karbor.CheckpointAvailable, LogStatus: "available"}
}

// keystone is why Keystone gives nothing now, if it does not.
func (s *site) keystone(sealed []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.clock.UnixNano() < s.away.Load():
		return karbor.Transientf("Keystone does not answer")
	case s.broken[string(sealed)]:
		return karbor.Errorf(karbor.Unauthorized, "the delegation has ended, or was revoked")
	}
	return nil
}

// Borrow implements Lender.
func (s *site) Borrow(_ context.Context, id string, sealed []byte) (delegation.Borrowed, error) {
	s.mu.Lock()
	c := delegation.Borrowed{Identity: &karbor.Identity{UserID: "u", ProjectID: s.projects[id]}}
	cached := s.cached
	s.mu.Unlock()
	if cached {
		return c, nil
	}
	return c, s.keystone(sealed)
}

// ProbeLent implements Lender.
func (s *site) ProbeLent(_ context.Context, _ string, sealed []byte) error { return s.keystone(sealed) }

// ReturnLent implements Lender.
func (s *site) ReturnLent(_ context.Context, _ string, sealed []byte) error {
	if err := s.keystone(sealed); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.returned = append(s.returned, string(sealed))
	return nil
}

// Reclaim implements Lender.
func (s *site) Reclaim(_ context.Context, l store.Lending) error {
	if err := s.keystone(nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reclaimed = append(s.reclaimed, l.ID)
	return nil
}

// runners gives the runners of the site.
func (s *site) runners(accept func(context.Context, protectionservice.Caller, store.ClaimedRun) error) Runners {
	after := func(_ context.Context, c protectionservice.Caller, _ store.ClaimedRun) (string, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.retained = append(s.retained, c.Run.ScheduledOperationID)
		return "One is deleted.", s.retain
	}
	return Runners{karbor.ScheduledProtect: {Start: accept}, karbor.ScheduledRetention: {Start: accept, After: after}}
}

// node is a process with an engine, which dies after a number of calls.
type node struct {
	site   *site
	name   string
	skew   time.Duration
	engine *Engine
	mortal *mortal
	starts int
}

// start starts the process. It lives for some calls; the last one has its effect or not.
func (n *node) start(calls int, effect bool) {
	n.starts++
	n.mortal = &mortal{Store: n.site.store, effect: effect}
	n.mortal.left.Store(int64(calls))
	runners := n.site.runners(func(ctx context.Context, c protectionservice.Caller, r store.ClaimedRun) error {
		return n.mortal.call(func() error { return n.site.accept(ctx, c, r) })
	})
	maps.Copy(runners, proofs{n.site, n.mortal}.runners())
	n.engine = New(Options{
		Store: n.mortal, Lender: n.site, Node: n.name, Now: func() time.Time { return n.site.now().Add(n.skew) },
		Workers: 4, Logger: slog.New(slog.DiscardHandler),
		Runners: runners,
	})
	_ = n.engine.recover(context.Background()) // one that dies in it is dead
}

func (n *node) alive() bool { return n.mortal.left.Load() > 0 }

// step does what is due now.
func (n *node) step(ctx context.Context) {
	_, err := n.engine.look(ctx)
	if err == nil {
		err = n.engine.Finish(ctx)
	}
	if err == nil {
		err = n.engine.Start(ctx)
	}
	if err == nil {
		_ = n.engine.Tidy(ctx)
	}
}

// errDead is what a process gets that is no more.
var errDead = errors.New("the process is dead")

// mortal is the store as a process sees it that dies.
type mortal struct {
	Store
	left   atomic.Int64
	effect bool
}

// call does something, unless the process is dead. One that dies now has done it, or
// has not; it never knows.
func (m *mortal) call(f func() error) error {
	left := m.left.Add(-1)
	switch {
	case left < 0, left == 0 && !m.effect:
		return errDead
	case left == 0:
		_ = f()
		return errDead
	}
	return f()
}

func (m *mortal) Fire(ctx context.Context, now time.Time) (n int, more bool, err error) {
	err = m.call(func() error { n, more, err = m.Store.Fire(ctx, now); return err })
	return n, more, err
}

func (m *mortal) ClaimRuns(ctx context.Context, l store.Lease, limit int) (r []store.ClaimedRun, n int, err error) {
	err = m.call(func() error { r, n, err = m.Store.ClaimRuns(ctx, l, limit); return err })
	return r, n, err
}

func (m *mortal) EndRun(ctx context.Context, c store.RunClaim, id string, state karbor.RunState, reason string, at time.Time) error {
	return m.call(func() error { return m.Store.EndRun(ctx, c, id, state, reason, at) })
}

func (m *mortal) PostponeRun(ctx context.Context, c store.RunClaim, again time.Time, reason string) error {
	return m.call(func() error { return m.Store.PostponeRun(ctx, c, again, reason) })
}

func (m *mortal) FinishRuns(ctx context.Context, l store.Lease, limit int, after func(karbor.ScheduledOperationType, karbor.RunState) bool) (r []store.ClaimedRun, n int, err error) {
	err = m.call(func() error { r, n, err = m.Store.FinishRuns(ctx, l, limit, after); return err })
	return r, n, err
}

func (m *mortal) ReleaseRuns(ctx context.Context, owner string) error {
	return m.call(func() error { return m.Store.ReleaseRuns(ctx, owner) })
}

func (m *mortal) Services(ctx context.Context, f store.ServiceFilter) (v []karbor.Service, err error) {
	err = m.call(func() error { v, err = m.Store.Services(ctx, f); return err })
	return v, err
}
