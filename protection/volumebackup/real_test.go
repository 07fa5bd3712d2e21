//go:build openstack

package volumebackup_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

const atRealPace = "{poll_interval: 1s, timeout: 10m}"

func TestOpenStackVolumeComesBackOfItsBackup(t *testing.T) {
	protectiontest.EachVolumeType(t, func(t *testing.T, tenant *protectiontest.Tenant) {
		c := caseOf(t, tenant, atRealPace)
		c.Make = func(t *testing.T) protectiontest.Source { return disk(t, tenant).Summed().Source }
		protectiontest.Life(t, c)
	})
}

// TestOpenStackVolumeOfAnotherTenantIsNotOverwritten names it as the volume to restore into.
func TestOpenStackVolumeOfAnotherTenantIsNotOverwritten(t *testing.T) {
	victim, thief, p := protectiontest.RealTenant(t), protectiontest.OtherTenant(t), open(t, atRealPace)
	theirs := disk(t, victim).Summed()
	before := victim.Inventory(t)
	own := begin(t, thief, p, disk(t, thief))
	own.mustProtect(t, "full")
	if _, err := own.restore(t, map[string]any{"volume_id": theirs.ID}); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("a restore into another tenant's volume gives %v", err)
	}
	stolen := begin(t, thief, p, theirs)
	if err := stolen.protect(t, nil); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("protecting another tenant's volume gives %v", err)
	}
	theirs.Check(t, protectiontest.Restored{ID: theirs.ID})
	if diff := cmp.Diff(before, victim.Inventory(t)); diff != "" {
		t.Errorf("the other tenant has other things (-before +now):\n%s", diff)
	}
}
