package server

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

func TestAServerSaysWhoseItIsUntilItIsWhole(t *testing.T) {
	call := &protection.Call{Owner: "o", Installation: "i", Node: &karbor.Node{Resource: karbor.Resource{ID: "s"}}}
	own := []string{"karbor-o", "karbor-id-s"}
	if diff := cmp.Diff(append(slices.Clone(own), "karbor-restoring-i"), madeTags(call)); diff != "" {
		t.Errorf("of a restore (-want +got):\n%s", diff)
	}
	call.Drill = true
	if diff := cmp.Diff(append(slices.Clone(own), "karbor-drill-i"), madeTags(call)); diff != "" {
		t.Errorf("of a drill (-want +got):\n%s", diff)
	}
	call.Installation = ""
	if diff := cmp.Diff(own, madeTags(call)); diff != "" {
		t.Errorf("of a drill where nobody looks (-want +got):\n%s", diff)
	}
}
