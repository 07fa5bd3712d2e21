package janitor

import (
	"encoding/json"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor/protection"
)

func TestAnImageOfADrillIsUsedIfNovaHasMadeIt(t *testing.T) {
	for name, c := range map[string]struct {
		property, value string
		temporary       bool // made by no drill
		used            bool
	}{
		"restored":                      {property: "os_distro", value: "debian"},
		"of a server from an image":     {property: "base_image_ref", value: volume, used: true},
		"of a server":                   {property: "instance_uuid", value: volume, used: true},
		"a snapshot":                    {property: "image_type", value: "snapshot", used: true},
		"of a server from a volume":     {property: "base_image_ref", value: "", used: true},
		"of the volumes of a server":    {property: "block_device_mapping", value: "[]", used: true},
		"of a protect, and so Karbor's": {property: "image_type", value: "snapshot", temporary: true},
	} {
		t.Run(name, func(t *testing.T) {
			properties := map[string]any{protection.TemporaryTag: ours, protection.CheckpointTag: someone, c.property: c.value}
			if !c.temporary {
				properties[protection.DrillTag] = "true"
			}
			if got := ofImage(&images.Image{Properties: properties}); got.Used != "" != c.used {
				t.Errorf("it is used as %q", got.Used)
			}
		})
	}
}

func TestAFloatingAddressThatForwardsPortsIsUsed(t *testing.T) {
	got := administration{}.associated(t.Context(), nil, networked{PortForwardings: []json.RawMessage{[]byte("{}")}})
	if got != "it forwards ports" {
		t.Errorf("it is used as %q", got)
	}
}

func TestAHalfMadeServerThatHasVolumesIsUsed(t *testing.T) {
	with := []servers.AttachedVolume{{ID: volume}}
	for name, c := range map[string]struct {
		mark    string
		volumes []servers.AttachedVolume
		used    bool
	}{
		"of a restore, with volumes": {protection.RestoringMark(ours), with, true},
		"of a restore, without":      {protection.RestoringMark(ours), nil, false},
		"of a drill, with volumes":   {protection.DrillMark(ours), with, false}, // which are the drill's
	} {
		t.Run(name, func(t *testing.T) {
			if got := ofServer(&servers.Server{Tags: &[]string{c.mark}, AttachedVolumes: c.volumes}); got.Used != "" != c.used {
				t.Errorf("it is used as %q", got.Used)
			}
		})
	}
}

func TestAServerThatItsTenantHasLockedIsUsed(t *testing.T) {
	yes, no := true, false
	for name, c := range map[string]struct {
		locked *bool
		want   string
	}{"locked": {&yes, "it is locked"}, "unlocked": {&no, ""}, "of an old Nova": {nil, ""}} {
		t.Run(name, func(t *testing.T) {
			for _, tags := range []*[]string{nil, {protection.DrillMark(ours)}} {
				if got := ofServer(&servers.Server{Locked: c.locked, Tags: tags}); got.Used != c.want {
					t.Errorf("it is used as %q, want %q", got.Used, c.want)
				}
			}
		})
	}
}
