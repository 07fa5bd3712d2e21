//go:build openstack

package volumebackup_test

import (
	"testing"

	"github.com/karbor/karbor/protection/protectiontest"
)

func TestOpenStackVolumeComesBackOfItsBackup(t *testing.T) {
	protectiontest.Life(t, caseOf(t, protectiontest.RealTenant(t), "{poll_interval: 1s, timeout: 10m}"))
}
