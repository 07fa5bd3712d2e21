package share_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
	"github.com/karbor/karbor/protection/share"
)

func open(t *testing.T, options string) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte(options), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := share.Plugin.Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const quick = "{poll_interval: 10ms, timeout: 2m}"

// files is a share with access rules, as a source.
type files struct {
	id     string
	source protectiontest.Source
}

// properties gives what a restore keeps of a share.
func properties(t *testing.T, tenant *protectiontest.Tenant, id string) map[string]any {
	t.Helper()
	shown := tenant.Show(t, "share", "shares/"+id, "share")
	out := map[string]any{}
	for _, m := range []string{"name", "description", "size", "status", "share_proto", "share_type_name", "share_network_id", "availability_zone", "is_public"} {
		out[m] = shown[m]
	}
	own := map[string]any{}
	metadata, _ := shown["metadata"].(map[string]any)
	for k, v := range metadata {
		if !strings.HasPrefix(k, "karbor_") {
			own[k] = v
		}
	}
	out["metadata"] = own
	rules := []string{}
	list, _ := tenant.Do(t, "share", http.MethodGet, "share-access-rules?share_id="+id, nil)["access_list"].([]any)
	for _, one := range list {
		r, _ := one.(map[string]any)
		rules = append(rules, fmt.Sprintf("%v %v %v", r["access_type"], r["access_to"], r["access_level"]))
	}
	out["rules"] = rules
	return out
}

// newFiles makes a share of a type that can be restored of snapshots. It can't be
// destroyed as long as it has snapshots: then it is renamed.
func newFiles(t *testing.T, tenant *protectiontest.Tenant, members map[string]any) *files {
	t.Helper()
	ask := map[string]any{"name": "files", "description": "of the shop", "size": 1, "share_proto": "NFS",
		"share_type": fitType(t, tenant), "metadata": map[string]any{"tier": "gold", "karbor_resource_id": "earlier"}}
	maps.Copy(ask, members)
	made := tenant.Make(t, "share", "shares", "share", ask)
	f := &files{id: fmt.Sprint(made["id"])}
	path := "shares/" + f.id
	tenant.Await(t, "share", path, "share", "available")
	for to, level := range map[string]string{"192.0.2.0/24": "rw", "198.51.100.7": "ro"} {
		tenant.Do(t, "share", http.MethodPost, path+"/action", map[string]any{"allow_access": map[string]any{
			"access_type": "ip", "access_to": to, "access_level": level}})
	}
	tenant.Afterwards(t, func() {
		f.source.Lose(t)
		tenant.Remove(t, "share", path, "share")
	})
	original := properties(t, tenant, f.id)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ShareType, ID: f.id, Name: "files"}, "")
	snapshots := func(t *testing.T) []any {
		all, _ := tenant.Do(t, "share", http.MethodGet, "snapshots/detail?share_id="+f.id, nil)["snapshots"].([]any)
		return all
	}
	f.source = protectiontest.Source{
		Graph: g, Key: node.Key(), Options: map[string]any{"snapshot_name": "nightly", "description": "made each night"},
		Destroy: func(t *testing.T) {
			if len(snapshots(t)) == 0 {
				tenant.Remove(t, "share", path, "share")
				return
			}
			tenant.Do(t, "share", http.MethodPut, path, map[string]any{"share": map[string]any{"display_name": "spoilt", "display_description": ""}})
		},
		Lose: func(t *testing.T) {
			for _, s := range snapshots(t) {
				members, _ := s.(map[string]any)
				tenant.Remove(t, "share", fmt.Sprintf("snapshots/%v", members["id"]), "snapshot")
			}
		},
		Check: func(t *testing.T, restored protectiontest.Restored) {
			now := properties(t, tenant, restored.ID)
			less := cmp.Transformer("sorted", func(in []string) map[string]bool {
				out := map[string]bool{}
				for _, s := range in {
					out[s] = true
				}
				return out
			})
			if diff := cmp.Diff(original, now, less); diff != "" || len(restored.NotKept) > 0 {
				t.Errorf("not kept: %q; the restored share differs (-original +restored):\n%s", restored.NotKept, diff)
			}
		},
	}
	return f
}

// fitType gives the name of a share type that does all that is needed.
func fitType(t *testing.T, tenant *protectiontest.Tenant) string {
	t.Helper()
	types, _ := tenant.Do(t, "share", http.MethodGet, "types", nil)["share_types"].([]any)
	for _, one := range types {
		kind, _ := one.(map[string]any)
		specs, _ := kind["extra_specs"].(map[string]any)
		required, _ := kind["required_extra_specs"].(map[string]any)
		if fmt.Sprint(specs["create_share_from_snapshot_support"]) == "True" && fmt.Sprint(required["driver_handles_share_servers"]) == "False" {
			return fmt.Sprint(kind["name"])
		}
	}
	t.Fatal("the cloud has no share type that makes shares of snapshots")
	return ""
}

func TestShareComesBackOfItsSnapshot(t *testing.T) {
	protectiontest.Run(t, caseOf(t, protectiontest.NewTenant(t), quick))
}

func caseOf(t *testing.T, tenant *protectiontest.Tenant, options string) protectiontest.Case {
	t.Helper()
	return protectiontest.Case{
		Plugin: open(t, options), Type: karbor.ShareType, Session: tenant.Session, Inventory: tenant.Inventory, Keeps: 1,
		Make: func(t *testing.T) protectiontest.Source { return newFiles(t, tenant, nil).source },
	}
}

