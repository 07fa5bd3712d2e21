package pod

import (
	"context"
	"fmt"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// restoreRecord is the scratch record of a restore.
type restoreRecord struct {
	// Begun says that something may have been asked of the cluster.
	Begun bool `json:"begun,omitempty"`
	// Claims are the names of the new claims by the volumes' names within the pod.
	Claims map[string]string `json:"claims,omitempty"`
}

// builder makes and removes what takes a pod's place.
type builder struct {
	cluster *kubernetes.Cluster
	call    *protection.Call
	doc     document
	waits   openstack.Waits
	record  restoreRecord
}

// connect reads the document and reaches the cluster.
func (r *room) connect(ctx context.Context, call *protection.Call) (*builder, error) {
	b := &builder{call: call, waits: r.waits}
	if err := call.Documents.GetJSON(ctx, documentKey, &b.doc); err != nil {
		return nil, err
	}
	if err := sound(ctx, call, &b.doc); err != nil {
		return nil, err
	}
	var err error
	if b.cluster, err = r.clusters.Connect(ctx, call.Cloud); err != nil {
		return nil, err
	}
	if !b.cluster.Allows(b.namespace()) {
		return nil, karbor.Errorf(karbor.Forbidden, "pod %s:%s can't be restored into the namespace %s: the kubeconfig does not name it, or the operator does not allow it", b.doc.Namespace, b.doc.Name, b.namespace())
	}
	return b, nil
}

// restore is the Complete hook of restore: by then the pod's volumes are restored.
func (r *room) restore(ctx context.Context, call *protection.Call) error {
	b, err := r.connect(ctx, call)
	if err != nil {
		return err
	}
	if err := call.Scratch.Load(ctx, &b.record); err != nil {
		return err
	}
	if b.record.Claims == nil {
		b.record.Claims = map[string]string{}
	}
	if err := b.fit(ctx); err != nil {
		return err
	}
	b.record.Begun = true
	if err := call.Scratch.Save(ctx, b.record); err != nil {
		return err
	}
	for _, m := range b.doc.Mounts {
		if err := b.storage(ctx, m); err != nil {
			return err
		}
	}
	if err := b.ensurePod(ctx); err != nil {
		return err
	}
	if err := b.awaitRunning(ctx); err != nil {
		return err
	}
	b.tell()
	return call.NewResources.Set(ctx, kubernetes.PodID(b.namespace(), b.name()))
}

// tags are the labels of what is made for a resource: the pod itself, or one of its
// volumes, which it may share with other pods.
func (b *builder) tags(resource string) map[string]string {
	return map[string]string{protection.CheckpointTag: b.call.Owner, protection.ResourceTag: resource}
}

// namespace is the new pod's, and its claims'.
func (b *builder) namespace() string {
	return protection.First(b.call.Text("restore_namespace"), b.doc.Namespace)
}

// name is the new pod's.
func (b *builder) name() string { return b.call.RestoredName(b.doc.Name) }

// newVolume gives the Cinder volume that takes an original's place; "" if none does.
func (b *builder) newVolume(m mount) string { return b.call.NewResources.ID(volumeKey(m.VolumeID)) }

// fit looks, before anything is made, whether the pod can have its name.
func (b *builder) fit(ctx context.Context) error {
	if !kubernetes.IsName(b.name()) {
		return karbor.Errorf(karbor.Invalid, "%q can't be the name of a pod: give lower-case letters, digits, - and . (restore_name, or restore_name_prefix)", b.name())
	}
	there, err := b.cluster.Get(ctx, kubernetes.PodKind, b.namespace(), b.name())
	switch {
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		return nil
	case err != nil:
		return err
	case !there.Labelled(b.tags(b.call.Node.ID)):
		return karbor.Errorf(karbor.Conflict, "there is a pod %s:%s already: restore it under another name (restore_name, or restore_name_prefix)", b.namespace(), b.name())
	}
	return nil
}

// ensurePod makes the pod, unless it is there.
func (b *builder) ensurePod(ctx context.Context) error {
	members := clone(b.doc.Pod)
	label(members, b.namespace(), b.name(), b.tags(b.call.Node.ID))
	spec, _ := members["spec"].(object)
	list, _ := spec["volumes"].([]any)
	for _, one := range list {
		v, _ := one.(object)
		for _, m := range b.doc.Mounts {
			if v["name"] == m.Name {
				b.mount(v, m)
			}
		}
	}
	_, err := openstack.Make(ctx, b.call, "pod", b.find(kubernetes.PodKind, b.name(), b.call.Node.ID), func(ctx context.Context) (string, error) {
		return b.name(), b.cluster.Create(ctx, kubernetes.PodKind, b.namespace(), members)
	})
	return err
}

// mount has a volume of the pod's be the restored one.
func (b *builder) mount(v object, m mount) {
	if m.ClaimName == "" {
		if cinder, _ := v["cinder"].(object); cinder != nil {
			cinder["volumeID"] = b.newVolume(m)
		}
		return
	}
	delete(v, "ephemeral")
	source, _ := v["persistentVolumeClaim"].(object)
	if source == nil {
		source = object{}
		v["persistentVolumeClaim"] = source
	}
	source["claimName"] = b.record.Claims[m.Name]
}

// find gives what finds an object of a name that was made for a resource.
func (b *builder) find(kind kubernetes.Kind, name, resource string) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		o, err := b.cluster.Get(ctx, kind, b.namespace(), name)
		if err != nil && karbor.KindOf(err) == karbor.NotFound {
			return "", nil
		}
		if err != nil || !o.Labelled(b.tags(resource)) {
			return "", err
		}
		return name, nil
	}
}

