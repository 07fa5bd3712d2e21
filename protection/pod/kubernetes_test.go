//go:build kubernetes

package pod_test

import (
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestKubernetesPodComesBack(t *testing.T) {
	if !cloudtest.RealCluster() {
		t.Fatal("KARBOR_KUBERNETES names no folder with the programs of a cluster")
	}
	s := newSite(t)
	protectiontest.Life(t, protectiontest.Case{
		Plugin: open(t, quick, local), Type: karbor.PodType, Markless: everything, Session: s.tenant.Session,
		Inventory: func(*testing.T) []string { return s.Inventory() },
		Transport: s.Transport(),
		Make:      func(t *testing.T) protectiontest.Source { return s.source(t, nil) },
	})
}
