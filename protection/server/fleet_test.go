package server_test

import (
	"context"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// fleet is a plug-in in two processes: the hooks of one server run in the other one.
type fleet struct {
	protection.Plugin
	other  protection.Plugin
	server string
}

func (f fleet) Hooks(op karbor.OperationType, t karbor.ResourceType) protection.Hooks {
	h, o := f.Plugin.Hooks(op, t), f.other.Hooks(op, t)
	if op != karbor.RestoreOperation {
		return h
	}
	choose := func(here, there protection.Hook) protection.Hook {
		return func(ctx context.Context, call *protection.Call) error {
			if call.Node.ID == f.server {
				return there(ctx, call)
			}
			return here(ctx, call)
		}
	}
	h.Complete, h.Undo = choose(h.Complete, o.Complete), choose(h.Undo, o.Undo)
	return h
}

func TestServersOfOneRestoreInTwoProcessesShareTheirSecurityGroup(t *testing.T) {
	s := newSite(t)
	var sources []protectiontest.Source
	last := ""
	for range 2 {
		id := s.boot(t, map[string]any{"security_groups": []any{map[string]any{"name": "web"}}})
		last = id
		sources = append(sources, s.serverOf(id, func(t *testing.T) { s.tenant.Remove(t, "compute", "servers/"+id, "server") },
			func(*testing.T, protectiontest.Restored) {}))
	}
	drop := sources[1].Destroy
	sources[1].Destroy = func(t *testing.T) {
		drop(t)
		s.dropGroup(t)
	}
	c := s.of(t, sources[0])
	c.Plugin = fleet{c.Plugin, open(t), last}
	protectiontest.Together(t, c, sources, func(t *testing.T, all []protectiontest.Restored) {
		groups := map[any]bool{}
		for _, restored := range all {
			of, _ := s.portOf(t, restored.ID)["security_groups"].([]any)
			for _, g := range of {
				groups[g] = true
			}
		}
		if len(groups) != 1 {
			t.Errorf("the servers are in the security groups %v", groups)
		}
	})
}
