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
