package volumebackup_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/testcloud/fabric"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
	"github.com/karbor/karbor/protection/volumebackup"
)

func open(t *testing.T, options string) protection.Plugin {
	t.Helper()
	file, err := parser.ParseBytes([]byte(options), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := volumebackup.Plugin.Open(t.Context(), file.Docs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const quick = "{poll_interval: 10ms, timeout: 2m}"

// disk makes a volume as a source for this plug-in.
func disk(t *testing.T, tenant *protectiontest.Tenant) *protectiontest.Disk {
	t.Helper()
	d := tenant.Disk(t)
	d.Source.Options = map[string]any{"backup_name": "nightly", "description": "made each night", "container": "nights"}
	d.Source.Lose = func(t *testing.T) { d.RemoveMade(t, "backups") }
	return d
}

func TestVolumeComesBackOfItsBackup(t *testing.T) {
	protectiontest.Run(t, caseOf(t, protectiontest.NewTenant(t), quick))
}

func caseOf(t *testing.T, tenant *protectiontest.Tenant, options string) protectiontest.Case {
	t.Helper()
	return protectiontest.Case{
		Plugin: open(t, options), Type: karbor.VolumeType, Session: tenant.Session, Inventory: tenant.Inventory, Installation: "here", Keeps: 1, ChangesOnly: true,
		Make: func(t *testing.T) protectiontest.Source { return disk(t, tenant).Source },
		// Cinder makes a volume of a backup with a name alone: it is the restore's until the tags are there.
		Markless: func(line string) bool {
			return strings.HasPrefix(line, "volumes ") && strings.Contains(line, " karbor-")
		},
	}
}

// checkpoint is a bank with one checkpoint of a volume.
type checkpoint struct {
	*protectiontest.Single
	tenant *protectiontest.Tenant
	plugin protection.Plugin
	owner  string
}

func begin(t *testing.T, tenant *protectiontest.Tenant, p protection.Plugin, from *protectiontest.Disk) *checkpoint {
	t.Helper()
	return &checkpoint{Single: protectiontest.NewSingle(p, from.Source), tenant: tenant, plugin: p}
}

// protect runs the hooks of protect.
func (c *checkpoint) protect(t *testing.T, parameters map[string]any) error {
	t.Helper()
	call, hooks := c.Begin(c.tenant.Cloud, nil, parameters), c.plugin.Hooks(karbor.Protect, karbor.VolumeType)
	c.owner = call.Owner
	if err := c.Run(t, hooks.PrepareFinish, call); err != nil {
		return err
	}
	return c.Run(t, hooks.Main, call)
}

func (c *checkpoint) mustProtect(t *testing.T, mode string) {
	t.Helper()
	if err := c.protect(t, map[string]any{"backup_mode": mode}); err != nil {
		t.Fatal(err)
	}
}

// remove runs the hook of delete.
func (c *checkpoint) remove(t *testing.T) error {
	t.Helper()
	call := c.Begin(c.tenant.Cloud, nil, nil)
	call.Owner = c.owner
	return c.Run(t, c.plugin.Hooks(karbor.Delete, karbor.VolumeType).Main, call)
}

func (c *checkpoint) restore(t *testing.T, parameters map[string]any) (*protection.Call, error) {
	t.Helper()
	call := c.Begin(c.tenant.Cloud, nil, parameters)
	return call, c.Run(t, c.plugin.Hooks(karbor.RestoreOperation, karbor.VolumeType).Main, call)
}

func modes(t *testing.T, d *protectiontest.Disk) []bool {
	t.Helper()
	made := d.Made(t, "backups")
	slices.SortFunc(made, func(a, b map[string]any) int {
		return strings.Compare(fmt.Sprint(a["data_timestamp"]), fmt.Sprint(b["data_timestamp"]))
	})
	var out []bool
	for _, b := range made {
		incremental, _ := b["is_incremental"].(bool)
		out = append(out, incremental)
	}
	return out
}

func TestIncrementalBackupStandsOnTheOneBeforeItAndIsFullWithout(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	first, second := begin(t, tenant, p, d), begin(t, tenant, p, d)
	first.mustProtect(t, "incremental")
	if told := first.Result().NotKept; len(told) != 1 || !strings.Contains(told[0], "a full one in place of an incremental one: the volume has no earlier one") {
		t.Errorf("the tenant is told %q", told)
	}
	second.mustProtect(t, "incremental")
	if told := second.Result().NotKept; len(told) != 0 {
		t.Errorf("the tenant is told %q", told)
	}
	if diff := cmp.Diff([]bool{false, true}, modes(t, d)); diff != "" {
		t.Errorf("which backups are incremental (-want +got):\n%s", diff)
	}
}

func TestVolumeThatHasGrownGetsAFullBackup(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	begin(t, tenant, p, d).mustProtect(t, "full")
	d.Act(t, "os-extend", map[string]any{"new_size": 2})
	tenant.Await(t, "volume", "volumes/"+d.ID, "volume", "available")
	c := begin(t, tenant, p, d)
	c.mustProtect(t, "incremental")
	if told := c.Result().NotKept; len(told) != 1 || !strings.Contains(told[0], "has grown") {
		t.Errorf("the tenant is told %q", told)
	}
}

func TestParentStaysUntilTheLastIncrementalBackupIsDeleted(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	var chain []*checkpoint
	for n := range 3 {
		c := begin(t, tenant, p, d)
		c.mustProtect(t, []string{"full", "incremental", "incremental"}[n])
		chain = append(chain, c)
	}
	// The oldest first, as a retention does it.
	for n, left := range []int{3, 3, 0} {
		if err := chain[n].remove(t); err != nil {
			t.Fatal(err)
		}
		if got := len(d.Made(t, "backups")); got != left {
			t.Errorf("after checkpoint %d went there are %d backups; want %d", n, got, left)
		}
	}
}

func TestBackupOfATenantIsNoneOfOurs(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	own := tenant.Make(t, "volume", "backups", "backup", map[string]any{"volume_id": d.ID, "name": "nightly"})
	tenant.Await(t, "volume", fmt.Sprintf("backups/%v", own["id"]), "backup", "available")
	c := begin(t, tenant, p, d)
	c.mustProtect(t, "full")
	if err := c.remove(t); err != nil {
		t.Fatal(err)
	}
	if left := d.Made(t, "backups"); len(left) != 1 || left[0]["id"] != own["id"] {
		t.Errorf("there are left: %v", left)
	}
}

func TestRestoreIntoAVolumeOverwritesItsBytesAndKeepsItsName(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	sum := tenant.Sum(t, d.ID)
	c := begin(t, tenant, p, d)
	c.mustProtect(t, "full")
	other := tenant.Make(t, "volume", "volumes", "volume", map[string]any{"name": "spare", "size": 2, "metadata": map[string]any{"tier": "tin"}})
	id := fmt.Sprint(other["id"])
	tenant.Await(t, "volume", "volumes/"+id, "volume", "available")
	call, err := c.restore(t, map[string]any{"volume_id": id})
	if err != nil || c.Result().ID != id {
		t.Fatalf("the new id is %q, %v", c.Result().ID, err)
	}
	now := tenant.Show(t, "volume", "volumes/"+id, "volume")
	metadata, _ := now["metadata"].(map[string]any)
	if now["name"] != "spare" || metadata["tier"] != "gold" || metadata[protection.CheckpointTag] != nil || now["bootable"] != "true" {
		t.Errorf("the volume is now %v", now)
	}
	// Undoing leaves a volume that is the tenant's.
	if err := c.Run(t, p.Hooks(karbor.RestoreOperation, karbor.VolumeType).Undo, call); err != nil {
		t.Fatal(err)
	}
	if tenant.Show(t, "volume", "volumes/"+id, "volume") == nil {
		t.Fatal("the tenant's volume was deleted")
	}
	if got := tenant.Sum(t, d.ID); got != sum {
		t.Error("the original's bytes have changed")
	}
}

func TestVolumeThatIsUnfitToRestoreIntoIsRefused(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	c := begin(t, tenant, p, d)
	c.mustProtect(t, "full")
	d.Act(t, "os-extend", map[string]any{"new_size": 2})
	tenant.Await(t, "volume", "volumes/"+d.ID, "volume", "available")
	large := begin(t, tenant, p, d)
	large.mustProtect(t, "full")
	small := tenant.Disk(t)
	used := tenant.Disk(t)
	used.Attach(t)
	for _, test := range []struct {
		from *checkpoint
		into string
		want string
		kind karbor.Kind
	}{
		{large, small.ID, "too small", karbor.Invalid},
		{c, used.ID, "detach it", karbor.Conflict},
		{c, karbor.NewID(), "there is no volume", karbor.NotFound},
	} {
		_, err := test.from.restore(t, map[string]any{"volume_id": test.into})
		if err == nil || karbor.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v; want %q", err, test.want)
		}
	}
}

func TestRestoreTakesTheAskedNameTypeAndZone(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	c := begin(t, tenant, p, disk(t, tenant))
	c.mustProtect(t, "full")
	asked := map[string]any{
		"restore_name": "new", "restore_description": "again", "restore_volume_types": map[string]any{"*": "multiattach"},
		"restore_availability_zones": map[string]any{"nova": "nova"},
	}
	if _, err := c.restore(t, asked); err != nil {
		t.Fatal(err)
	}
	now := tenant.Show(t, "volume", "volumes/"+c.Result().ID, "volume")
	if now["name"] != "new" || now["description"] != "again" || now["volume_type"] != "multiattach" || len(c.Result().Mapped) != 1 {
		t.Errorf("the volume is %v; mapped: %q", now, c.Result().Mapped)
	}
	asked["restore_volume_types"] = map[string]any{"*": "none"}
	if _, err := c.restore(t, asked); err == nil || karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("an unknown volume type gives %v", err)
	}
}

func TestRestoredBytesAreThoseOfTheBackup(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	sum := tenant.Sum(t, d.ID)
	c := begin(t, tenant, p, d)
	c.mustProtect(t, "full")
	d.Source.Destroy(t)
	if _, err := c.restore(t, nil); err != nil {
		t.Fatal(err)
	}
	if got := tenant.Sum(t, c.Result().ID); got != sum {
		t.Error("the restored volume has other bytes")
	}
}

func TestErrorsOfTheBackEndAreToldAndNothingIsLeft(t *testing.T) {
	for transition, want := range map[string]string{
		"snapshot.create": `went into state "error"`,
		"backup.create":   `went into state "error" in the cloud: The test cloud could not copy the volume.`,
	} {
		t.Run(transition, func(t *testing.T) {
			tenant, p := protectiontest.NewTenant(t), open(t, quick)
			c := begin(t, tenant, p, disk(t, tenant))
			before := tenant.Inventory(t)
			tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: transition, Fail: true})
			call, hooks := c.Begin(tenant.Cloud, nil, nil), p.Hooks(karbor.Protect, karbor.VolumeType)
			err := c.Run(t, hooks.PrepareFinish, call)
			if err == nil {
				err = c.Run(t, hooks.Main, call)
			}
			if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v; want %s", err, want)
			}
			if err := c.Run(t, hooks.Undo, call); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
				t.Errorf("it left (-before +now):\n%s", diff)
			}
		})
	}
}

