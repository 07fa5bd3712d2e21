package protectiontest

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Extended has a volume be extended between the run that described it and the one that takes its
// snapshot, as while that waits for room: what is recorded of it must have the snapshot's size. The
// plug-in's scratch record of a protect has the description as "source".
func Extended(t *testing.T, p protection.Plugin, tenant *Tenant) {
	t.Helper()
	made := tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": "data", "size": 2})
	id, _ := made["id"].(string)
	tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
	g := &karbor.Graph{}
	single := NewSingle(p, Source{Graph: g, Key: g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id, Name: "data"}, "").Key()})
	call := single.Begin(tenant.Cloud, nil, nil)
	if err := call.Scratch.Save(t.Context(), map[string]any{"source": map[string]any{"name": "data", "size": 1}}); err != nil {
		t.Fatal(err)
	}
	hooks := p.Hooks(karbor.Protect, karbor.VolumeType)
	if err := single.Run(t, hooks.PrepareFinish, call); err != nil {
		t.Fatal(err)
	}
	var record struct {
		Source struct {
			Size int `json:"size"`
		} `json:"source"`
	}
	if err := call.Scratch.Load(t.Context(), &record); err != nil || record.Source.Size != 2 {
		t.Errorf("the snapshot has 2 GiB, and its description %d: %v", record.Source.Size, err)
	}
	if err := single.Run(t, hooks.Undo, call); err != nil {
		t.Error(err)
	}
}
