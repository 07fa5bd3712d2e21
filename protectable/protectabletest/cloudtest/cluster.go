package cloudtest

import (
	"fmt"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/keymanager/v1/secrets"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// Secret keeps a text in the key manager of a project.
func Secret(t testing.TB, c karbor.Cloud, name, text string) {
	t.Helper()
	_, err := secrets.Create(t.Context(), service(t, c, openstack.KeyManager), secrets.CreateOpts{
		Name: name, Payload: text, PayloadContentType: "text/plain", SecretType: secrets.OpaqueSecret}).Extract()
	must(t, err, "keeping the secret "+name)
}

// Putter is a cluster that a test can put objects into.
type Putter interface {
	// Put puts an object there, or replaces it. path is as in the API, such as
	// "namespaces/shop/pods/web".
	Put(path string, o map[string]any)
}

// Pod puts a pod into a namespace of a cluster. Its volumes are of claims, which are bound
// to Cinder's volumes of these ids by its CSI driver.
func Pod(s Putter, namespace, name, phase string, volumes ...string) {
	list := []any{map[string]any{"name": "cache", "emptyDir": map[string]any{}}}
	for i, id := range volumes {
		claim, volume := fmt.Sprintf("%s-data-%d", name, i), fmt.Sprintf("pvc-%s-%d", name, i)
		list = append(list, map[string]any{"name": fmt.Sprintf("data-%d", i), "persistentVolumeClaim": map[string]any{"claimName": claim}})
		s.Put("persistentvolumes/"+volume, map[string]any{"apiVersion": "v1", "kind": "PersistentVolume",
			"metadata": map[string]any{"name": volume, "annotations": map[string]any{"pv.kubernetes.io/provisioned-by": "cinder.csi.openstack.org"}},
			"spec": map[string]any{"capacity": map[string]any{"storage": "1Gi"}, "accessModes": []any{"ReadWriteOnce"}, "storageClassName": "cinder",
				"persistentVolumeReclaimPolicy": "Delete", "claimRef": map[string]any{"namespace": namespace, "name": claim, "uid": karbor.NewID()},
				"csi": map[string]any{"driver": "cinder.csi.openstack.org", "volumeHandle": id, "fsType": "ext4",
					"volumeAttributes": map[string]any{"storage.kubernetes.io/csiProvisionerIdentity": "1-cinder", "tier": "gold"}}}})
		s.Put("namespaces/"+namespace+"/persistentvolumeclaims/"+claim, map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim",
			"metadata": map[string]any{"name": claim, "namespace": namespace, "annotations": map[string]any{"pv.kubernetes.io/bind-completed": "yes"}},
			"spec": map[string]any{"accessModes": []any{"ReadWriteOnce"}, "volumeName": volume, "storageClassName": "cinder",
				"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}}}, "status": map[string]any{"phase": "Bound"}})
	}
	s.Put("namespaces/"+namespace+"/pods/"+name, map[string]any{"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": name, "namespace": namespace, "labels": map[string]any{"app": name}},
		"spec": map[string]any{"restartPolicy": "Always", "nodeName": "node-0", "volumes": list, "containers": []any{map[string]any{
			"name": "main", "image": "registry.example/shop:1", "volumeMounts": []any{map[string]any{"name": "cache", "mountPath": "/cache"}}}}},
		"status": map[string]any{"phase": phase}})
}
