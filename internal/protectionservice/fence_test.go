package protectionservice_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// rival is an attempt at a hook that is held between what it reads in the bank and what it
// writes there. Behind that it stays, so that the operation goes on while a test looks.
type rival struct {
	read  chan struct{}
	write chan struct{}
	wrote chan error
}

func newRival() *rival {
	return &rival{make(chan struct{}), make(chan struct{}), make(chan error, 1)}
}

func (r *rival) hook(ctx context.Context, c *protection.Call, name string) error {
	var there string
	if err := c.Documents.GetJSON(ctx, "metadata", &there); karbor.KindOf(err) != karbor.NotFound {
		return karbor.Errorf(karbor.Internal, "the bank has %q, %v", there, err)
	}
	close(r.read)
	select {
	case <-r.write:
		r.wrote <- c.Documents.CreateJSON(ctx, "metadata", name)
		<-ctx.Done()
	case <-ctx.Done():
	}
	return ctx.Err()
}

// metadata gives what the bank has of a resource of a checkpoint, "" for nothing.
func (s *site) metadata(id string, key karbor.NodeKey) (text string) {
	s.t.Helper()
	documents, err := s.providers[0].Checkpoints().Documents(projectID, id, key)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := documents.GetJSON(s.t.Context(), "metadata", &text); err != nil && karbor.KindOf(err) != karbor.NotFound {
		s.t.Fatal(err)
	}
	return text
}

// hookStep gives the step of the one hook of an operation, as another process gets it next
// that takes the one which runs it for dead.
func (s *site) hookStep(operation string) *workflow.Task {
	s.t.Helper()
	d, err := s.engine.Describe(s.t.Context(), operation)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, step := range d.Steps {
		if step.Action == flow.Hook {
			return &workflow.Task{
				Operation: operation, Step: step.ID, Input: step.ID, Attempt: 2, Progress: func(int64, int64) {},
			}
		}
	}
	s.t.Fatalf("operation %s has no hook", operation)
	return nil
}

func TestAHookThatAnotherProcessHasTakenOverWritesNothingInTheBank(t *testing.T) {
	s := newSite(t)
	old, next, runs, operation := newRival(), newRival(), atomic.Int32{}, make(chan string, 1)
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, c *protection.Call) error {
		if runs.Add(1) == 1 {
			operation <- c.OperationID
			return old.hook(ctx, c, "old")
		}
		return next.hook(ctx, c, "next")
	}})
	id := s.protect(s.plan(volume("v1")))
	task := s.hookStep(arrives(t, operation))
	arrives(t, old.read)
	ctx, cancel := context.WithCancel(t.Context())
	var elsewhere sync.WaitGroup
	defer elsewhere.Wait()
	defer cancel()
	over := make(chan error, 1)
	elsewhere.Go(func() { over <- s.service.Actions()[flow.Hook](ctx, task) })
	select {
	case <-next.read:
	case err := <-over:
		t.Fatalf("the other process does not get the hook: %v", err)
	case <-time.After(patience):
		t.Fatal("the other process has not begun the hook")
	}
	close(old.write)
	if err := arrives(t, old.wrote); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("what the process writes that was taken for dead gives %v", err)
	}
	if there := s.metadata(id, volumeKey("v1")); there != "" {
		t.Errorf("the bank has what the %s one wrote", there)
	}
	close(next.write)
	if err := arrives(t, next.wrote); err != nil {
		t.Errorf("the other process can't write: %v", err)
	}
	if there := s.metadata(id, volumeKey("v1")); there != "next" {
		t.Errorf("the bank has what the %q one wrote", there)
	}
}
