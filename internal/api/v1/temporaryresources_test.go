package v1_test

import (
	"strings"
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

func TestTheLedgerTellsWhatDrillsMakeToWhoKnowsOfIt(t *testing.T) {
	t.Parallel()
	const v17, v18 = "OpenStack-API-Version: data-protect 1.7", "OpenStack-API-Version: data-protect 1.8"
	w := newWorld(t)
	key := karbor.MakeNodeKey(karbor.Resource{Type: karbor.ServerType, ID: "s-1"}, "")
	op := w.holds(t, ours, key,
		protection.Holding{Kind: protection.HeldVolume, ID: "vol", GiB: 2},
		protection.Holding{Kind: protection.HeldVolume, ID: "drilled", GiB: 3, Drill: true, Asked: "volume"},
		protection.Holding{Kind: protection.HeldServer, Drill: true, Asked: "server"},
		protection.Holding{Kind: protection.HeldFloatingIP, ID: "fip", Drill: true})
	rows := func(version, query string) []any {
		t.Helper()
		return w.call(t, "member", "GET", "/temporary_resources"+query, "", version).want(t, 200).get("temporary_resources").([]any)
	}
	for _, c := range []struct {
		version, query string
		want           int
	}{
		{v17, "", 1}, {v17, "?type=volume", 1}, {v18, "", 4}, {v18, "?type=volume", 2}, {v18, "?type=server", 1}, {v18, "?type=floatingip", 1},
		{v18, "?type=network", 0}, {v18, "?status=held", 4}, {v18, "?status=released", 0},
	} {
		if got := rows(c.version, c.query); len(got) != c.want {
			t.Errorf("%s lists %v by %q", c.version, got, c.query)
		}
	}
	w.call(t, "member", "GET", "/temporary_resources?type=server", "", v17).want(t, 400, "badRequest", "type")
	w.call(t, "member", "GET", "/temporary_resources?type=servers", "", v18).want(t, 400, "badRequest", "type", "floatingip")
	got := rows(v18, "?type=server")[0].(map[string]any)
	if got["status"] != "asked" || got["cloud_id"] != nil || got["resource"] != "OS::Nova::Server#s-1" || got["released_at"] != nil {
		t.Errorf("what the cloud is asked for is told as %v", got)
	}
	usage := func(version string) answer {
		t.Helper()
		return w.call(t, "member", "GET", "/temporary_resources/usage", "", version).want(t, 200)
	}
	if a := usage(v17); a.get("usage.volumes.number") != 1.0 || strings.Contains(a.text, "servers") {
		t.Errorf("who knows nothing of drills is told %s", a.text)
	}
	a := usage(v18)
	for member, want := range map[string]float64{
		"volumes.number": 2, "volumes.gigabytes": 5, "servers.number": 1, "floatingips.number": 1, "networks.number": 0, "security_groups.number": 0,
	} {
		if a.get("usage."+member) != want {
			t.Errorf("%s: %s", member, a.text)
		}
	}
	if err := w.store.ReleaseDrilled(t.Context(), op.ID, key); err != nil {
		t.Fatal(err)
	}
	if a := usage(v18); a.get("usage.volumes.number") != 1.0 || a.get("usage.servers.number") != 0.0 {
		t.Errorf("behind the drill there is %s", a.text)
	}
	if got := rows(v18, "?status=released"); len(got) != 3 {
		t.Errorf("behind the drill there was %v", got)
	}
}
