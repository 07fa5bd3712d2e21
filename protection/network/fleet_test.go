package network_test

import (
	"context"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// fleet is a plug-in in two processes: the hooks of the project's node run in the other one.
type fleet struct {
	protection.Plugin
	other   protection.Plugin
	project string
}

func (f fleet) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	h, o := f.Plugin.Hooks(op, t), f.other.Hooks(op, t)
	if op != karbor.RestoreOperation {
		return h
	}
	choose := func(here, there protection.Hook) protection.Hook {
		return func(ctx context.Context, call *protection.Call) error {
			if call.Node.ID == f.project {
				return there(ctx, call)
			}
			return here(ctx, call)
		}
	}
	h.Main, h.Undo = choose(h.Main, o.Main), choose(h.Undo, o.Undo)
	return h
}

func TestNodesOfOneRestoreInTwoProcessesShareWhatTheyHaveInCommon(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	first := source(t, tenant, func(w *town) string { return w.network })
	whole := first
	whole.Key = first.Graph.Add(karbor.Resource{Type: karbor.NetworkType, ID: tenant.Cloud.ProjectID()}, "").Key()
	whole.Destroy = func(*testing.T) {}
	whole.Check = func(*testing.T, protectiontest.Restored) {}
	c := caseOf(t, tenant)
	c.Plugin = fleet{c.Plugin, open(t), tenant.Cloud.ProjectID()}
	protectiontest.Together(t, c, []protectiontest.Source{first, whole}, func(t *testing.T, all []protectiontest.Restored) {
		for part, id := range all[0].Parts {
			if all[1].Parts[part] != id {
				t.Errorf("%s became both %s and %s", part, id, all[1].Parts[part])
			}
		}
	})
}
