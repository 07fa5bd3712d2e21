package pod_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/protectable/protectabletest/cloudtest"
	"github.com/karbor/karbor/protection/protectiontest"
)

// site is a tenant with a cluster of his own.
type site struct {
	tenant *protectiontest.Tenant
	cloudtest.Kubernetes
}

func newSite(t *testing.T) site {
	t.Helper()
	s := site{protectiontest.NewTenant(t), cloudtest.Cluster(t)}
	s.keep(t, s.Kubeconfig("token", "shop"))
	return s
}

// keep keeps a kubeconfig in the tenant's project.
func (s site) keep(t *testing.T, text string) {
	t.Helper()
	s.tenant.Do(t, "key", http.MethodPost, "secrets", map[string]any{"name": kubernetes.DefaultSecret, "payload": text, "payload_content_type": "text/plain"})
}

type object = map[string]any

// put puts a claim that is bound to a Cinder volume. source is the persistent volume's.
func (s site) put(claim string, source object) {
	spec := object{"capacity": object{"storage": "1Gi"}, "accessModes": []any{"ReadWriteOnce"}, "storageClassName": "fast", "persistentVolumeReclaimPolicy": "Delete",
		"claimRef": object{"namespace": "shop", "name": claim, "uid": karbor.NewID()}}
	maps.Copy(spec, source)
	s.Put("persistentvolumes/pv-"+claim, object{"kind": "PersistentVolume", "apiVersion": "v1", "spec": spec, "status": object{"phase": "Bound"},
		"metadata": object{"name": "pv-" + claim, "finalizers": []any{"kubernetes.io/pv-protection"}, "annotations": object{"pv.kubernetes.io/bound-by-controller": "yes", "pv.kubernetes.io/provisioned-by": "cinder"}}})
	s.Put("namespaces/shop/persistentvolumeclaims/"+claim, object{"kind": "PersistentVolumeClaim", "apiVersion": "v1", "status": object{"phase": "Bound"},
		"metadata": object{"name": claim, "namespace": "shop", "labels": object{"tier": "gold"}, "annotations": object{"pv.kubernetes.io/bind-completed": "yes"}},
		"spec":     object{"accessModes": []any{"ReadWriteOnce"}, "storageClassName": "fast", "volumeName": "pv-" + claim, "resources": object{"requests": object{"storage": "1Gi"}}}})
}

// source makes a pod with a volume of each kind: of a claim by CSI, of one in-tree, and
// named by the pod itself.
func (s site) source(t *testing.T, edit func(members object)) protectiontest.Source {
	t.Helper()
	volumes := map[string]string{"csi": karbor.NewID(), "tree": karbor.NewID(), "inline": karbor.NewID()}
	s.put("csi", object{"csi": object{"driver": kubernetes.CinderDriver, "volumeHandle": volumes["csi"], "fsType": "ext4",
		"volumeAttributes": object{"storage.kubernetes.io/csiProvisionerIdentity": "x", "a": "b"}}})
	s.put("tree", object{"cinder": object{"volumeID": volumes["tree"], "fsType": "xfs"}})
	containers := []any{object{"name": "main", "image": "registry.example/shop:1", "env": []any{object{"name": "MODE", "value": "live"}}, "volumeMounts": []any{
		object{"name": "csi", "mountPath": "/data"}, object{"name": "kube-api-access-old", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}}}}
	members := object{"kind": "Pod", "apiVersion": "v1", "status": object{"phase": "Running", "podIP": "10.244.0.3"},
		"metadata": object{"name": "web", "namespace": "shop", "labels": object{"app": "web", "karbor_resource_id": "earlier"},
			"annotations": object{"note": "kept", "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
		"spec": object{"nodeName": "node-0", "restartPolicy": "OnFailure", "containers": containers, "volumes": []any{
			object{"name": "csi", "persistentVolumeClaim": object{"claimName": "csi"}}, object{"name": "tree", "persistentVolumeClaim": object{"claimName": "tree", "readOnly": true}},
			object{"name": "inline", "cinder": object{"volumeID": volumes["inline"], "fsType": "ext4"}}, object{"name": "scratch", "emptyDir": object{}},
			object{"name": "settings", "configMap": object{"name": "settings"}}, object{"name": "kube-api-access-old", "projected": object{}}}}}
	if edit != nil {
		edit(members)
	}
	s.Put("namespaces/shop/pods/web", members)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: karbor.PodType, ID: kubernetes.PodID("shop", "web"), Name: "shop:web"}, "")
	fresh := map[karbor.NodeKey]string{}
	for _, id := range volumes {
		child := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")
		node.Children = append(node.Children, child.Key())
		fresh[child.Key()] = karbor.NewID()
	}
	return protectiontest.Source{
		Graph: g, Key: node.Key(), Destroy: func(*testing.T) { s.clear() },
		Children: func(*testing.T) (protectiontest.Restored, func(*testing.T)) {
			return protectiontest.Restored{Nodes: fresh}, nil
		},
		Check: func(t *testing.T, restored protectiontest.Restored) {
			if restored.ID != kubernetes.PodID("shop", "web") || len(restored.NotKept) > 0 {
				t.Errorf("the new id is %s; not kept: %q", restored.ID, restored.NotKept)
			}
			s.check(t, "web", volumes, fresh)
		},
	}
}

