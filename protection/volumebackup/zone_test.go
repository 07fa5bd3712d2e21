package volumebackup_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestVolumeComesBackInTheZoneThatIsAskedFor(t *testing.T) {
	tenant := protectiontest.NewTenant(t, protectiontest.SmallVolumes)
	protectiontest.VolumeZones(t, tenant, protectiontest.Case{
		Plugin: open(t, quick), Type: karbor.VolumeType, Session: tenant.Session, Inventory: tenant.Inventory, Installation: "here", Keeps: 1,
	})
}
