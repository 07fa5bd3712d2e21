//go:build openstack

package volumesnapshot_test

import (
	"testing"

	"github.com/karbor/karbor/protection/protectiontest"
)

func TestOpenStackVolumeComesBackOfItsSnapshot(t *testing.T) {
	protectiontest.EachVolumeType(t, func(t *testing.T, tenant *protectiontest.Tenant) {
		c := caseOf(t, tenant, "{poll_interval: 1s, timeout: 10m}")
		c.Make = func(t *testing.T) protectiontest.Source {
			d := disk(t, tenant).Summed()
			d.Shared = tenant.VolumeType != "" // NFS, in the OpenStack of test/openstack
			return d.Source
		}
		protectiontest.Life(t, c)
	})
}
