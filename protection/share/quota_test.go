package share_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// limit gives the tenant's project other quotas of Manila, of all shares, or of one type's if kind is not "".
func limit(t *testing.T, tenant *protectiontest.Tenant, kind string, quotas map[string]any) {
	t.Helper()
	admin := *tenant
	admin.Cloud = tenant.Admin(t, http.DefaultClient)
	path := "quota-sets/" + tenant.Cloud.ProjectID()
	if kind != "" {
		path += "?share_type=" + kind
	}
	admin.Do(t, "share", http.MethodPut, path, map[string]any{"quota_set": quotas})
	tenant.Afterwards(t, func() { admin.Do(t, "share", http.MethodDelete, path, nil) })
}

// protectedFiles gives a share of 2 GiB with a checkpoint, and what its restores begin with.
func protectedFiles(t *testing.T, tenant *protectiontest.Tenant) (s *protectiontest.Single, p protection.Plugin, kind string) {
	t.Helper()
	p, kind = open(t, quick), fitType(t, tenant)
	s = protectiontest.NewSingle(p, newFiles(t, tenant, map[string]any{"size": 2}).source)
	if err := protect(t, s, p, s.Begin(tenant.Cloud, nil, nil)); err != nil {
		t.Fatal(err)
	}
	return s, p, kind
}

func TestLookAheadTellsWhatTheShareWillUse(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	s, _, kind := protectedFiles(t, tenant)
	f := s.LookAhead(t, s.Begin(tenant.Cloud, nil, nil))
	want := map[protection.Need]int64{
		protection.NeedShares: 1, protection.NeedShareGigabytes: 2,
		protection.NeedShares.OfShareType(kind): 1, protection.NeedShareGigabytes.OfShareType(kind): 2,
	}
	if diff := cmp.Diff(want, f.Needs); diff != "" || len(f.Findings) > 0 {
		t.Errorf("findings %v; needs (-want +got):\n%s", f.Findings, diff)
	}
}

