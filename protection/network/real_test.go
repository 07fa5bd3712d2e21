//go:build openstack

package network_test

import (
	"testing"

	"github.com/karbor/karbor/protection/protectiontest"
)

func TestOpenStackNetworkComesBack(t *testing.T) {
	tenant := protectiontest.RealTenant(t)
	c := caseOf(t, tenant)
	c.Make = func(t *testing.T) protectiontest.Source {
		return source(t, tenant, func(w *town) string { return w.network })
	}
	protectiontest.Life(t, c)
}
