package pod

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/protection"
)

// documentKey is the key of the document about the pod.
const documentKey = "metadata"

// document is what is kept of a pod. It lies in the bank: members are only ever added.
type document struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Pod is the pod's manifest, without what its cluster has added.
	Pod object `json:"pod"`
	// Mounts are its volumes that are Cinder's.
	Mounts []mount `json:"mounts"`
	// Owner is the kind and name of what has made the pod, as in "ReplicaSet web-5d9c".
	Owner string `json:"owner,omitempty"`
	// Outside are its volumes whose data is not protected.
	Outside []string `json:"outside,omitempty"`
}

// mount is a volume of the pod's.
type mount struct {
	// Name is the volume's name within the pod.
	Name string `json:"name"`
	// VolumeID is the Cinder volume.
	VolumeID string `json:"volume_id"`
	// ClaimName, Claim and Volume are the claim's name and the manifests of claim and
	// persistent volume; empty where the pod names the Cinder volume itself.
	ClaimName string `json:"claim_name,omitempty"`
	Claim     object `json:"claim,omitempty"`
	Volume    object `json:"volume,omitempty"`
	// Ephemeral says that the claim was the pod's own.
	Ephemeral bool `json:"ephemeral,omitempty"`
}

// object is a part of a manifest.
type object = map[string]any

// maxManifest is the largest manifest that is kept, in bytes.
const maxManifest = 512 << 10

// describe makes the document about a pod.
func describe(p kubernetes.Pod, mounts []kubernetes.Mount) (*document, error) {
	d := &document{Namespace: p.GetNamespace(), Name: p.GetName(), Pod: podManifest(p.DeepCopy().Object)}
	for _, o := range p.GetOwnerReferences() {
		d.Owner = o.Kind + " " + o.Name
	}
	for _, m := range mounts {
		if m.VolumeID == "" {
			d.Outside = append(d.Outside, fmt.Sprintf("%s (%s)", m.Name, m.Other))
			continue
		}
		kept := mount{Name: m.Name, VolumeID: m.VolumeID, Ephemeral: m.Ephemeral}
		if m.Claim != nil {
			kept.ClaimName = m.Claim.GetName()
			kept.Claim = claimManifest(m.Claim.DeepCopy().Object)
			kept.Volume = volumeManifest(m.Volume.DeepCopy().Object)
		}
		d.Mounts = append(d.Mounts, kept)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding the manifest of pod %s: %w", p.Title(), err)
	}
	if len(text) > maxManifest {
		return nil, karbor.Errorf(karbor.OverLimit, "the manifest of pod %s has %d bytes, more than the %d that are kept", p.Title(), len(text), maxManifest)
	}
	return d, nil
}

// ownLabels are labels by which controllers know the pods that they have made: one that has
// them would be taken for one of theirs.
var ownLabels = []string{"pod-template-hash", "controller-revision-hash", "pod-template-generation", "controller-uid", "job-name",
	"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
	"batch.kubernetes.io/job-completion-index"}

// lastApplied is the annotation in which kubectl keeps a copy of the whole manifest.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// manifest takes out of an object what only its cluster says of it.
func manifest(o object) object {
	delete(o, "status")
	m, _ := o["metadata"].(object)
	kept := object{}
	for _, name := range []string{"name", "namespace", "labels", "annotations"} {
		if m[name] != nil {
			kept[name] = m[name]
		}
	}
	if labels, _ := kept["labels"].(object); labels != nil {
		for name := range labels {
			if slices.Contains(ownLabels, name) || strings.HasPrefix(name, "karbor_") {
				delete(labels, name)
			}
		}
	}
	if annotations, _ := kept["annotations"].(object); annotations != nil {
		for name := range annotations {
			// The network and the storage of the cluster note down here what they have done.
			if name == lastApplied || strings.HasPrefix(name, "cni.projectcalico.org/") || strings.HasPrefix(name, "k8s.v1.cni.cncf.io/network-status") ||
				strings.HasPrefix(name, "pv.kubernetes.io/bind") || strings.HasPrefix(name, "pv.kubernetes.io/bound") || strings.HasPrefix(name, "volume.kubernetes.io/") ||
				strings.HasPrefix(name, "volume.beta.kubernetes.io/storage-provisioner") {
				delete(annotations, name)
			}
		}
	}
	o["metadata"] = kept
	return o
}

// podManifest takes out of a pod what its cluster has added: where it runs, its standing,
// and the token of its service account, which the next cluster adds anew.
func podManifest(o object) object {
	o = manifest(o)
	spec, _ := o["spec"].(object)
	for _, name := range []string{"nodeName", "serviceAccount", "priority", "preemptionPolicy", "overhead", "ephemeralContainers"} {
		delete(spec, name)
	}
	added := func(one any) bool {
		v, _ := one.(object)
		name, _ := v["name"].(string)
		return strings.HasPrefix(name, "kube-api-access-")
	}
	if list, ok := spec["volumes"].([]any); ok {
		spec["volumes"] = slices.DeleteFunc(list, added)
	}
	for _, kind := range []string{"containers", "initContainers"} {
		list, _ := spec[kind].([]any)
		for _, one := range list {
			c, _ := one.(object)
			if mounts, ok := c["volumeMounts"].([]any); ok {
				c["volumeMounts"] = slices.DeleteFunc(mounts, added)
			}
		}
	}
	return o
}

// claimManifest takes out of a claim what it is bound to.
func claimManifest(o object) object {
	o = manifest(o)
	spec, _ := o["spec"].(object)
	for _, name := range []string{"volumeName", "dataSource", "dataSourceRef"} {
		delete(spec, name)
	}
	return o
}

// volumeManifest takes out of a persistent volume whom it is bound to.
func volumeManifest(o object) object {
	o = manifest(o)
	spec, _ := o["spec"].(object)
	delete(spec, "claimRef")
	return o
}

// sound looks whether a document is one that a pod can be made of.
func sound(_ context.Context, _ *protection.Call, d *document) error {
	spec, _ := d.Pod["spec"].(object)
	containers, _ := spec["containers"].([]any)
	switch {
	case !kubernetes.IsNamespace(d.Namespace) || !kubernetes.IsName(d.Name):
		return karbor.Errorf(karbor.Internal, "its document names no pod")
	case d.Pod["kind"] != "Pod" || len(containers) == 0:
		return karbor.Errorf(karbor.Internal, "its document holds no manifest of a pod")
	}
	for _, m := range d.Mounts {
		if !karbor.IsResourceID(m.VolumeID) || m.Name == "" || m.ClaimName != "" && (!kubernetes.IsName(m.ClaimName) || m.Claim["spec"] == nil || m.Volume["spec"] == nil) {
			return karbor.Errorf(karbor.Internal, "its document holds no manifest of its volume %q", m.Name)
		}
	}
	return nil
}
