package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/karbor/karbor"
)

// CinderDriver is the name of Cinder's CSI driver.
const CinderDriver = "cinder.csi.openstack.org"

// Mount is a volume of a pod's that holds data.
type Mount struct {
	// Name is the volume's name within the pod.
	Name string
	// Claim and Volume are the claim that the pod names and the persistent volume that is
	// bound to it; nil where the pod names a Cinder volume itself.
	Claim, Volume *unstructured.Unstructured
	// Ephemeral says that the claim was made for this pod, and goes with it.
	Ephemeral bool
	// VolumeID is the Cinder volume, as the cluster says; "" if it is something else,
	// which Other tells.
	VolumeID, Other string
}

// outside are kinds of a pod's volumes whose data lies somewhere that is not known here.
var outside = []string{"hostPath", "nfs", "iscsi", "glusterfs", "rbd", "cephfs", "fc", "flexVolume", "csi", "azureDisk", "azureFile", "awsElasticBlockStore",
	"gcePersistentDisk", "vsphereVolume", "portworxVolume", "scaleIO", "storageos", "quobyte", "photonPersistentDisk", "flocker"}

// Mounts gives the volumes of a pod that hold data, in the pod's order.
func (k *Cluster) Mounts(ctx context.Context, p Pod) ([]Mount, error) {
	list, _, _ := unstructured.NestedSlice(p.Object, "spec", "volumes")
	var out []Mount
	for _, one := range list {
		v, _ := one.(map[string]any)
		m := Mount{}
		m.Name, _, _ = unstructured.NestedString(v, "name")
		claim, _, _ := unstructured.NestedString(v, "persistentVolumeClaim", "claimName")
		_, ephemeral, _ := unstructured.NestedMap(v, "ephemeral")
		if ephemeral {
			claim, m.Ephemeral = p.GetName()+"-"+m.Name, true
		}
		id, direct, _ := unstructured.NestedString(v, "cinder", "volumeID")
		switch {
		case claim != "":
			if err := k.claim(ctx, p, claim, &m); err != nil {
				return nil, err
			}
		case direct:
			m.VolumeID = id
		default:
			kind := slices.IndexFunc(outside, func(kind string) bool { return v[kind] != nil })
			if kind < 0 {
				continue // it holds no data, or none that outlives the pod
			}
			m.Other = outside[kind]
		}
		out = append(out, m)
	}
	return out, nil
}

// claim finds what is behind a claim.
func (k *Cluster) claim(ctx context.Context, p Pod, name string, m *Mount) error {
	namespace := p.GetNamespace()
	if !IsName(name) {
		return karbor.Errorf(karbor.Invalid, "pod %s names a claim that can't be one", p.Title())
	}
	var err error
	if m.Claim, err = k.client.Resource(claims).Namespace(namespace).Get(quiet(ctx), name, metav1.GetOptions{}); err != nil {
		return explain(ctx, err, "reading the claim %s of pod %s", name, p.Title())
	}
	volume, _, _ := unstructured.NestedString(m.Claim.Object, "spec", "volumeName")
	if !IsName(volume) {
		return karbor.Errorf(karbor.Conflict, "the claim %s of pod %s is not bound to a volume", name, p.Title())
	}
	if m.Volume, err = k.client.Resource(volumes).Get(quiet(ctx), volume, metav1.GetOptions{}); err != nil {
		return explain(ctx, err, "reading the persistent volume %s of pod %s", volume, p.Title())
	}
	driver, csi, _ := unstructured.NestedString(m.Volume.Object, "spec", "csi", "driver")
	handle, _, _ := unstructured.NestedString(m.Volume.Object, "spec", "csi", "volumeHandle")
	id, inTree, _ := unstructured.NestedString(m.Volume.Object, "spec", "cinder", "volumeID")
	switch {
	case driver == CinderDriver:
		m.VolumeID = handle
	case inTree:
		m.VolumeID = id
	case csi:
		m.Other = fmt.Sprintf("persistent volume %s (%s)", volume, driver)
	default:
		m.Other = "persistent volume " + volume
	}
	return nil
}

// VolumesOf gives the ids of the Cinder volumes that a pod uses, in order; title is as for
// Cluster.Pod. They are as the
// cluster says: whether the project has them is for the caller to see. karbor.NotFound if
// there is no such pod.
func (c *Clusters) VolumesOf(ctx context.Context, cloud karbor.Cloud, podID, title string) ([]string, error) {
	k, err := c.Connect(ctx, cloud)
	if err != nil {
		return nil, err
	}
	p, err := k.Pod(ctx, podID, title)
	if err != nil {
		return nil, err
	}
	mounts, err := k.Mounts(ctx, p)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, m := range mounts {
		if m.VolumeID == "" {
			continue
		}
		if !karbor.IsResourceID(m.VolumeID) {
			return nil, karbor.Errorf(karbor.Invalid, "the cluster names a volume of pod %s that can't be one", p.Title())
		}
		ids[m.VolumeID] = true
	}
	return slices.Sorted(maps.Keys(ids)), nil
}
