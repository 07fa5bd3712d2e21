package operationengine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// proofs is the protection service of the site as a process sees it that dies.
type proofs struct {
	*site
	mortal *mortal
}

// runners gives those that work on checkpoints that are there.
func (p proofs) runners() Runners {
	all := NewRunners(p, shelf{p.store, p.mortal}, p.now)
	return Runners{karbor.ScheduledVerify: all[karbor.ScheduledVerify], karbor.ScheduledCopy: all[karbor.ScheduledCopy],
		karbor.ScheduledDrill: all[karbor.ScheduledDrill]}
}

// Protect implements Service; the site's own runners protect.
func (p proofs) Protect(context.Context, protectionservice.Caller, protectionservice.ProtectRequest) (karbor.Checkpoint, error) {
	return karbor.Checkpoint{}, karbor.Errorf(karbor.NotImplemented, "this is not done here")
}

// ApplyRetention implements Service.
func (p proofs) ApplyRetention(context.Context, protectionservice.Caller, protectionservice.RetentionRequest) (protectionservice.RetentionResult, error) {
	return protectionservice.RetentionResult{}, karbor.Errorf(karbor.NotImplemented, "this is not done here")
}

// Verify implements Service.
func (p proofs) Verify(ctx context.Context, c protectionservice.Caller, r protectionservice.VerifyRequest) (v karbor.Verification, err error) {
	err = p.mortal.call(func() error { return p.prove(ctx, c, karbor.Verify, r.CheckpointID) })
	return v, err
}

// Drill implements Service.
func (p proofs) Drill(ctx context.Context, c protectionservice.Caller, r protectionservice.DrillRequest) (v karbor.Drill, err error) {
	err = p.mortal.call(func() error { return p.prove(ctx, c, karbor.DrillOperation, r.CheckpointID) })
	return v, err
}

// Copy implements Service.
func (p proofs) Copy(ctx context.Context, c protectionservice.Caller, _ protectionservice.CopyRequest) (v karbor.Copy, err error) {
	err = p.mortal.call(func() error { return p.prove(ctx, c, karbor.CopyOperation, "") })
	return v, err
}

// prove accepts an operation on a checkpoint that is there.
func (s *site) prove(ctx context.Context, c protectionservice.Caller, kind karbor.OperationType, checkpointID string) error {
	s.mu.Lock()
	refuse := s.refuse
	if s.away.Load() > s.clock.UnixNano() {
		refuse = karbor.Transientf("the bank does not answer")
	}
	if kind == karbor.CopyOperation && s.copied {
		refuse = &karbor.Error{Kind: karbor.Conflict, Message: "all is copied", Cause: store.ErrNothingToCopy}
	}
	s.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	id := c.Run.Claim.RunID
	if c.Run.Step != nil {
		id = c.Run.Step.OperationID
	}
	a := store.Acceptance{
		Operation: store.Operation{ID: id, Type: kind, ProjectID: c.Identity.ProjectID, ProviderID: "provider", CheckpointID: checkpointID, Graph: &karbor.Graph{}},
		Log:       karbor.OperationLog{ID: id, ProjectID: c.Identity.ProjectID, OperationType: kind, ScheduledOperationID: c.Run.ScheduledOperationID, Status: karbor.LogInProgress},
		Run:       &c.Run.Claim, Step: c.Run.Step,
	}
	if kind == karbor.Verify {
		a.CheckpointFrom = []karbor.CheckpointStatus{karbor.CheckpointAvailable}
		a.Verification = &karbor.Verification{ID: id, ProjectID: c.Identity.ProjectID, ProviderID: "provider", CheckpointID: checkpointID, Status: karbor.VerificationVerifying}
	}
	if kind == karbor.DrillOperation {
		a.DrillLimit = -1
		a.Drill = &karbor.Drill{ID: id, ProjectID: c.Identity.ProjectID, ProviderID: "provider", CheckpointID: checkpointID, Status: karbor.DrillRunning}
	}
	made := id
	if s.twice == kind {
		made, a.Run, a.Step = karbor.NewID(), nil, nil
		a.Operation.ID, a.Log.ID, a.Verification, a.Drill = made, made, nil, nil
	}
	if err := s.store.Accept(ctx, a); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[id]++
	s.total++
	s.open = append(s.open, made)
	s.kinds[made] = kind
	return nil
}

// shelf is the store as a process sees it that dies.
type shelf struct {
	*store.Store
	mortal *mortal
}

func (s shelf) PlanRun(ctx context.Context, c store.RunClaim, checkpoints []string) error {
	return s.mortal.call(func() error { return s.Store.PlanRun(ctx, c, checkpoints) })
}

func (s shelf) LeaveOut(ctx context.Context, c store.RunClaim, position int, state karbor.RunState, reason string) error {
	return s.mortal.call(func() error { return s.Store.LeaveOut(ctx, c, position, state, reason) })
}

