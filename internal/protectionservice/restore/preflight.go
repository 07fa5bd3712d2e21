package restore

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/hooks"
	"github.com/karbor/karbor/internal/protectionservice/outcome"
	"github.com/karbor/karbor/internal/protectionservice/preflight"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// Preflight looks what a restore would come across, and stores and changes nothing. What
// Restore would refuse it refuses too, but the state of the cloud is told as findings.
// It is as the caller sees it now: a restore may still fail for what changes meanwhile,
// and for what a tenant can't see, such as a cloud without room.
func (o *Restorer) Preflight(ctx context.Context, c admission.Caller, r Request) (preflight.Report, error) {
	out := preflight.Report{ProviderID: r.ProviderID, CheckpointID: r.CheckpointID}
	p, cp, _, err := o.restorable(ctx, c, r)
	if err != nil {
		return out, err
	}
	graph, parameters, err := o.choose(ctx, c, p, cp, r)
	if err != nil {
		return out, err
	}
	cloud, err := o.destination(ctx, c, r)
	if err != nil {
		return out, err
	}
	op := store.Operation{
		ID: karbor.NewID(), Type: karbor.RestoreOperation, ProjectID: cp.ProjectID, ProviderID: p.ID, CheckpointID: cp.ID,
		RestoreID: karbor.NewID(), Graph: graph, Parameters: parameters, Choices: r.Choices, Bank: cp.Bank,
	}
	look := preflight.Restore{
		Operation: op, Provider: p, Cloud: cloud,
		Hooks: func(n *karbor.Node) (protection.Hooks, error) {
			does := hooks.Of(p, hooks.Kind(op), n.Type)
			return does, hooks.Overwritable(p, op, does, n)
		},
		Sentence: func(err error) string { return karbor.Sentence(outcome.Plain(err)) },
	}
	if r.Target == "" {
		look.Admin = o.adminReads
	}
	out.Findings, err = preflight.Look(ctx, look)
	return out, err
}

// destination gives the session that a restore would act through.
func (o *Restorer) destination(ctx context.Context, c admission.Caller, r Request) (karbor.Cloud, error) {
	to, err := o.target(ctx, r)
	if err != nil || to == nil {
		return c.Cloud, err
	}
	return o.delegations.LogIn(ctx, *to)
}
