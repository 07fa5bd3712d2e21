package volumefreezer_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestVolumeComesBackInTheZoneThatIsAskedFor(t *testing.T) {
	s := site{protectiontest.NewTenant(t, protectiontest.SmallVolumes)}
	protectiontest.VolumeZones(t, s.Tenant, protectiontest.Case{
		Plugin: open(t, quick), Type: karbor.VolumeType, Session: s.Session, Inventory: s.inventory, Installation: "here", Keeps: 2,
	})
}
