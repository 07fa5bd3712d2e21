package protectionservice

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// probeAttempts is how often a probe is tried whose look fails for what may pass.
const probeAttempts = 4

// drillFlow writes the flow of a drill. All resources are probed of which anything can be, whatever
// probes were asked for: without one the step is over at once.
func (s *Service) drillFlow(op store.Operation, hooks func(karbor.ResourceType) protection.Hooks) workflow.Steps {
	all := karbor.DrillProbes{
		Active: &karbor.ActiveProbe{}, Console: &karbor.ConsoleProbe{}, Volume: &karbor.VolumeProbe{}, Port: &karbor.PortProbe{},
		Command: &karbor.CommandProbe{},
	}
	return flow.Drill(op.ProjectID, op.Graph, hooks, func(n *karbor.Node) bool {
		return !drill.IsSite(n) && len(drill.Of(n.Type, all)) > 0
	})
}

// timed runs a part of a drill, and records when it began and ended. In other operations it only
// runs it.
func (s *Service) timed(ctx context.Context, w work, node *karbor.Node, name string, part func() error) error {
	if w.op.Type != karbor.DrillOperation {
		return part()
	}
	e := store.DrillEvent{Position: slices.Index(w.op.Graph.Nodes(), node), Name: name, StartedAt: s.now()}
	if err := s.store.PutDrillEvent(ctx, w.op.ID, e); err != nil {
		return err
	}
	failure := part()
	switch {
	case failure == nil:
		e.EndedAt = s.now()
	case karbor.KindOf(failure) == karbor.OverLimit:
		e.Result = drill.OverLimit
	default:
		return failure
	}
	if err := s.store.PutDrillEvent(ctx, w.op.ID, e); err != nil && failure == nil {
		return err
	}
	return failure
}

// probe makes the probes of a resource that were not made yet.
func (s *Service) probe(ctx context.Context, task *workflow.Task) error {
	w, err := s.work(ctx, task)
	if err != nil {
		return err
	}
	_, node, err := w.step(task.Input)
	if err != nil {
		return err
	}
	d, err := s.store.Drill(ctx, w.op.ProjectID, w.op.ID)
	if err != nil {
		return err
	}
	names := drill.Of(node.Type, d.Probes)
	if len(names) == 0 {
		return nil
	}
	if ctx, err = s.store.Claim(ctx, w.op.ID, task.Step, task.Attempt); err != nil {
		return err
	}
	events, err := s.store.DrillEvents(ctx, w.op.ID)
	if err != nil {
		return err
	}
	call, _, err := s.newCall(ctx, w, node, task, s.record(w, node))
	if err != nil {
		return err
	}
	found, err := s.drilled(ctx, w, call, node)
	if err != nil {
		return err
	}
	subject := drill.Subject{ID: call.NewResources.ID(node.Key()), Content: found.Content, Probes: d.Probes, Enter: func(ctx context.Context) (func(), error) {
		return s.transfers.Enter(ctx, w.op.ProjectID, transfer.Stream{Operation: w.op.ID, Key: node.Key()})
	}}
	position := slices.Index(w.op.Graph.Nodes(), node)
	for _, name := range names {
		e := store.DrillEvent{Position: position, Name: drill.ProbeEvent + name, StartedAt: s.now()}
		if slices.ContainsFunc(events, func(o store.DrillEvent) bool {
			return o.Position == position && o.Name == e.Name && !o.EndedAt.IsZero()
		}) {
			continue
		}
		if err := s.probeOnce(ctx, task, call, subject, name, e); err != nil {
			return explain(err, node)
		}
	}
	return nil
}

// probeOnce makes one probe, and records what it saw.
func (s *Service) probeOnce(ctx context.Context, task *workflow.Task, call *protection.Call, subject drill.Subject, name string, e store.DrillEvent) error {
	if err := s.store.PutDrillEvent(ctx, task.Operation, e); err != nil {
		return err
	}
	seen, err := s.drills.Prober.Probe(ctx, name, call, subject)
	if err != nil {
		if ctx.Err() != nil || task.Attempt < probeAttempts {
			return err
		}
		seen = s.drills.Prober.GiveUp(name, err)
	}
	e.EndedAt, e.Result, e.Target, e.Origin, e.Reason = s.now(), string(seen.Result), seen.Target, seen.Origin, seen.Reason
	return s.store.PutDrillEvent(ctx, task.Operation, e)
}

