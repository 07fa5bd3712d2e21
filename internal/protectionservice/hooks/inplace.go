package hooks

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// Kind gives the operation that plug-ins are asked the hooks of.
func Kind(op store.Operation) karbor.OperationType {
	if op.Type == karbor.RestoreOperation && op.Choices.InPlace {
		return protection.InPlace
	}
	return op.Type
}

// Left gives what removes what is left of an operation that has ended. In a restore in place
// that is never Undo: it would overwrite what its tenant has written since.
func Left(p *provider.Provider, op store.Operation, t karbor.ResourceType) protection.Hook {
	if Kind(op) == protection.InPlace {
		return p.Hooks(protection.InPlace, t).Sweep
	}
	return Undo(p, Kind(op), t)
}

// Overwritable reports why a node can't be restored in place, and what to do instead; nil for other restores.
func Overwritable(p *provider.Provider, op store.Operation, hooks protection.Hooks, n *karbor.Node) error {
	if !op.Choices.InPlace || !flow.Idle(hooks) {
		return nil
	}
	instead := p.NotInPlace(n.Type)
	if instead == "" {
		instead = "leave in_place out, which makes new resources, or choose with resources what can be overwritten"
	}
	return karbor.Errorf(karbor.Invalid, "%s %s (%s) can't be restored in place by this provider: %s", n.Type.Word(), n.ID, n.Name, instead)
}
