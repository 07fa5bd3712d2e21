package protectiontest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor"
)

// Zoned is a resource in one availability zone, and how it is restored.
type Zoned struct {
	// Was is the zone of the original, and Want that of the restored one.
	Was, Want string
	// Restore are the parameters of the restore.
	Restore map[string]any
}

// Zoneds are the ways between the two zones of the test cloud, and those of staying in one, by their names.
func Zoneds() map[string]Zoned {
	mapped := func(was, instead string) map[string]any {
		return map[string]any{"restore_availability_zones": map[string]any{was: instead}}
	}
	return map[string]Zoned{
		"from the default zone into another":  {"nova", "north", mapped("nova", "north")},
		"from any zone into the default one":  {"north", "nova", mapped("*", "nova")},
		"back into a zone that is not mapped": {"north", "north", mapped("nova", "nova")},
	}
}

// Told reports what the sentences for the tenant lack, or have too much, for a resource that is in the wanted zone.
func (z Zoned) Told(t *testing.T, restored Restored) {
	t.Helper()
	speaks := func(of string) bool { return strings.Contains(of, "availability zone") }
	if told := slices.ContainsFunc(restored.Mapped, func(s string) bool { return speaks(s) && strings.Contains(s, z.Want) }); told != (z.Was != z.Want) {
		t.Errorf("from %s into %s, what was mapped is told as %q", z.Was, z.Want, restored.Mapped)
	}
	if slices.ContainsFunc(restored.NotKept, speaks) {
		t.Errorf("a zone that was asked for is told as lost: %q", restored.NotKept)
	}
}

// VolumeZones restores volumes in all these ways, and looks in the cloud where they are. The case is one of volumes of
// the tenant; its Make is not called.
func VolumeZones(t *testing.T, tenant *Tenant, c Case) {
	for name, z := range Zoneds() {
		t.Run(name, func(t *testing.T) {
			c.Make = func(t *testing.T) Source { return tenant.volumeIn(t, z) }
			RoundTrip(t, c)
		})
	}
}

func (n *Tenant) volumeIn(t *testing.T, z Zoned) Source {
	t.Helper()
	id := fmt.Sprint(n.Make(t, "volume", "volumes", "volume", map[string]any{"name": "disk", "size": 1, "availability_zone": z.Was})["id"])
	n.Await(t, "volume", "volumes/"+id, "volume", "available")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id, Name: "disk"}, "")
	return Source{
		Graph: g, Key: node.Key(), Restore: z.Restore,
		Destroy: func(t *testing.T) { n.Remove(t, "volume", "volumes/"+id, "volume") },
		Check: func(t *testing.T, restored Restored) {
			if now := n.Show(t, "volume", "volumes/"+restored.ID, "volume"); now["availability_zone"] != z.Want {
				t.Errorf("the volume of the zone %s is restored in %v; want %s", z.Was, now["availability_zone"], z.Want)
			}
			z.Told(t, restored)
		},
	}
}
