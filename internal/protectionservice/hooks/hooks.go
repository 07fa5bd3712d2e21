// Package hooks says what plug-ins do in an operation: which hooks of which type run in it, which
// removes what they made, and whether any needs the cloud. It runs none.
package hooks

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/protection"
)

// Of gives what a provider does in an operation for a type. What has no hooks of its own
// for a verification, but keeps something, is verified by what lies in the bank.
func Of(p *provider.Provider, op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	if op == karbor.DrillOperation {
		return drilled(p, t)
	}
	if p.Target != "" && op == karbor.Delete {
		return protection.Hooks{} // what a copy has is all in its bank
	}
	h := p.Hooks(op, t)
	if KeepsOnly(p, op, t) {
		h.Offline, h.Main = true, nothing
	}
	return h
}

// For gives what a provider does in an operation, by type.
func For(p *provider.Provider, op karbor.OperationType) func(karbor.ResourceType) protection.Hooks {
	return func(t karbor.ResourceType) protection.Hooks { return Of(p, op, t) }
}

// KeepsOnly reports whether a plug-in keeps something of a type and does not verify it.
func KeepsOnly(p *provider.Provider, op karbor.OperationType, t karbor.ResourceType) bool {
	return op == karbor.Verify && flow.Idle(p.Hooks(op, t)) && !flow.Idle(p.Hooks(karbor.Protect, t))
}

// drilled gives what is done in a drill for a type: what a restore does; and the drill's own
// networks, whose node has the type of networks, are made and removed.
func drilled(p *provider.Provider, t karbor.ResourceType) protection.Hooks {
	if t == karbor.NetworkType {
		return protection.Hooks{PrepareFinish: nothing, Undo: drill.Remove}
	}
	return p.Hooks(karbor.RestoreOperation, t)
}

// nothing stands for a hook of the service's own, which takes its place once the operation and the
// node are known: the look at what is kept of a resource, or the making of a drill's networks.
func nothing(context.Context, *protection.Call) error { return nil }

// Undo gives what removes what an operation has made for a type.
func Undo(p *provider.Provider, op karbor.OperationType, t karbor.ResourceType) protection.Hook {
	if op == karbor.DrillOperation {
		return drilled(p, t).Undo
	}
	return p.Hooks(op, t).Undo
}

// NeedCloud reports whether any hook that will run for a graph needs the cloud.
func NeedCloud(g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks) bool {
	for _, n := range g.Nodes() {
		if h := hooks(n.Type); !h.Offline && !flow.Idle(h) {
			return true
		}
	}
	return false
}
