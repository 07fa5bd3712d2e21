//go:build openstack

package volumesnapshot_test

import (
	"testing"

	"github.com/karbor/karbor/protection/protectiontest"
)

func TestOpenStackVolumeComesBackOfItsSnapshot(t *testing.T) {
	protectiontest.Life(t, caseOf(t, protectiontest.RealTenant(t), "{poll_interval: 1s, timeout: 10m}"))
}
