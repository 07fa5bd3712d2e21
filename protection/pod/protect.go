package pod

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// look is the PrepareFinish hook of protect: it keeps the pod as it is when its volumes are
// snapshotted. A manifest may hold secrets, so that it goes into the bank at once, and is
// nowhere else meanwhile.
func (r *room) look(ctx context.Context, call *protection.Call) error {
	err := call.Documents.GetJSON(ctx, documentKey, &document{})
	if err == nil || karbor.KindOf(err) != karbor.NotFound {
		return err // an earlier run has come so far
	}
	cluster, err := r.clusters.Connect(ctx, call.Cloud)
	if err != nil {
		return err
	}
	p, err := cluster.Pod(ctx, call.Node.ID, call.Node.Name)
	if err != nil {
		return err
	}
	if why := p.Unfit(); why != "" {
		return karbor.Errorf(karbor.Conflict, "pod %s is %s and can't be protected", p.Title(), why)
	}
	mounts, err := cluster.Mounts(ctx, p)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.VolumeID != "" && call.Graph.Node(volumeKey(m.VolumeID)) == nil {
			return karbor.Errorf(karbor.Conflict, "the volume %q of pod %s is the Cinder volume %s, which is not in this checkpoint: "+
				"it is another project's, or the pod has just got it", m.Name, p.Title(), m.VolumeID)
		}
	}
	doc, err := describe(p, mounts)
	if err != nil {
		return err
	}
	return call.Documents.CreateJSON(ctx, documentKey, doc)
}

// volumeKey is the key of a Cinder volume's node.
func volumeKey(id string) karbor.NodeKey {
	return karbor.MakeNodeKey(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")
}

// protect is the Main hook of protect: it tells what is not kept.
func (r *room) protect(ctx context.Context, call *protection.Call) error {
	var doc document
	err := call.Documents.GetJSON(ctx, documentKey, &doc)
	if err != nil && karbor.KindOf(err) == karbor.NotFound {
		return fmt.Errorf("protecting pod %s: nothing was kept of it", call.Node.ID)
	}
	if err != nil {
		return err
	}
	if len(doc.Outside) > 0 {
		call.NotKept("The data of volumes that are not Cinder's: " + strings.Join(doc.Outside, ", ") + ".")
	}
	if open := literal(doc.Pod); len(open) > 0 && !protection.Sealed(call.Documents) {
		call.NotKept("The values in the environment of the containers " + strings.Join(open, ", ") + " lie in the clear in the bank, which has no keys: " +
			"let secrets among them come from a Secret.")
	}
	return nil
}

// literal gives the names of a pod's containers that have values in their environment.
func literal(pod object) []string {
	spec, _ := pod["spec"].(object)
	var names []string
	for _, kind := range []string{"initContainers", "containers"} {
		list, _ := spec[kind].([]any)
		for _, one := range list {
			c, _ := one.(object)
			env, _ := c["env"].([]any)
			if slices.ContainsFunc(env, func(one any) bool {
				v, _ := one.(object)
				value, _ := v["value"].(string)
				return value != ""
			}) {
				name, _ := c["name"].(string)
				names = append(names, name)
			}
		}
	}
	return names
}