func TestLookAheadAtProtectTellsWhatTheSnapshotWillUse(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	kind := fitType(t, tenant)
	s := protectiontest.NewSingle(p, newFiles(t, tenant, map[string]any{"size": 2}).source)
	look := func() *protection.Forecast {
		t.Helper()
		f, err := p.Hooks(karbor.Protect, karbor.ShareType).Preflight(t.Context(), s.Begin(tenant.Cloud, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := look()
	want := map[protection.Need]int64{
		protection.NeedShareSnapshots: 1, protection.NeedShareSnapshotGigabytes: 2,
		protection.NeedShareSnapshots.OfShareType(kind): 1, protection.NeedShareSnapshotGigabytes.OfShareType(kind): 2,
	}
	if diff := cmp.Diff(want, f.Needs); diff != "" || len(f.Findings) > 0 {
		t.Errorf("findings %v; needs (-want +got):\n%s", f.Findings, diff)
	}
	tenant.Fault(t, fabric.Fault{Service: "manila", Path: "/shares/[^/]+$", Status: http.StatusNotFound, Message: "The resource could not be found."})
	if got := protectiontest.Errors(look()); len(got) != 1 || !strings.Contains(got[0], "reading share") {
		t.Errorf("of a share that is gone: %q", got)
	}
}

func TestLookAheadAtProtectTellsThatAShareCannotBeProtected(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	for kind, want := range map[string]string{"plain": "has no snapshots", "frozen": "makes no new shares of snapshots"} {
		s := protectiontest.NewSingle(p, newFiles(t, tenant, map[string]any{"share_type": kind}).source)
		f, err := p.Hooks(karbor.Protect, karbor.ShareType).Preflight(t.Context(), s.Begin(tenant.Cloud, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := protectiontest.Errors(f); len(got) != 1 || !strings.Contains(got[0], want) || len(f.Needs) > 0 {
			t.Errorf("of a share of the type %s: %q, and it needs %v", kind, got, f.Needs)
		}
	}
}

// TestLookAheadLeavesTheQuotasToTheOneThatCounts has a Manila that can't tell quotas: they are asked for once for all
// shares, and not by the look ahead at each.
func TestLookAheadLeavesTheQuotasToTheOneThatCounts(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	s, p, _ := protectedFiles(t, tenant)
	limit(t, tenant, "", map[string]any{"per_share_gigabytes": 1})
	tenant.Fault(t, fabric.Fault{Service: "manila", Path: "/quota-sets/|/limits$", Status: http.StatusBadRequest, Message: "Not so."})
	f := s.LookAhead(t, s.Begin(tenant.Cloud, nil, nil))
	if diff := cmp.Diff(map[protection.Need]int64{protection.NeedShareSize: 2}, f.Sizes); diff != "" || len(f.Findings) > 0 {
		t.Errorf("it finds %v; sizes (-want +got):\n%s", f.Findings, diff)
	}
	err := s.Run(t, p.Hooks(karbor.RestoreOperation, karbor.ShareType).Main, s.Begin(tenant.Cloud, nil, nil))
	protectiontest.ExpectRefusal(t, err, karbor.OverLimit, "larger than maximum allowed limit")
}

// TestRefusalForAQuotaSaysWhichAndHowMuchIsLeft has quotas that are used up, of all shares and of their type.
func TestRefusalForAQuotaSaysWhichAndHowMuchIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		op     karbor.OperationType
		ofType bool
		quotas map[string]any
		want   string
	}{
		"snapshots": {karbor.Protect, false, map[string]any{"snapshots": 1},
			`the quota "snapshots" of the shared file systems does not suffice: the snapshot needs 1, and 0 of 1 are left`},
		"gigabytes of snapshots": {karbor.Protect, false, map[string]any{"snapshot_gigabytes": 3},
			`the quota "snapshot_gigabytes" does not suffice: the snapshot needs 2, and 1 of 3 are left`},
		"snapshots of the type": {karbor.Protect, true, map[string]any{"snapshots": 1},
			`the quota "snapshots" of the shared file systems for the share type `},
		"shares": {karbor.RestoreOperation, false, map[string]any{"shares": 1},
			`the quota "shares" does not suffice: the share needs 1, and 0 of 1 are left`},
		"gigabytes": {karbor.RestoreOperation, false, map[string]any{"gigabytes": 3},
			`the quota "gigabytes" of the shared file systems does not suffice: the share needs 2, and 1 of 3 are left`},
		"gigabytes of the type": {karbor.RestoreOperation, true, map[string]any{"gigabytes": 2},
			`the quota "gigabytes" of the shared file systems for the share type `},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := protectiontest.NewTenant(t)
			s, p, kind := protectedFiles(t, tenant)
			if !c.ofType {
				kind = ""
			}
			limit(t, tenant, kind, c.quotas)
			call := s.Begin(tenant.Cloud, nil, nil)
			hooks := p.Hooks(c.op, karbor.ShareType)
			run := hooks.Main
			if c.op == karbor.Protect {
				run = hooks.PrepareFinish
			}
			err := s.Run(t, run, call)
			protectiontest.ExpectRefusal(t, err, karbor.OverLimit, c.want, "have the quota raised")
			before := maps.Clone(c.quotas)
			for quota := range before {
				before[quota] = 50
			}
			limit(t, tenant, kind, before)
			call = s.Begin(tenant.Cloud, nil, nil)
			if err := s.Run(t, run, call); err != nil {
				t.Errorf("with enough of it: %v", err)
			}
			if err := s.Run(t, hooks.Undo, call); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRefusalForAQuotaThatIsNotToldStays(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	s, p, _ := protectedFiles(t, tenant)
	limit(t, tenant, "", map[string]any{"snapshots": 1})
	tenant.Fault(t, fabric.Fault{Service: "manila", Path: "/limits$", Status: http.StatusForbidden})
	tenant.Fault(t, fabric.Fault{Service: "manila", Path: "/quota-sets/", Status: http.StatusForbidden})
	err := s.Run(t, p.Hooks(karbor.Protect, karbor.ShareType).PrepareFinish, s.Begin(tenant.Cloud, nil, nil))
	protectiontest.ExpectRefusal(t, err, karbor.OverLimit, "Maximum number of snapshots")
	if strings.Contains(karbor.Sentence(err), "does not suffice") {
		t.Errorf("got %v", err)
	}
}

// TestSeveralSharesCountTogether sums up what two restored shares need, as a look ahead does.
func TestSeveralSharesCountTogether(t *testing.T) {
	tenant := protectiontest.NewTenant(t)
	sum := map[protection.Need]int64{}
	kind := ""
	for range 2 {
		s, _, of := protectedFiles(t, tenant)
		kind = of
		for need, amount := range s.LookAhead(t, s.Begin(tenant.Cloud, nil, nil)).Needs {
			sum[need] += amount
		}
	}
	look := func() []string {
		t.Helper()
		found, err := openstack.Shortages(t.Context(), tenant.Cloud, "the restore", sum)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := look(); len(found) > 0 {
		t.Errorf("of enough: %q", found)
	}
	limit(t, tenant, "", map[string]any{"shares": 3, "gigabytes": 8})
	limit(t, tenant, kind, map[string]any{"gigabytes": 7})
	want := []string{
		`the quota "gigabytes" of the shared file systems for the share type "` + kind + `" does not suffice: the restore needs 4, and 3 of 7 are left`,
		`the quota "shares" does not suffice: the restore needs 2, and 1 of 3 are left`,
	}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
