package image_test

import (
	"context"
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

func TestUndoFindsTheImageItMadeWithoutTheDocument(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	id := makeImage(t, tenant, nil, content(1000))
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ImageType, ID: id, Name: "photo"}, "")
	plugin := open(t, "{poll_interval: 20ms, timeout: 1m}")
	single := protectiontest.NewSingle(plugin, protectiontest.Source{Graph: g, Key: node.Key()})
	if err := single.Run(t, plugin.Hooks(karbor.Protect, karbor.ImageType).Main, single.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	before := len(tenant.Inventory(t))
	hooks := plugin.Hooks(karbor.RestoreOperation, karbor.ImageType)
	call := single.Begin(tenant.Cloud, nil, map[string]any{"upload": "always"})
	if err := single.Run(t, hooks.Main, call); err != nil {
		t.Fatal(err)
	}
	if made := len(tenant.Inventory(t)); made != before+1 {
		t.Fatalf("the restore made %d images", made-before)
	}
	call.Documents = gone{}
	if err := protection.Undo(t.Context(), hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if after := tenant.Inventory(t); len(after) != before {
		t.Errorf("after the undo there is %q", after)
	}
}
