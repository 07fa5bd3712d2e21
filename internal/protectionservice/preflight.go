package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/preflight"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// Preflight looks what a restore would come across, and stores and changes nothing. What
// Restore would refuse it refuses too, but the state of the cloud is told as findings.
// It is as the caller sees it now: a restore may still fail for what changes meanwhile,
// and for what a tenant can't see, such as a cloud without room.
func (s *Service) Preflight(ctx context.Context, c Caller, r RestoreRequest) (preflight.Report, error) {
	out := preflight.Report{ProviderID: r.ProviderID, CheckpointID: r.CheckpointID}
	p, cp, _, err := s.restorable(ctx, c, r)
	if err != nil {
		return out, err
	}
	graph, parameters, err := s.choose(ctx, c, p, cp, r)
	if err != nil {
		return out, err
	}
	cloud, err := s.destination(ctx, c, r)
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
			hooks := hooksOf(p, kindOf(op), n.Type)
			return hooks, overwritable(op, hooks, n)
		},
		Sentence: func(err error) string { return karbor.Sentence(plain(err)) },
	}
	if r.Target == "" {
		look.Admin = s.adminReads
	}
	out.Findings, err = preflight.Look(ctx, look)
	return out, err
}

// destination gives the session that a restore would act through.
func (s *Service) destination(ctx context.Context, c Caller, r RestoreRequest) (karbor.Cloud, error) {
	to, err := s.restoreTarget(ctx, r)
	if err != nil || to == nil {
		return c.Cloud, err
	}
	return s.delegations.LogIn(ctx, *to)
}
