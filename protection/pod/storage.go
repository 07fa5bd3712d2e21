package pod

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection"
)

// storage makes the persistent volume and the claim for a restored volume. Pods that share
// a volume share these.
func (b *builder) storage(ctx context.Context, m mount) error {
	id := b.newVolume(m)
	if id == "" {
		return karbor.Errorf(karbor.Conflict, "pod %s:%s can't be restored without its volume %q (Cinder volume %s): restore that, too", b.namespace(), b.doc.Name, m.Name, m.VolumeID)
	}
	if m.ClaimName == "" {
		return nil
	}
	volume := "karbor-" + b.call.Owner + "-" + m.VolumeID
	if b.namespace() != b.doc.Namespace {
		// Another pod that shares it may go elsewhere, and a persistent volume has one claim.
		volume += "-" + b.namespace()
	}
	claim, err := b.claimName(ctx, m)
	if err != nil {
		return err
	}
	if b.record.Claims[m.Name] != claim {
		b.record.Claims[m.Name] = claim
		if err := b.call.Scratch.Save(ctx, b.record); err != nil {
			return err
		}
	}
	members := b.volumeMembers(m, volume, claim, id)
	if err := b.place(ctx, m, members, id); err != nil {
		return err
	}
	if err := b.ensure(ctx, kubernetes.VolumeKind, volume, m.VolumeID, members); err != nil {
		return err
	}
	return b.ensure(ctx, kubernetes.ClaimKind, claim, m.VolumeID, b.claimMembers(m, volume, claim))
}

// claimName gives the new claim's name, once: the original's, or one with the restore's id
// if that is taken.
func (b *builder) claimName(ctx context.Context, m mount) (string, error) {
	if name := b.record.Claims[m.Name]; name != "" {
		return name, nil
	}
	const short = 8
	there, err := b.cluster.Get(ctx, kubernetes.ClaimKind, b.namespace(), m.ClaimName)
	switch {
	case err != nil && karbor.KindOf(err) == karbor.NotFound:
		return m.ClaimName, nil
	case err != nil:
		return "", err
	case there.Labelled(b.tags(m.VolumeID)):
		return m.ClaimName, nil
	}
	const most = 253 - 1 - short
	name := m.ClaimName[:min(len(m.ClaimName), most)] + "-" + b.call.Owner[:short]
	b.call.NotKept(fmt.Sprintf("The name of the claim %s: it is taken. The new one is %s.", m.ClaimName, name))
	return name, nil
}

// ensure makes an object for a volume, unless it is there.
func (b *builder) ensure(ctx context.Context, kind kubernetes.Kind, name, volume string, members object) error {
	find := b.find(kind, name, volume)
	_, err := openstack.Make(ctx, b.call, fmt.Sprintf("%s %s", kind, name), find, func(ctx context.Context) (string, error) {
		err := b.cluster.Create(ctx, kind, b.namespace(), members)
		if err != nil && kubernetes.IsTaken(err) {
			// Another pod that shares the volume may have been quicker.
			if there, failed := find(ctx); failed == nil && there != "" {
				return there, nil
			}
		}
		return name, err
	})
	return err
}

// volumeMembers is the persistent volume for a restored Cinder volume, which only the new
// claim can have.
func (b *builder) volumeMembers(m mount, name, claim, id string) object {
	members := clone(m.Volume)
	label(members, "", name, b.tags(m.VolumeID))
	spec, _ := members["spec"].(object)
	if csi, _ := spec["csi"].(object); csi != nil {
		csi["volumeHandle"] = id
		if attributes, _ := csi["volumeAttributes"].(object); attributes != nil {
			delete(attributes, "storage.kubernetes.io/csiProvisionerIdentity")
		}
	}
	if cinder, _ := spec["cinder"].(object); cinder != nil {
		cinder["volumeID"] = id
	}
	spec["claimRef"] = object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": b.namespace(), "name": claim}
	return members
}

// claimMembers is the claim for a persistent volume.
func (b *builder) claimMembers(m mount, volume, claim string) object {
	members := clone(m.Claim)
	label(members, b.namespace(), claim, b.tags(m.VolumeID))
	spec, _ := members["spec"].(object)
	spec["volumeName"] = volume
	return members
}

// clone copies a part of a manifest.
func clone(o object) object {
	// It came out of JSON, so that this can't fail.
	text, _ := json.Marshal(o)
	out := object{}
	_ = json.Unmarshal(text, &out)
	return out
}

// label gives an object a namespace ("" for none), a name, and labels beside its own.
func label(o object, namespace, name string, labels map[string]string) {
	m, _ := o["metadata"].(object)
	if m == nil {
		m = object{}
		o["metadata"] = m
	}
	own, _ := m["labels"].(object)
	if own == nil {
		own = object{}
		m["labels"] = own
	}
	for k, v := range labels {
		own[k] = v
	}
	m["name"] = name
	if namespace != "" {
		m["namespace"] = namespace
	}
}

// undoRestore is the Undo hook of restore: first the pod goes, then the claims and the
// persistent volumes; the Cinder volumes are for their own plug-in.
func (r *room) undoRestore(ctx context.Context, call *protection.Call) error {
	var record restoreRecord
	if err := call.Scratch.Load(ctx, &record); err != nil || !record.Begun {
		return err // without a cluster, say
	}
	b, err := r.connect(ctx, call)
	if err != nil {
		return err
	}
	if err := b.remove(ctx, kubernetes.PodKind, call.Node.ID); err != nil {
		return err
	}
	for _, kind := range []kubernetes.Kind{kubernetes.ClaimKind, kubernetes.VolumeKind} {
		for _, m := range b.doc.Mounts {
			if m.ClaimName == "" {
				continue
			}
			if err := b.remove(ctx, kind, m.VolumeID); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes the objects of a kind that were made for a resource.
func (b *builder) remove(ctx context.Context, kind kubernetes.Kind, resource string) error {
	ctx, cancel := b.waits.Within(ctx)
	defer cancel()
	what := fmt.Sprintf("what was made for pod %s:%s to be deleted", b.namespace(), b.doc.Name)
	return openstack.Poll(ctx, what, b.waits.Longest, func(ctx context.Context) (bool, error) {
		left, err := b.cluster.Labelled(ctx, kind, b.namespace(), b.tags(resource))
		if err != nil || len(left) == 0 {
			return err == nil, err
		}
		for _, o := range left {
			if o.GetDeletionTimestamp() != nil {
				continue
			}
			if err := b.cluster.Delete(ctx, kind, o); err != nil {
				return false, err
			}
		}
		return false, openstack.Still("there (%d of its kind)", len(left))
	})
}
