package server_test

import (
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

// serverIn is a server of an image in one of the cloud's zones.
func (s *site) serverIn(t *testing.T, z protectiontest.Zoned) protectiontest.Source {
	t.Helper()
	n := s.tenant
	id := text(n.Make(t, "compute", "servers", "server", map[string]any{"name": "shop", "flavorRef": "1", "imageRef": s.image,
		"networks": []any{map[string]any{"uuid": s.network}}, "availability_zone": z.Was}), "id")
	n.Await(t, "compute", "servers/"+id, "server", "ACTIVE")
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.ServerType, ID: id, Name: "shop"}, "")
	image := g.Add(karbor.Resource{Type: karbor.ImageType, ID: s.image, Name: "base"}, id)
	g.Connect(node, image)
	return protectiontest.Source{
		Graph: g, Key: node.Key(), Restore: z.Restore,
		Destroy: func(t *testing.T) { n.Remove(t, "compute", "servers/"+id, "server") },
		Children: func(*testing.T) (protectiontest.Restored, func(t *testing.T)) {
			return protectiontest.Restored{Nodes: map[karbor.NodeKey]string{image.Key(): s.image}}, nil
		},
		Check: func(t *testing.T, restored protectiontest.Restored) {
			if now := n.Show(t, "compute", "servers/"+restored.ID, "server"); now["OS-EXT-AZ:availability_zone"] != z.Want {
				t.Errorf("the server of the zone %s is restored in %v; want %s", z.Was, now["OS-EXT-AZ:availability_zone"], z.Want)
			}
			if owner := s.portOf(t, restored.ID)["device_owner"]; owner != "compute:"+z.Want {
				t.Errorf("its port is owned by %v", owner)
			}
			z.Told(t, restored)
		},
	}
}

func TestServerComesBackInTheZoneThatIsAskedFor(t *testing.T) {
	for name, z := range protectiontest.Zoneds() {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			protectiontest.RoundTrip(t, protectiontest.Case{
				Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
				Make: func(t *testing.T) protectiontest.Source { return s.serverIn(t, z) },
			})
		})
	}
}

// TestServerAndItsVolumeNeedNotBeInOneZone has the disk that the server gets be where the server was.
func TestServerAndItsVolumeNeedNotBeInOneZone(t *testing.T) {
	s := newSite(t)
	source := s.source(t, false)
	source.Restore = map[string]any{"restore_availability_zones": map[string]any{"nova": "north"}}
	source.Check = func(t *testing.T, restored protectiontest.Restored) {
		there, _ := s.tenant.Do(t, "compute", http.MethodGet, "servers/"+restored.ID+"/os-volume_attachments", nil)["volumeAttachments"].([]any)
		now := s.tenant.Show(t, "compute", "servers/"+restored.ID, "server")
		if now["OS-EXT-AZ:availability_zone"] != "north" || len(there) != 1 {
			t.Errorf("the server is in %v, with the volumes %v", now["OS-EXT-AZ:availability_zone"], there)
		}
	}
	protectiontest.RoundTrip(t, protectiontest.Case{
		Plugin: open(t), Type: karbor.ServerType, Session: s.tenant.Session, Inventory: s.tenant.Inventory,
		Make: func(*testing.T) protectiontest.Source { return source },
	})
}
