package flow

import (
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/protection"
)

// Count looks whether the quotas in the cloud have room for what a protect will make. It comes before all hooks.
const Count = "count"

// Protect writes the steps of a protect: those of Steps, and Count where a plug-in foresees what it uses.
func Protect(project string, g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks) workflow.Steps {
	b := newBuilder(g, hooks)
	if slices.ContainsFunc(b.hooks, func(h protection.Hooks) bool { return h.Preflight != nil }) {
		b.first = Count
	}
	return b.plain(project)
}
