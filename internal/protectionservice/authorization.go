package protectionservice

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// needsCloud reports whether any hook of the operation will run that needs the cloud.
func needsCloud(g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks) bool {
	for _, n := range g.Nodes() {
		if h := hooks(n.Type); !h.Offline && !flow.Idle(h) {
			return true
		}
	}
	return false
}

// authorize gets what op needs to act as the caller, and seals it into op. An
// operation none of whose hooks does anything needs nothing.
func (s *Service) authorize(ctx context.Context, c Caller, op *store.Operation, hooks func(karbor.ResourceType) protection.Hooks, to *delegation.Target) (*openstack.Delegation, error) {
	if !needsCloud(op.Graph, hooks) {
		return nil, nil
	}
	if c.crosses() {
		return nil, karbor.Errorf(karbor.Forbidden, "this needs the cloud of the project itself, which only its own people can give")
	}
	return s.delegations.Authorize(ctx, delegation.Grant{Identity: c.Identity, Cloud: c.Cloud, Borrowed: c.Borrowed, Target: to}, op)
}
