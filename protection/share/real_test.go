//go:build openstack

package share_test

import (
	"testing"

	"github.com/karbor/karbor/protection/protectiontest"
)

func TestOpenStackShareComesBackOfItsSnapshot(t *testing.T) {
	protectiontest.Life(t, caseOf(t, protectiontest.RealTenant(t), "{poll_interval: 1s, timeout: 10m}"))
}