func TestFailedRestoreIsToldAndTheVolumeGoes(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	c := begin(t, tenant, p, disk(t, tenant))
	c.mustProtect(t, "full")
	before := tenant.Inventory(t)
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "backup.restore", Fail: true})
	call, err := c.restore(t, nil)
	if err == nil || karbor.IsTransient(err) || !strings.Contains(err.Error(), `went into state "error_restoring"`) {
		t.Errorf("got %v", err)
	}
	if err := c.Run(t, p.Hooks(karbor.RestoreOperation, karbor.VolumeType).Undo, call); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tenant.Inventory(t)); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}

func TestBackupThatStaysInCreationEndsTheWait(t *testing.T) {
	tenant, way, p := protectiontest.NewTenant(t), &protectiontest.Pretending{}, open(t, "{poll_interval: 10ms, timeout: 7m}")
	c := begin(t, tenant, p, disk(t, tenant))
	c.tenant = tenant.Through(t, &http.Client{Transport: way})
	tenant.Fault(t, fabric.Fault{Service: "cinder", Transition: "backup.create", Delay: fabric.Duration(time.Hour)})
	way.Stay("/backups/", func(map[string]any) {})
	protectiontest.ExpectOvertime(t, c.protect(t, nil), "7m0s", "backup", `"creating"`)
}

