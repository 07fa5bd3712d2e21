package noop_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/noop"
	"github.com/karbor/karbor/protection/protectiontest"
)

func TestEveryTypeCostsNothing(t *testing.T) {
	p, err := noop.Plugin.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(karbor.ResourceTypes(), p.Types()); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	for _, r := range p.Types() {
		protectiontest.Idle(t, p, r)
	}
}