// checkpoints keeps available checkpoints in the catalogue, the oldest first, and gives
// their ids.
func (s *site) checkpoints(t *testing.T, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = karbor.NewID()
		c := karbor.Checkpoint{ID: ids[i], ProjectID: "p", ProviderID: "provider", Status: karbor.CheckpointAvailable,
			CreatedAt: midnight.Add(time.Duration(i-n) * time.Hour)}
		if err := s.store.PutCheckpoint(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// proof keeps a scheduled operation of a type that works on checkpoints.
func (s *site) proof(t testing.TB, project string, kind karbor.ScheduledOperationType, v karbor.Selection, p karbor.TriggerProperties) karbor.ScheduledOperation {
	t.Helper()
	return s.scheduleAs(t, project, p, func(o *karbor.ScheduledOperation) {
		o.OperationType, o.Definition.Selection, o.Definition.MaxBackups = kind, v, 0
		if kind != karbor.ScheduledCopy {
			o.Definition.PlanID = ""
		}
	})
}

// states gives the operations of the newest run, as texts.
func (s *site) states(t *testing.T, o karbor.ScheduledOperation) (out []string) {
	t.Helper()
	for _, v := range s.last(t, o).Operations {
		out = append(out, v.CheckpointID+" "+string(v.State)+" "+v.Reason)
	}
	return out
}

var newestFirst = karbor.Selection{Order: karbor.NewestFirst, Checkpoints: 3}

func TestAScheduledVerificationTakesOneCheckpointAfterTheOther(t *testing.T) {
	s := newSite(t, midnight)
	ids := s.checkpoints(t, 4)
	o, n := s.proof(t, "p", karbor.ScheduledVerify, newestFirst, hourly), immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	want := []string{ids[3] + " running ", ids[2] + " queued ", ids[1] + " queued "}
	if diff := cmp.Diff(want, s.states(t, o)); diff != "" {
		t.Fatalf("at first (-want +got):\n%s", diff)
	}
	first := s.last(t, o)
	s.damaged[first.ID] = true
	for range 3 {
		s.finish(t, nil)
		n.step(t.Context())
	}
	want = []string{ids[3] + " error a byte is wrong", ids[2] + " success ", ids[1] + " success "}
	if diff := cmp.Diff(want, s.states(t, o)); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
	s.want(t, o, karbor.RunError, "2 of 3 checkpoints were verified and found good; "+ids[3]+": a byte is wrong")
	r := s.last(t, o)
	if r.Operations[0].OperationID != r.ID || r.Operations[1].OperationID != karbor.RunOperationID(r.ID, 1) || s.operations() != 3 {
		t.Errorf("of %d operations these are the run's: %+v", s.operations(), r.Operations)
	}
}

func TestTheLongestUnverifiedIsTakenFirst(t *testing.T) {
	s := newSite(t, midnight)
	ids := s.checkpoints(t, 3)
	o, n := s.proof(t, "p", karbor.ScheduledVerify, karbor.Selection{Checkpoints: 2}, hourly), immortal(s, "a")
	var taken []string
	s.advance(-hour)
	for range 3 {
		s.advance(time.Hour)
		n.step(t.Context())
		for range 2 {
			s.advance(time.Second)
			s.finish(t, nil)
			n.step(t.Context())
		}
		s.want(t, o, karbor.RunSuccess, "2 of 2 checkpoints")
		for _, v := range s.last(t, o).Operations {
			taken = append(taken, v.CheckpointID)
		}
	}
	slices.Sort(taken)
	for _, id := range ids {
		if n := len(slices.DeleteFunc(slices.Clone(taken), func(v string) bool { return v != id })); n != 2 {
			t.Errorf("in three runs over three checkpoints, two at a time, %s was taken %d times", id, n)
		}
	}
}

func TestWhatIsGoneByThenIsLeftOut(t *testing.T) {
	s := newSite(t, midnight)
	ids := s.checkpoints(t, 3)
	o, n := s.proof(t, "p", karbor.ScheduledVerify, newestFirst, hourly), immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	if err := s.store.PutCheckpoint(t.Context(), karbor.Checkpoint{ID: ids[1], ProjectID: "p", ProviderID: "provider", Status: karbor.CheckpointDeleted}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.finish(t, nil)
		n.step(t.Context())
	}
	s.want(t, o, karbor.RunSuccess, "2 of 3 checkpoints were verified and found good; "+ids[1]+": ")
	if got := s.states(t, o)[1]; !strings.HasPrefix(got, ids[1]+" skipped") {
		t.Errorf("the one that is gone is %q", got)
	}
}

func TestARunWithNothingToDoIsASuccessThatSaysSo(t *testing.T) {
	s := newSite(t, midnight)
	verify := s.proof(t, "p", karbor.ScheduledVerify, karbor.Selection{Share: 100}, hourly)
	copying := s.proof(t, "p", karbor.ScheduledCopy, karbor.Selection{}, hourly)
	s.copied = true
	s.advance(hour)
	immortal(s, "a").step(t.Context())
	s.want(t, verify, karbor.RunSuccess, "there is no available checkpoint to verify")
	s.want(t, copying, karbor.RunSuccess, "all is copied")
	if s.operations() != 0 {
		t.Errorf("there are %d operations", s.operations())
	}
}

func TestAScheduledCopyHasTheIDOfItsRun(t *testing.T) {
	s := newSite(t, midnight)
	o, n := s.proof(t, "p", karbor.ScheduledCopy, karbor.Selection{}, hourly), immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	s.want(t, o, karbor.RunRunning, "")
	s.finish(t, nil)
	n.step(t.Context())
	s.want(t, o, karbor.RunSuccess, "")
	if r := s.last(t, o); s.accepted(r.ID) != 1 || len(r.Operations) != 0 {
		t.Errorf("the run is %+v", r)
	}
}

func TestADrillWaitsWhileOthersOfTheProjectGoOn(t *testing.T) {
	s := newSite(t, midnight)
	ids := s.checkpoints(t, 2)
	o, n := s.proof(t, "p", karbor.ScheduledDrill, karbor.Selection{}, hourly), immortal(s, "a")
	s.refuse = karbor.Errorf(karbor.OverLimit, "1 drill of the project goes on, and 1 may")
	s.advance(hour)
	n.step(t.Context())
	s.want(t, o, karbor.RunQueued, "1 drill of the project goes on")
	s.refuse = nil
	s.advance(time.Minute)
	n.step(t.Context())
	s.want(t, o, karbor.RunRunning, "")
	s.finish(t, nil)
	n.step(t.Context())
	s.want(t, o, karbor.RunSuccess, "1 of 1 drills have passed")
	if got := s.states(t, o); len(got) != 1 || got[0] != ids[1]+" success " {
		t.Errorf("drilled were %v, want the newest", got)
	}
}

func TestACheckpointThatCanNotBeDrilledIsAnErrorAndKeepsNoOtherWaiting(t *testing.T) {
	s := newSite(t, midnight)
	ids := s.checkpoints(t, 2)
	o, n := s.proof(t, "p", karbor.ScheduledDrill, karbor.Selection{Order: karbor.OldestDrilled}, hourly), immortal(s, "a")
	s.refuse = karbor.Errorf(karbor.Conflict, "nothing is known of what is in it")
	s.advance(hour)
	n.step(t.Context())
	s.want(t, o, karbor.RunError, "0 of 1 drills have passed; "+ids[1]+": nothing is known of what is in it")
	s.refuse = nil
	s.advance(time.Hour)
	n.step(t.Context())
	if got := s.states(t, o); len(got) != 1 || got[0] != ids[0]+" running " {
		t.Errorf("drilled are %v, want the other one", got)
	}
}

func TestBetweenItsOperationsARunStillGoesOn(t *testing.T) {
	s := newSite(t, midnight)
	s.checkpoints(t, 2)
	o, n := s.proof(t, "p", karbor.ScheduledVerify, newestFirst, hourly), immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	s.finish(t, nil)
	// The bank is away when the second one is to begin, and the next time comes.
	s.away.Store(s.now().Add(61 * time.Minute).UnixNano())
	n.step(t.Context())
	s.advance(time.Hour)
	n.step(t.Context())
	s.want(t, o, karbor.RunSkipped, "was not over yet")
	s.advance(2 * time.Minute)
	n.step(t.Context())
	s.finish(t, nil)
	n.step(t.Context())
	found, err := s.store.ScheduledRuns(t.Context(), o.ID)
	if err != nil || found[1].State != karbor.RunSuccess || s.operations() != 2 {
		t.Errorf("the first run is %+v, %v; there are %d operations", found[1], err, s.operations())
	}
}

func TestWhatCanNotBeginForAnHourIsGivenUp(t *testing.T) {
	s := newSite(t, midnight)
	ids := s.checkpoints(t, 2)
	o, n := s.proof(t, "p", karbor.ScheduledVerify, newestFirst, hourly), immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	s.finish(t, nil)
	s.refuse = karbor.Transientf("the bank does not answer")
	for range 59 {
		n.step(t.Context())
		s.advance(time.Minute)
	}
	s.want(t, o, karbor.RunRunning, "the bank does not answer")
	s.advance(5 * time.Minute)
	n.step(t.Context())
	found, err := s.store.ScheduledRuns(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r := found[len(found)-1]; r.State != karbor.RunError || !strings.Contains(r.Reason, "1 of 2 checkpoints were verified and found good; "+ids[0]+": the bank does not answer") {
		t.Errorf("after more than an hour the run is %+v", r)
	}
}

func TestADeletedScheduleBeginsNoFurtherVerification(t *testing.T) {
	s := newSite(t, midnight)
	s.checkpoints(t, 3)
	o, n := s.proof(t, "p", karbor.ScheduledVerify, newestFirst, hourly), immortal(s, "a")
	s.advance(hour)
	n.step(t.Context())
	if err := s.store.DeleteScheduledOperation(t.Context(), "p", o.ID); err != nil {
		t.Fatal(err)
	}
	s.finish(t, nil)
	n.step(t.Context())
	s.want(t, o, karbor.RunError, "not all of it was done: ")
	if s.operations() != 1 {
		t.Errorf("there are %d operations", s.operations())
	}
	n.step(t.Context())
	if len(s.returned) != 1 {
		t.Errorf("given back are %v", s.returned)
	}
}