// clear removes the original and all that it used.
func (s site) clear() {
	for _, path := range []string{"namespaces/shop/pods/web", "namespaces/shop/persistentvolumeclaims/csi", "namespaces/shop/persistentvolumeclaims/tree",
		"persistentvolumes/pv-csi", "persistentvolumes/pv-tree"} {
		s.Remove(path)
	}
}

func at(o any, path ...string) any {
	for _, name := range path {
		m, _ := o.(object)
		o = m[name]
	}
	return o
}

// check compares a restored pod with what the original was.
func (s site) check(t *testing.T, name string, volumes map[string]string, fresh map[karbor.NodeKey]string) {
	t.Helper()
	now := s.Get("namespaces/shop/pods/" + name)
	if at(now, "status", "phase") != "Running" || at(now, "metadata", "labels", "app") != "web" || at(now, "metadata", "annotations", "note") != "kept" ||
		at(now, "metadata", "labels", "karbor_resource_id") == "earlier" || at(now, "spec", "restartPolicy") != "OnFailure" {
		t.Fatalf("the restored pod is %v", now)
	}
	container, _ := at(now, "spec", "containers").([]any)
	if text := fmt.Sprint(container); len(container) != 1 || !strings.Contains(text, "MODE") || strings.Contains(text, "kube-api-access-old") {
		t.Errorf("the containers are %v", container)
	}
	list, _ := at(now, "spec", "volumes").([]any)
	got, kinds := map[string]string{}, map[string]bool{}
	for _, one := range list {
		volume := fmt.Sprint(at(one, "name"))
		kinds[volume] = true
		claim, _ := at(one, "persistentVolumeClaim", "claimName").(string)
		bound := s.Get("namespaces/shop/persistentvolumeclaims/" + claim)
		pv := s.Get(fmt.Sprintf("persistentvolumes/%v", at(bound, "spec", "volumeName")))
		for _, id := range []any{at(one, "cinder", "volumeID"), at(pv, "spec", "csi", "volumeHandle"), at(pv, "spec", "cinder", "volumeID")} {
			if id != nil {
				got[volume] = fmt.Sprint(id)
			}
		}
		// A real cluster gives a finalizer of its own to each.
		finalizers, _ := at(pv, "metadata", "finalizers").([]any)
		if pv != nil && (at(pv, "spec", "claimRef", "name") != claim || at(pv, "spec", "storageClassName") != "fast" || len(finalizers) > 0 && !cloudtest.RealCluster() ||
			at(pv, "spec", "csi", "volumeAttributes", "storage.kubernetes.io/csiProvisionerIdentity") != nil || at(bound, "metadata", "labels", "tier") != "gold" || at(pv, "metadata", "annotations", "pv.kubernetes.io/provisioned-by") != "cinder") {
			t.Errorf("the claim is %v, its volume %v", bound, pv)
		}
	}
	want := map[string]string{}
	for volume, id := range volumes {
		want[volume] = fresh[karbor.MakeNodeKey(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")]
	}
	if diff := cmp.Diff(want, got); diff != "" || !kinds["scratch"] || !kinds["settings"] || kinds["kube-api-access-old"] {
		t.Errorf("the volumes are %v (-want +got):\n%s", list, diff)
	}
}