func TestExhaustedQuotaIsToldAsSuch(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	c := begin(t, tenant, p, disk(t, tenant))
	tenant.Fault(t, fabric.Fault{Service: "cinder", Method: http.MethodPost, Path: "/backups$", Status: http.StatusRequestEntityTooLarge,
		Message: "BackupLimitExceeded: Maximum number of backups allowed (10) exceeded"})
	if err := c.protect(t, nil); err == nil || karbor.KindOf(err) != karbor.OverLimit || karbor.IsTransient(err) {
		t.Errorf("got %v", err)
	}
}

func TestCloudThatIsTooOldIsRefusedAtOnce(t *testing.T) {
	tenant, p := protectiontest.NewTenant(t), open(t, quick)
	d := disk(t, tenant)
	old := tenant.Session(t, &http.Client{Transport: oldCinder{http.DefaultTransport}})
	s := protectiontest.NewSingle(p, d.Source)
	err := s.Run(t, p.Hooks(karbor.Protect, karbor.VolumeType).PrepareFinish, s.Begin(old, nil, nil))
	if err == nil || karbor.KindOf(err) != karbor.NotImplemented {
		t.Errorf("got %v", err)
	}
}

// TestVolumeThatIsExtendedBeforeItsSnapshotIsTakenHasTheSnapshotsSize has a run before have described the volume.
func TestVolumeThatIsExtendedBeforeItsSnapshotIsTakenHasTheSnapshotsSize(t *testing.T) {
	protectiontest.Extended(t, open(t, quick), protectiontest.NewTenant(t))
}