// protect runs the hooks of protect, up to the first that fails.
func protect(t *testing.T, s *protectiontest.Single, p protection.Plugin, call *protection.Call) error {
	t.Helper()
	hooks := p.Hooks(karbor.Protect, karbor.ShareType)
	if err := s.Run(t, hooks.PrepareFinish, call); err != nil {
		return err
	}
	return s.Run(t, hooks.Main, call)
}

func TestShareThatCouldNotBeRestoredIsRefused(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	for kind, want := range map[string]string{"plain": "has no snapshots", "frozen": "makes no new shares of snapshots"} {
		s := protectiontest.NewSingle(p, newFiles(t, tenant, map[string]any{"share_type": kind}).source)
		err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil))
		if err == nil || karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("a share of the type %s gives %v", kind, err)
		}
	}
}

func TestShareOnAShareNetworkComesBackOnIt(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	network := tenant.Make(t, "share", "share-networks", "share_network", map[string]any{
		"name": "files", "neutron_net_id": karbor.NewID(), "neutron_subnet_id": karbor.NewID()})
	f := newFiles(t, tenant, map[string]any{"share_type": "networked", "share_network_id": network["id"]})
	s := protectiontest.NewSingle(p, f.source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t, p.Hooks(karbor.RestoreOperation, karbor.ShareType).Main, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	f.source.Check(t, s.Result())
}

func TestAccessRuleThatTheCloudRefusesIsTold(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newFiles(t, tenant, nil).source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	tenant.Fault(t, fabric.Fault{Service: "manila", Method: http.MethodPost, Path: "/action$", Status: http.StatusBadRequest, Message: "Unsupported access."})
	if err := s.Run(t, p.Hooks(karbor.RestoreOperation, karbor.ShareType).Main, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	if told := s.Result().NotKept; len(told) != 2 || !strings.Contains(told[0], "The access rule for ip") {
		t.Errorf("the tenant is told %q", told)
	}
}

func TestErrorsOfTheBackEndAreToldAndNothingIsLeft(t *testing.T) {
	for _, test := range []struct {
		fault fabric.Fault
		want  string
		kind  karbor.Kind
	}{
		{fabric.Fault{Transition: "snapshot.create", Fail: true}, `went into state "error"`, karbor.Conflict},
		{fabric.Fault{Method: http.MethodPost, Path: "/snapshots$", Status: http.StatusRequestEntityTooLarge,
			Message: "SnapshotLimitExceeded: Maximum number of snapshots allowed exceeded."}, "Maximum number", karbor.OverLimit},
		{fabric.Fault{Method: http.MethodPost, Path: "/snapshots$", Status: http.StatusForbidden, Message: "Policy doesn't allow it."}, "Policy", karbor.Forbidden},
	} {
		t.Run(test.want, func(t *testing.T) {
			tenant, p := protectiontest.NewTenant(t), open(t, quick)
			s := protectiontest.NewSingle(p, newFiles(t, tenant, nil).source)
			before := tenant.Inventory(t)
			test.fault.Service = "manila"
			tenant.Fault(t, test.fault)
			call := s.Begin(tenant.Cloud, nil, nil)
			err := protect(t, s, p, call)
			if err == nil || karbor.IsTransient(err) || karbor.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %s", err, test.want)
			}
			if err := s.Run(t, p.Hooks(karbor.Protect, karbor.ShareType).Undo, call); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
				t.Errorf("it left (-before +now):\n%s", diff)
			}
		})
	}
}

func TestShareThatFailsInTheCloudEndsTheRestoreAndGoes(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newFiles(t, tenant, nil).source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	before := tenant.Inventory(t)
	tenant.Fault(t, fabric.Fault{Service: "manila", Transition: "share.create", Fail: true})
	call, hooks := s.Begin(tenant.Cloud, nil, nil), p.Hooks(karbor.RestoreOperation, karbor.ShareType)
	err := s.Run(t, hooks.Main, call)
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), `went into state "error"`) {
		t.Errorf("got %v", err)
	}
	if err := s.Run(t, hooks.Undo, call); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}

func TestSnapshotThatIsNeverReadyEndsTheWait(t *testing.T) {
	tenant, way, p := protectiontest.NewTenant(t), &protectiontest.Pretending{}, open(t, "{poll_interval: 10ms, timeout: 7m}")
	s := protectiontest.NewSingle(p, newFiles(t, tenant, nil).source)
	tenant.Fault(t, fabric.Fault{Service: "manila", Transition: "snapshot.create", Delay: fabric.Duration(time.Hour)})
	way.Stay("/snapshots/", func(map[string]any) {})
	err := protect(t, s, p, s.Begin(tenant.Session(t, &http.Client{Transport: way}), nil, nil))
	protectiontest.ExpectOvertime(t, err, "7m0s", "snapshot", `"creating"`)
}

func TestSnapshotThatCanNotBeDeletedIsTold(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	s := protectiontest.NewSingle(p, newFiles(t, tenant, nil).source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	tenant.Fault(t, fabric.Fault{Service: "manila", Transition: "snapshot.delete", Fail: true})
	err := s.Run(t, p.Hooks(karbor.Delete, karbor.ShareType).Main, s.Begin(tenant.Cloud, nil, nil))
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), "can't be deleted") {
		t.Errorf("got %v", err)
	}
}
