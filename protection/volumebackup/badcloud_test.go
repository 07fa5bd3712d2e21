package volumebackup_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

// TestBackupIsFullWhereTheOneBeforeItGoesAtTheLastMoment removes what an incremental backup was to stand on when
// that is decided, and not asked for yet.
func TestBackupIsFullWhereTheOneBeforeItGoesAtTheLastMoment(t *testing.T) {
	tenant, p, way := protectiontest.NewTenant(t), open(t, quick), &protectiontest.Meanwhile{}
	d := disk(t, tenant)
	begin(t, tenant, p, d).mustProtect(t, "full")
	second := begin(t, tenant, p, d)
	second.tenant = tenant.Through(t, &http.Client{Transport: way})
	way.Before(t, http.MethodPost, "/backups$", func() { d.RemoveMade(t, "backups") })
	second.mustProtect(t, "incremental")
	if told := second.Result().NotKept; len(told) != 1 || !strings.Contains(told[0], "a full one in place of an incremental one: the volume has no earlier one") {
		t.Errorf("the tenant is told %q", told)
	}
	if diff := cmp.Diff([]bool{false}, modes(t, d)); diff != "" {
		t.Errorf("which backups are incremental (-want +got):\n%s", diff)
	}
}

// vanishing has all things of a kind be deleted as soon as the one that is made is looked at.
func vanishing(t *testing.T, tenant *protectiontest.Tenant, way *protectiontest.Meanwhile, d *protectiontest.Disk, kind string) {
	t.Helper()
	way.Before(t, http.MethodGet, "/"+kind+"/[0-9a-f-]{36}$", func() {
		for _, made := range d.Made(t, kind) {
			id, _ := made["id"].(string)
			tenant.Await(t, "volume", kind+"/"+id, strings.TrimSuffix(kind, "s"), "available")
		}
		d.RemoveMade(t, kind)
	})
}

func TestWhatVanishesWhileItIsMadeIsNamedAndNothingIsLeft(t *testing.T) {
	for kind, word := range map[string]string{"backups": "backup", "snapshots": "snapshot"} {
		t.Run(kind, func(t *testing.T) {
			tenant, way := protectiontest.NewTenant(t), &protectiontest.Meanwhile{}
			c := caseOf(t, tenant, quick)
			var made *protectiontest.Disk
			c.Make = func(t *testing.T) protectiontest.Source {
				made = disk(t, tenant)
				return made.Source
			}
			c.Transport = way
			err := protectiontest.Spoilt(t, c, karbor.Protect, func() { vanishing(t, tenant, way, made, kind) }, func() {})
			protectiontest.ExpectRefusal(t, err, karbor.NotFound, word, made.ID)
		})
	}
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	c := caseOf(t, protectiontest.NewTenant(t), quick)
	c.Transport = protectiontest.Doubling{}
	protectiontest.RoundTrip(t, c)
}
