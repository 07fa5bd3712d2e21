package protection_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

func TestTagsOfWhatStaysSayNothingOfTemporary(t *testing.T) {
	c := protection.Call{
		Owner: "o", Installation: "here", ProviderID: "p",
		Node: &karbor.Node{Resource: karbor.Resource{Type: karbor.ImageType, ID: "i"}, Role: "s"},
	}
	stays := map[string]string{protection.CheckpointTag: "o", protection.ResourceTag: "i@s"}
	if diff := cmp.Diff(stays, c.Tags()); diff != "" {
		t.Errorf("of what stays (-want +got):\n%s", diff)
	}
	goes := map[string]string{protection.CheckpointTag: "o", protection.ResourceTag: "i@s", protection.TemporaryTag: "here", protection.ProviderTag: "p"}
	if diff := cmp.Diff(goes, c.TemporaryTags()); diff != "" {
		t.Errorf("of what goes (-want +got):\n%s", diff)
	}
	if !c.Tagged(goes) || c.Name() != "karbor-o-i-s" {
		t.Errorf("it is not found again: %s", c.Name())
	}
	c.Drill = true
	if tags := c.Tags(); tags[protection.TemporaryTag] != "here" || tags[protection.ProviderTag] != "p" || tags[protection.DrillTag] == "" || !c.Tagged(stays) {
		t.Errorf("the tags of a drill are %v", tags)
	}
	c.Drill, c.Installation = false, ""
	if diff := cmp.Diff(stays, c.TemporaryTags()); diff != "" {
		t.Errorf("where nobody looks for what is left (-want +got):\n%s", diff)
	}
}

func TestTextOfWhatARestoreIsNotDoneWithTellsWhoseItIs(t *testing.T) {
	const restore = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	call := &protection.Call{Owner: restore, Installation: "here", Node: &karbor.Node{Resource: karbor.Resource{ID: "v"}, Role: "r"}}
	text := call.RestoringText(call.Name())
	if text != "karbor-restoring-here karbor-"+restore+"-v-r" {
		t.Errorf("it is %q", text)
	}
	if installation, owner, ok := protection.CutRestoring(text); installation != "here" || owner != restore || !ok {
		t.Errorf("it is taken for %q of %q, %v", owner, installation, ok)
	}
	if got := protection.Described(text); got != "" {
		t.Errorf("it is kept as %q", got)
	}
	for _, text := range []string{
		"", "the shop's", call.Name(), "karbor-restoring-", "karbor-restoring-here", "karbor-restoring-here karbor-" + restore,
		"karbor-restoring-here karbor-x-v", "karbor-restoring-here or-karbor-" + restore + "-v", "karbor-restoring- karbor-" + restore + "-v",
		"karbor-restoring-here and there karbor-" + restore + "-v", "of karbor-restoring-here karbor-" + restore + "-v",
	} {
		if _, _, ok := protection.CutRestoring(text); ok {
			t.Errorf("%q is taken for unfinished", text)
		}
		if got := protection.Described(text); got != text {
			t.Errorf("%q is kept as %q", text, got)
		}
	}
	call.Drill = true
	if got := call.RestoringText("x"); got != "x" {
		t.Errorf("in a drill it is %q", got)
	}
	call.Drill, call.Installation = false, ""
	if got := call.RestoringText("x"); got != "x" {
		t.Errorf("where nobody looks it is %q", got)
	}
}
