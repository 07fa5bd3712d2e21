package pod_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

const (
	cinderZone  = "topology.cinder.csi.openstack.org/zone"
	clusterZone = "topology.kubernetes.io/zone"
	there       = "zone-of-the-original"
	here        = "nova" // the simulated cloud's
)

func in(key string, values ...any) object {
	return object{"key": key, "operator": "In", "values": values}
}

// only is the affinity of a volume to nodes that any of some terms finds.
func only(terms ...[]any) object {
	list := []any{}
	for _, expressions := range terms {
		list = append(list, object{"matchExpressions": expressions})
	}
	return object{"required": object{"nodeSelectorTerms": list}}
}

// TestRestoredVolumeIsUsedWhereItIs has the persistent volume of the original be tied to the zone of its
// Cinder volume, as Cinder's CSI driver ties it. The scheduler puts no pod elsewhere.
func TestRestoredVolumeIsUsedWhereItIs(t *testing.T) {
	for name, c := range map[string]struct {
		was       string // the original's zone in Cinder, as the checkpoint has it
		labels    object
		affinity  object
		gone      bool // the new volume, before its persistent volume is made
		want      any
		wantLabel any
		told      bool
	}{
		"by the zone of the volume": {
			was: there, labels: object{clusterZone: there, "tier": "gold"}, affinity: only([]any{in(cinderZone, there)}),
			want: only([]any{in(cinderZone, here)}), wantLabel: here,
		},
		"by several zones and a region": {
			was: there, labels: object{clusterZone: there + "__b", "topology.kubernetes.io/region": "r"},
			affinity: only([]any{in(clusterZone, "b", there), in("topology.kubernetes.io/region", "r")}),
			want:     only([]any{in(clusterZone, here)}),
		},
		"by words of the tenant's own, too": {
			was: there, affinity: only([]any{in(cinderZone, there), in("disk", "fast")}),
			want: only([]any{in(cinderZone, here), in("disk", "fast")}),
		},
		"by zones that are not Cinder's": {
			was: "another", labels: object{clusterZone: there}, affinity: only([]any{in(clusterZone, there)}), told: true,
		},
		"by zones that are not Cinder's, and more": {
			was: "another", affinity: only([]any{in(clusterZone, there), in("disk", "fast")}),
			want: only([]any{in("disk", "fast")}), told: true,
		},
		"by one term out of several": {
			was: "another", affinity: only([]any{in(clusterZone, there)}, []any{in("disk", "fast")}), told: true,
		},
		"where the checkpoint does not say the zone": {affinity: only([]any{in(cinderZone, there)}), told: true},
		"where the new volume is gone":               {was: there, affinity: only([]any{in(cinderZone, there)}), gone: true, told: true},
		"by labels alone": {
			was: there, labels: object{clusterZone: there}, wantLabel: here,
		},
		"by a label alone that is not Cinder's": {was: "another", labels: object{clusterZone: there}, told: true},
		"by no zone":                            {was: there, affinity: only([]any{in("disk", "fast")}), want: only([]any{in("disk", "fast")})},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			p := open(t, quick, local)
			source := s.source(t, nil)
			pv := s.Get("persistentvolumes/pv-csi")
			spec, _ := pv["spec"].(object)
			if c.affinity != nil {
				spec["nodeAffinity"] = c.affinity
			}
			if c.labels != nil {
				pv["metadata"].(object)["labels"] = c.labels
			}
			s.Put("persistentvolumes/pv-csi", pv)
			original, _ := at(spec, "csi", "volumeHandle").(string)
			key := karbor.MakeNodeKey(karbor.Resource{Type: karbor.VolumeType, ID: original}, "")
			source.Graph.Node(key).ExtraInfo = map[string]string{"availability_zone": c.was}
			single := protectiontest.NewSingle(p, source)
			if err := protect(t, single, p, single.Begin(s.tenant.Cloud, nil, nil)); err != nil {
				t.Fatal(err)
			}
			s.clear()
			children, _ := source.Children(t)
			if !c.gone {
				made := s.tenant.Do(t, "volume", http.MethodPost, "volumes", object{"volume": object{"name": "restored", "size": 1}})
				children.Nodes[key] = fmt.Sprint(at(made, "volume", "id"))
			}
			call := single.Begin(s.tenant.Cloud, children.Nodes, nil)
			if err := single.Run(t, p.Hooks(karbor.RestoreOperation, karbor.PodType).Complete, call); err != nil {
				t.Fatal(err)
			}
			claim := s.Get("namespaces/shop/persistentvolumeclaims/csi")
			now := s.Get(fmt.Sprintf("persistentvolumes/%v", at(claim, "spec", "volumeName")))
			if diff := cmp.Diff(c.want, at(now, "spec", "nodeAffinity")); now == nil || diff != "" {
				t.Errorf("the volume may be used only on (-want +got):\n%s", diff)
			}
			if got := at(now, "metadata", "labels", clusterZone); got != c.wantLabel || at(now, "metadata", "labels", "topology.kubernetes.io/region") != nil {
				t.Errorf("the labels are %v", at(now, "metadata", "labels"))
			}
			notKept := single.Result().NotKept
			if told := len(notKept) == 1 && strings.Contains(notKept[0], "csi") && strings.Contains(notKept[0], there); told != c.told || !c.told && len(notKept) > 0 {
				t.Errorf("the tenant is told %q", notKept)
			}
		})
	}
}
