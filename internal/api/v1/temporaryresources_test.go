package v1_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
	"github.com/karbor/karbor/protection"
)

// v16 asks for microversion 1.6.
const v16 = "OpenStack-API-Version: data-protect 1.6"

// holds has an operation of a project's hold something, and gives it.
func (w *world) holds(t *testing.T, project string, key karbor.NodeKey, all ...protection.Holding) store.Operation {
	t.Helper()
	accepted := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint(project))
	if err := w.store.Accept(t.Context(), accepted); err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		if err := w.store.Hold(t.Context(), accepted.Operation.ID, key, h); err != nil {
			t.Fatal(err)
		}
	}
	return accepted.Operation
}

// temporaryItems gives a call of every route of temporary resources, for who has some.
func (w *world) temporaryItems(t *testing.T, token string) []item {
	t.Helper()
	project := ours
	if token == "stranger" {
		project = theirs
	}
	w.holds(t, project, "volume/v", protection.Holding{Kind: protection.HeldVolume, ID: "v"})
	return []item{
		{method: "GET", path: "/temporary_resources", header: v16},
		{method: "GET", path: "/temporary_resources/usage", header: v16},
	}
}

func TestTheLedgerTellsWhatAnOperationHoldsAndWhatItHasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := karbor.MakeNodeKey(karbor.Resource{Type: karbor.ImageType, ID: "i-1"}, "s-1")
	op := w.holds(t, ours, key, protection.Holding{Kind: protection.HeldSnapshot, ID: "snap", GiB: 2}, protection.Holding{Kind: protection.HeldImage, ID: "img"})
	usage := func(token, query string, snapshots, images float64) {
		t.Helper()
		a := w.call(t, token, "GET", "/temporary_resources/usage"+query, "", v16).want(t, 200)
		if a.get("usage.snapshots.number") != snapshots || a.get("usage.images.number") != images || a.get("usage.volumes.number") != 0.0 {
			t.Errorf("%s%s is told %s", token, query, a.text)
		}
	}
	rows := func(token, query string) []any {
		t.Helper()
		return w.call(t, token, "GET", "/temporary_resources"+query, "", v16).want(t, 200).get("temporary_resources").([]any)
	}
	usage("member", "", 1, 1)
	usage("member", "?operation_id="+op.ID, 1, 1)
	usage("stranger", "", 0, 0)
	usage("stranger", "?operation_id="+op.ID, 0, 0)
	for _, query := range []string{"?operation_id=" + op.ID, "?all_tenants=1", "?all_tenants=true&project_id=" + ours} {
		if got := rows("stranger", query); len(got) != 0 {
			t.Errorf("by %s another project sees %v", query, got)
		}
	}
	if err := w.store.Release(t.Context(), op.ID, protection.HeldSnapshot, "snap"); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"": 2, "?status=held": 1, "?status=released": 1, "?type=image": 1, "?checkpoint_id=" + unknown: 0, "?limit=1": 1} {
		if got := rows("reader", query); len(got) != want {
			t.Errorf("%q lists %v", query, got)
		}
	}
	w.call(t, "reader", "GET", "/temporary_resources?status=gone", "", v16).want(t, 400, "badRequest", "status")
	w.call(t, "reader", "GET", "/temporary_resources?type=volumes", "", v16).want(t, 400, "badRequest", "type")
	err := w.store.EndOperation(t.Context(), op.ID, store.Outcome{LogStatus: karbor.LogError, Left: map[karbor.NodeKey]string{key: "it is locked"}})
	if err != nil {
		t.Fatal(err)
	}
	got := rows("member", "?type=image")[0].(map[string]any)
	if got["status"] != "left" || got["reason"] != "it is locked" || got["resource"] != "OS::Glance::Image#i-1" || got["size"] != nil ||
		got["cloud_id"] != "img" || got["released_at"] != nil || got["operation_id"] != op.ID {
		t.Errorf("what is left is told as %v", got)
	}
	got = rows("member", "?type=snapshot")[0].(map[string]any)
	if got["status"] != "released" || got["size"] != 2.0 || got["released_at"] == nil {
		t.Errorf("what is gone is told as %v", got)
	}
	w.call(t, "member", "GET", "/temporary_resources", "", v15).want(t, 404)
}