// conclude ends a drill, once all that it made is removed, or could not be.
func (s *Service) conclude(ctx context.Context, task *workflow.Task) error {
	if task.Failure != nil {
		return s.fail(ctx, task)
	}
	op, err := s.store.Operation(ctx, task.Operation)
	if err != nil || !op.EndedAt.IsZero() {
		return err
	}
	return unended(s.endWell(ctx, op))
}

// endWell ends a drill whose steps have all run.
func (s *Service) endWell(ctx context.Context, op store.Operation) error {
	rows, err := s.store.Resources(ctx, op.ID)
	if err != nil {
		return err
	}
	o := store.Outcome{Records: make(map[karbor.NodeKey]store.RecordOutcome, len(rows))}
	for _, r := range rows {
		o.Records[r.Key] = store.RecordOutcome{State: karbor.ResourceDeleted}
	}
	if err := s.endDrill(ctx, op, rows, outcome.Failures{}, &o); err != nil {
		return err
	}
	return s.finish(ctx, op, o)
}

// endDrill adds to the outcome of a drill its record, with what it says.
func (s *Service) endDrill(ctx context.Context, op store.Operation, rows []store.ResourceRecord, why outcome.Failures, o *store.Outcome) error {
	c, err := s.course(ctx, op, rows, why)
	if err != nil {
		return err
	}
	record := drill.Report(c)
	var file []byte
	if s.drills.Signer != nil {
		if file, err = s.drills.Signer.Sign(record); err != nil {
			return fmt.Errorf("signing the record of drill %s: %w", op.ID, err)
		}
	}
	out := &store.Drilled{
		Status: karbor.DrillFinished, Verdict: record.Verdict, Reason: drill.Brief(slices.Concat(record.Reasons, record.Left)),
		Recovery: time.Duration(record.RecoveryMS) * time.Millisecond, Resources: map[string]karbor.DrilledResource{},
		Evidence: bytes.TrimSpace(file),
	}
	if c.Failed != "" || c.Cancelled != "" || !record.Removed {
		out.Status = karbor.DrillError
	}
	for _, r := range record.Resources {
		out.Resources[r.Resource] = karbor.DrilledResource{Verdict: r.Verdict, RecoveryMS: r.ReadyMS}
	}
	o.Drilled = out
	if o.LogStatus = karbor.LogSuccess; out.Verdict != karbor.DrillPassed || out.Status != karbor.DrillFinished {
		o.LogStatus, o.ErrorInfo = karbor.LogError, out.Reason
	}
	return nil
}

// course puts together what a drill was, and how it went.
func (s *Service) course(ctx context.Context, op store.Operation, rows []store.ResourceRecord, why outcome.Failures) (drill.Course, error) {
	d, err := s.store.Drill(ctx, op.ProjectID, op.ID)
	if err != nil {
		return drill.Course{}, err
	}
	events, err := s.store.DrillEvents(ctx, op.ID)
	if err != nil {
		return drill.Course{}, err
	}
	cp, err := s.store.Checkpoint(ctx, op.ProjectID, op.ProviderID, op.CheckpointID)
	if err != nil && karbor.KindOf(err) != karbor.NotFound {
		return drill.Course{}, err
	}
	if cp.Graph == nil {
		cp = karbor.Checkpoint{ID: op.CheckpointID, Graph: op.Graph} // its provider's file has gone, and with it the catalogue
	}
	c := drill.Course{
		Drill: d, Checkpoint: cp, Graph: op.Graph, Events: events, Rows: rows, Cancelled: why.Cancelled, Failed: why.Before(),
		Left: why.Left(), EndedAt: s.now(), Service: s.drills.program(), Bank: bankName(op.Bank),
	}
	p, err := s.place(op)
	c.Excluded = func(n *karbor.Node) string {
		if err != nil {
			return "It is not known."
		}
		if reason := excluded(p, n); reason != "" {
			return reason
		}
		return "It was not asked for."
	}
	return c, nil
}

// bankName is the word for a place: main for the provider's own bank.
func bankName(bank string) string {
	if bank == "" {
		return store.MainBank
	}
	return bank
}
