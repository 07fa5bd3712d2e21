package protectionservice_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protection"
)

// bounded bounds the operations of a site that are at work; joined has the engine get them with
// their acceptance.
type bounded struct {
	atWork protectionservice.AtWork
	joined bool
}

// joining has the engine get operations with their acceptance, as it does in a process that
// serves the API too.
func (s *site) joining() {
	s.t.Helper()
	s.stop()
	s.joined = true
	s.start()
	s.usable()
}

// waiting gives what an operation on a checkpoint waits for.
func (s *site) waiting(id string) string {
	s.t.Helper()
	rows, err := s.service.CheckpointProgress(s.t.Context(), s.checkpointOf(id))
	if err != nil || len(rows) != 1 {
		s.t.Fatalf("%d rows, %v", len(rows), err)
	}
	return rows[0].Waiting
}

func TestOperationsBeyondALimitWaitAndSayWhy(t *testing.T) {
	for name, tt := range map[string]struct {
		atWork protectionservice.AtWork
		file   string
		joined bool
		why    string
	}{
		"of the project":                       {atWork: protectionservice.AtWork{Project: 2}, why: "of the project that may run at a time"},
		"of the project, where it is accepted": {atWork: protectionservice.AtWork{Project: 2}, joined: true, why: "of the project that may run at a time"},
		"of the provider":                      {file: "limits: {operations: 2}\n", why: "that may run at a time with its provider"},
		"of the service":                       {atWork: protectionservice.AtWork{Service: 2}, why: "that the service runs at a time"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.atWork, s.repository = tt.atWork, tt.file
			if s.restart(); tt.joined {
				s.joining()
			}
			begun, goOn := make(chan string, 10), make(chan struct{}, 1)
			s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, call *protection.Call) error {
				begun <- call.Node.ID
				select {
				case <-goOn:
				case <-ctx.Done():
				}
				return ctx.Err()
			}})
			var ids []string
			for i := range 5 {
				ids = append(ids, s.protect(s.plan(volume(fmt.Sprintf("v%d", i)))))
			}
			arrives(t, begun)
			arrives(t, begun)
			for i, place := range []string{"it is the next of the project", "1 before it", "2 before it"} {
				want := "waiting: the 2 operations " + tt.why + " are at work; " + place
				if got := s.waiting(ids[2+i]); got != want {
					t.Errorf("it waits so: %q, want %q", got, want)
				}
			}
			if got := s.operation(ids[3]).State; got != protectionservice.OperationWaiting {
				t.Errorf("it is %s", got)
			}
			if err := s.service.CancelOperation(t.Context(), s.caller(), projectID, ids[3], "never mind"); err != nil {
				t.Fatal(err)
			}
			if cp := s.until(ids[3]); cp.Status != karbor.CheckpointError {
				t.Errorf("the cancelled one, which waited, is %s", cp.Status)
			}
			if n := len(begun); n > 0 {
				t.Errorf("%d more have begun", n)
			}
			goOn <- struct{}{}
			if got := arrives(t, begun); got != "v2" {
				t.Errorf("behind the end of one begins %s, want the oldest", got)
			}
			close(goOn)
			for _, i := range []int{0, 1, 2, 4} {
				s.becomesAvailable(projectID, ids[i])
			}
		})
	}
}

func TestARestoreInPlaceGetsItsSafetyCheckpointWithOnePlace(t *testing.T) {
	s := newSite(t)
	s.atWork = protectionservice.AtWork{Project: 1}
	s.restart()
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: s.script.note("protect")})
	s.script.set(protection.InPlace, karbor.VolumeType, protection.Hooks{Main: s.script.note("overwrite"), Undo: s.script.note("undo")})
	cp := s.until(s.protect(s.plan(volume("v1"))))
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{
		ProviderID: providerID, CheckpointID: cp.ID, Choices: karbor.RestoreChoices{InPlace: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r = s.untilRestored(r.ID); r.Status != karbor.RestoreSuccess {
		t.Errorf("the restore is %s: %v", r.Status, r.ResourcesReason)
	}
}