// awaitRunning waits until the pod runs, or has run.
func (b *builder) awaitRunning(ctx context.Context) error {
	ctx, cancel := b.waits.Within(ctx)
	defer cancel()
	what := fmt.Sprintf("pod %s:%s", b.namespace(), b.name())
	return openstack.Poll(ctx, what, b.waits.Longest, func(ctx context.Context) (bool, error) {
		o, err := b.cluster.Get(ctx, kubernetes.PodKind, b.namespace(), b.name())
		if err != nil {
			return false, err
		}
		p := kubernetes.Pod(o)
		why := p.Waiting()
		switch phase := p.Phase(); phase {
		case "Running", "Succeeded":
			return true, nil
		case "Failed":
			return false, karbor.Errorf(karbor.Conflict, "%s went into the phase %q in the cluster: %s", what, phase, protection.First(why, "it gives no reason"))
		default:
			return false, openstack.Still("in the phase %q: %s", phase, protection.First(why, "it gives no reason"))
		}
	})
}

// tell tells the tenant what the new pod has not of the original.
func (b *builder) tell() {
	if b.doc.Owner != "" {
		b.call.NotKept(fmt.Sprintf("That the pod belongs to %s: it is one of its own, without the labels by which that would know it.", b.doc.Owner))
	}
	if len(b.doc.Outside) > 0 {
		b.call.NotKept("The data of volumes that are not Cinder's: " + strings.Join(b.doc.Outside, ", ") + ".")
	}
	for _, m := range b.doc.Mounts {
		if m.Ephemeral {
			b.call.NotKept(fmt.Sprintf("That the claim %s goes with the pod: it stays until it is deleted.", b.record.Claims[m.Name]))
		}
	}
}

// preflight is the Preflight hook of restore.
func (r *room) preflight(ctx context.Context, call *protection.Call) (*protection.Forecast, error) {
	f := protection.NewForecast(call)
	var b *builder
	err := f.Look(ctx, "Keep the kubeconfig of a cluster in the project, and have it name the pod's namespace, or the one to restore into (restore_namespace).", func(ctx context.Context) error {
		var err error
		b, err = r.connect(ctx, call)
		return err
	})
	if err != nil || b == nil {
		return f, err
	}
	err = f.Look(ctx, "Give another name (restore_name, restore_name_prefix).", b.fit)
	return f, err
}
