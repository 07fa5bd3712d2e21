package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

func TestOnlyADrillsServerSaysWhoseItIs(t *testing.T) {
	call := &protection.Call{Owner: "o", Installation: "i", Node: &karbor.Node{Resource: karbor.Resource{ID: "s"}}}
	own := []string{"karbor-o", "karbor-id-s"}
	if diff := cmp.Diff(own, madeTags(call)); diff != "" {
		t.Errorf("of a restore (-want +got):\n%s", diff)
	}
	call.Drill = true
	if diff := cmp.Diff(append(own, "karbor-drill-i"), madeTags(call)); diff != "" {
		t.Errorf("of a drill (-want +got):\n%s", diff)
	}
	call.Installation = ""
	if diff := cmp.Diff(own, madeTags(call)); diff != "" {
		t.Errorf("of a drill where nobody looks (-want +got):\n%s", diff)
	}
}
