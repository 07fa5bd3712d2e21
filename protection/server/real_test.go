//go:build openstack

package server_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestOpenStackServerComesBack(t *testing.T) {
	protectiontest.RealTenant(t)
	s := newSite(t)
	protectiontest.Life(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(t *testing.T) protectiontest.Source { return s.source(t, false) },
	})
}
