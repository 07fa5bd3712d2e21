//go:build temporal

package scaleout

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/noop"
)

// emptyHook has one hook for each resource, which does nothing: what is left is the service's own work
// for it. The flow of a plug-in without hooks is one step, whatever is in the plan.
var emptyHook = plugin.Define("empty-hook-plugin", "Runs one empty hook for each resource.",
	func() noop.Options { return noop.Options{} },
	func(ctx context.Context, _ noop.Options) (protection.Plugin, error) {
		p, err := noop.Plugin.Open(ctx, nil)
		return empty{p}, err
	})

type empty struct{ protection.Plugin }

// Hooks implements protection.Plugin.
func (e empty) Hooks(op karbor.OperationType, of karbor.ResourceType) protection.Hooks {
	if op != karbor.Protect {
		return e.Plugin.Hooks(op, of)
	}
	return protection.Hooks{Main: func(context.Context, *protection.Call) error { return nil }}
}
