//go:build openstack

package volumeglance_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/repositorytest"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestOpenStackVolumeComesBack(t *testing.T) {
	tenant := protectiontest.RealTenant(t)
	protectiontest.Life(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.VolumeType, Session: tenant.Session, Inventory: tenant.Inventory, Data: repositorytest.Kinds()["repository/1"],
		Make: func(t *testing.T) protectiontest.Source { return source(t, tenant) },
	})
}
