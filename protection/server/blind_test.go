package server_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// gone are the documents of a checkpoint that is not in its bank any more.
type gone struct{}

func (gone) CreateJSON(context.Context, string, any) error { return nil }

func (gone) GetJSON(context.Context, string, any) error {
	return karbor.Errorf(karbor.NotFound, "the document is not there")
}

func TestUndoFindsWhatItMadeWithoutTheDocument(t *testing.T) {
	s := newSite(t)
	n := s.tenant
	id := s.boot(t, nil)
	plugin, single := open(t), protectiontest.NewSingle(open(t), s.serverOf(id, nil, nil))
	if err := single.Run(t, plugin.Hooks(karbor.Protect, karbor.ServerType).Main, single.Begin(n.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	n.Remove(t, "compute", "servers/"+id, "server")
	before := n.Inventory(t)
	hooks := plugin.Hooks(karbor.RestoreOperation, karbor.ServerType)
	call := single.Begin(n.Cloud, nil, nil)
	call.Documents = gone{}
	if err := protection.Undo(t.Context(), hooks.Undo, call); err != nil {
		t.Errorf("where nothing was made: %v", err)
	}
	call = single.Begin(n.Cloud, nil, map[string]any{"restore_floating_ips": "none"})
	if err := single.Run(t, hooks.Complete, call); err != nil {
		t.Fatal(err)
	}
	// The user's own port stays.
	own := n.Make(t, "network", "ports", "port", map[string]any{"network_id": s.network})
	call.Documents = gone{}
	for range 2 {
		if err := protection.Undo(t.Context(), hooks.Undo, call); err != nil {
			t.Fatal(err)
		}
	}
	n.Do(t, "network", http.MethodDelete, "ports/"+text(own, "id"), nil)
	if after := n.Inventory(t); len(after) != len(before) {
		t.Errorf("before the restore there was\n%q\nafter its undo\n%q", before, after)
	}
}
