package application

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPropertiesThatDifferAreGoneOrNewAreTold(t *testing.T) {
	before, after := Properties{}, Properties{}
	before.set("network", "mtu", 1400)
	before.set("network", "shared", false)
	after.set("network", "mtu", 1500)
	after.set("network", "name", "n")
	want := []string{"network: mtu: 1400 became 1500", `network: name: "n" is new`, "network: shared: false is gone"}
	if diff := cmp.Diff(want, before.Differences(after)); diff != "" {
		t.Error(diff)
	}
	if got := before.Differences(before); len(got) != 0 {
		t.Errorf("a picture differs from itself: %v", got)
	}
}

func TestKarborsOwnMarksAreNoProperties(t *testing.T) {
	p := Properties{}
	p.tags("port", document{"tags": []any{"front", "karbor-id-1", "demo"}})
	p.set("volume", "metadata", withoutMarks(document{"role": "data", "karbor_resource_id": "1", "readonly": "True"}, "readonly"))
	if diff := cmp.Diff(Properties{"port: tags": `["demo","front"]`, "volume: metadata": `{"role":"data"}`}, p); diff != "" {
		t.Error(diff)
	}
}
