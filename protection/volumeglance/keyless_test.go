package volumeglance_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/keymanager"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// TestEncryptedVolumeGoesIntoNoCloudWithoutAKeyManagerAndNothingIsLeft restores what was kept
// of an encrypted volume, where nothing keeps keys: there is nothing to undo, then.
func TestEncryptedVolumeGoesIntoNoCloudWithoutAKeyManagerAndNothingIsLeft(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: karbor.NewID(), Name: "safe"}, "")
	p := open(t)
	call := protectiontest.NewSingle(p, protectiontest.Source{Graph: g, Key: node.Key()}).Begin(tenant.Session(t, &http.Client{Transport: protectiontest.Keyless{}}), nil, nil)
	kept := map[string]any{"metadata": map[string]any{"name": "safe", "size": 1, "encrypted": true}, protection.KeyDocument: keymanager.Key{Payload: []byte("sixteen bytes...")}}
	for key, document := range kept {
		if err := call.Documents.CreateJSON(t.Context(), key, document); err != nil {
			t.Fatal(err)
		}
	}
	writer, err := call.Data.Create(t.Context(), "data")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write([]byte("ciphertext")); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, hooks := tenant.Inventory(t), p.Hooks(karbor.RestoreOperation, karbor.VolumeType)
	if err := hooks.Main(t.Context(), call); err == nil || karbor.KindOf(err) != karbor.NotImplemented {
		t.Errorf("the restore gives %v", err)
	}
	if err := protection.Undo(t.Context(), hooks.Undo, call); err != nil {
		t.Errorf("undoing it: %v", err)
	}
	if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}
