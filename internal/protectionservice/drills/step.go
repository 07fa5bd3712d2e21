package drills

import (
	"context"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/attempt"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// probeAttempts is how often a probe is tried whose look fails for what may pass.
const probeAttempts = 4

// StepOptions of NewSteps. All are needed.
type StepOptions struct {
	Store      *store.Store
	Operations *running.Operations
	// Runner runs the hooks of the restores.
	Runner *attempt.Runner
	// Transfers are the places for what moves bulk data.
	Transfers *transfer.Places
	Config    Config
	Now       func() time.Time
}

// Steps does what a drill does besides its hooks. It is safe for concurrent use.
type Steps struct {
	store      *store.Store
	operations *running.Operations
	runner     *attempt.Runner
	transfers  *transfer.Places
	config     Config
	now        func() time.Time
}

// NewSteps makes what does the steps.
func NewSteps(o StepOptions) *Steps {
	return &Steps{store: o.Store, operations: o.Operations, runner: o.Runner, transfers: o.Transfers, config: o.Config, now: o.Now}
}

// Flow writes the flow of a drill. All resources are probed of which anything can be, whatever
// probes were asked for: without one the step is over at once.
func Flow(op store.Operation, hooks func(karbor.ResourceType) protection.Hooks) workflow.Steps {
	all := karbor.DrillProbes{
		Active: &karbor.ActiveProbe{}, Console: &karbor.ConsoleProbe{}, Volume: &karbor.VolumeProbe{}, Port: &karbor.PortProbe{},
		Command: &karbor.CommandProbe{},
	}
	return flow.Drill(op.ProjectID, op.Graph, hooks, func(n *karbor.Node) bool {
		return !drill.IsSite(n) && len(drill.Of(n.Type, all)) > 0
	})
}

// Probe makes the probes of a resource that were not made yet.
func (s *Steps) Probe(ctx context.Context, w running.Work, task *workflow.Task) error {
	_, node, err := w.Step(task.Input)
	if err != nil {
		return err
	}
	d, err := s.store.Drill(ctx, w.Op.ProjectID, w.Op.ID)
	if err != nil {
		return err
	}
	names := drill.Of(node.Type, d.Probes)
	if len(names) == 0 {
		return nil
	}
	if ctx, err = s.store.Claim(ctx, w.Op.ID, task.Step, task.Attempt); err != nil {
		return err
	}
	events, err := s.store.DrillEvents(ctx, w.Op.ID)
	if err != nil {
		return err
	}
	call, err := s.runner.Call(ctx, w, node, task)
	if err != nil {
		return err
	}
	found, err := s.runner.Drilled(ctx, w, call, node)
	if err != nil {
		return err
	}
	subject := drill.Subject{ID: call.NewResources.ID(node.Key()), Content: found.Content, Probes: d.Probes, Enter: func(ctx context.Context) (func(), error) {
		return s.transfers.Enter(ctx, w.Op.ProjectID, transfer.Stream{Operation: w.Op.ID, Key: node.Key(), Provider: w.Op.ProviderID})
	}}
	position := slices.Index(w.Op.Graph.Nodes(), node)
	for _, name := range names {
		e := store.DrillEvent{Position: position, Name: drill.ProbeEvent + name, StartedAt: s.now()}
		if slices.ContainsFunc(events, func(o store.DrillEvent) bool {
			return o.Position == position && o.Name == e.Name && !o.EndedAt.IsZero()
		}) {
			continue
		}
		if err := s.probeOnce(ctx, task, call, subject, name, e); err != nil {
			return outcome.Of(node, err)
		}
	}
	return nil
}

// probeOnce makes one probe, and records what it saw.
func (s *Steps) probeOnce(ctx context.Context, task *workflow.Task, call *protection.Call, subject drill.Subject, name string, e store.DrillEvent) error {
	if err := s.store.PutDrillEvent(ctx, task.Operation, e); err != nil {
		return err
	}
	seen, err := s.config.Prober.Probe(ctx, name, call, subject)
	if err != nil {
		if ctx.Err() != nil || task.Attempt < probeAttempts {
			return err
		}
		seen = s.config.Prober.GiveUp(name, err)
	}
	e.EndedAt, e.Result, e.Target, e.Origin, e.Reason = s.now(), string(seen.Result), seen.Target, seen.Origin, seen.Reason
	return s.store.PutDrillEvent(ctx, task.Operation, e)
}
