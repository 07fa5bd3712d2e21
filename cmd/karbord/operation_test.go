package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

func TestOperatorsListShowAndEndOperations(t *testing.T) {
	path, state := settings(t, "")
	s, err := store.Open(t.Context(), filepath.Join(state, "karbor.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	id := a.Operation.ID
	command := func(args ...string) (string, error) {
		t.Helper()
		return run(t, append([]string{"operation"}, append(args, "--config", path)...)...)
	}
	if out, err := command("list"); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "waits for the engine") {
		t.Errorf("list: %v\n%s", err, out)
	}
	engine, err := local.New(local.Options{Journal: s.Journal(), Owner: "test", Now: time.Now, Options: workflow.Options{
		Actions: map[string]workflow.Action{"hook": func(context.Context, *workflow.Task) error { return nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(t.Context(), id, workflow.Steps{{ID: "main:volume/v", Action: "hook"}}); err != nil {
		t.Fatal(err)
	}
	failing := local.Batch{Operations: []local.OperationRecord{{ID: id, State: workflow.Running, StartedAt: time.Now()}}, Steps: []local.StepRecord{
		{Operation: id, State: workflow.Pending, Attempts: 3, Done: 5, Total: 9, Error: "the bank does not answer", Due: time.Now().Add(time.Minute)}}}
	if err := s.Journal().Record(t.Context(), local.Unfenced, failing); err != nil {
		t.Fatal(err)
	}
	if out, err := command("list", "--project", "project"); err != nil || !strings.Contains(out, "main:volume/v failed 3 times: the bank does not answer") {
		t.Errorf("list: %v\n%s", err, out)
	}
	if out, err := command("list", "--project", "another"); err != nil || strings.Contains(out, id) {
		t.Errorf("list of another project: %v\n%s", err, out)
	}
	if out, err := command("cancel", a.Operation.CheckpointID, "--reason", "it hangs", "--wait", "0s"); err != nil || out != id+": asked; the service has not answered yet\n" {
		t.Errorf("cancel: %q, %v", out, err)
	}
	out, err := command("show", a.Operation.CheckpointID)
	for _, want := range []string{id, "main:volume/v", "the bank does not answer", "0 of 1 steps are over",
		"cancel at ", "(cancelled by the operator: it hangs): not answered yet"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("show has not %q: %v\n%s", want, err, out)
		}
	}
	var steps []operationStep
	if out, err = command("show", id, "-f", "json"); err != nil || json.Unmarshal([]byte(out), &steps) != nil || len(steps) != 1 || steps[0].Attempts != 3 || steps[0].Due == nil {
		t.Errorf("show: %+v, %v\n%s", steps, err, out)
	}
	if out, err := command("fail", id); err == nil || !strings.Contains(err.Error(), "--reason") {
		t.Errorf("fail without a reason: %q, %v", out, err)
	}
	if out, err := command("retry", id); err == nil || !strings.Contains(err.Error(), "is not over") {
		t.Errorf("retry of what runs: %q, %v", out, err)
	}
	for _, verb := range []string{"cancel", "show"} {
		if out, err := command(verb, karbor.NewID()); karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("%s of nothing: %q, %v", verb, out, err)
		}
	}
	testAnswers(t, s, id, command)
}

// testAnswers has the service answer what is asked.
func testAnswers(t *testing.T, s *store.Store, id string, command func(...string) (string, error)) {
	t.Helper()
	answer := func(kind store.RequestKind, text string) {
		t.Helper()
		if err := s.AnswerRequest(t.Context(), store.Request{OperationID: id, Kind: kind}, text); err != nil {
			t.Fatal(err)
		}
	}
	answer(store.CancelRequest, "the operation stops")
	if out, err := command("cancel", id); err != nil || out != id+": the operation stops\n" {
		t.Errorf("cancel: %q, %v", out, err)
	}
	if err := s.EndOperation(t.Context(), id, store.Outcome{LogStatus: karbor.LogError, ErrorInfo: "cancelled"}); err != nil {
		t.Fatal(err)
	}
	if out, err := command("list"); err != nil || strings.Contains(out, id) {
		t.Errorf("what is over is listed: %v\n%s", err, out)
	}
	if out, err := command("list", "--all"); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "cancelled") {
		t.Errorf("list --all: %v\n%s", err, out)
	}
	if _, err := command("fail", id, "--reason", "x"); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("fail of what is over: %v", err)
	}
	if out, err := command("retry", id, "--wait", "0s"); err != nil || !strings.Contains(out, "asked") {
		t.Errorf("retry: %q, %v", out, err)
	}
	// A service that answers whatever it finds asked.
	serving, stop := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		var err error
		for r := (store.Request{OperationID: id, Kind: store.RetryRequest}); err == nil && serving.Err() == nil; <-tick.C {
			err = s.AnswerRequest(t.Context(), r, "refused: it needs the cloud of the tenant")
		}
		answered <- err
	}()
	if _, err := command("retry", id); err == nil || !strings.Contains(err.Error(), "refused: it needs the cloud") {
		t.Errorf("a retry that is refused: %v", err)
	}
	stop()
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
}
