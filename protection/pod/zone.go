package pod

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"

	"github.com/karbor/karbor/internal/openstack"
)

// zoneKeys and regionKeys are the labels of nodes and of persistent volumes that say where they are:
// Cinder's driver writes the first into the affinity of a volume, Kubernetes' own volumes had the others.
var (
	zoneKeys   = []string{"topology.cinder.csi.openstack.org/zone", "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"}
	regionKeys = []string{"topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"}
)

// severalZones stands between zones in a label.
const severalZones = "__"

// place ties a persistent volume to the zone of its new Cinder volume, where the original was tied to its
// own. What the original was tied to by another word, which the new cloud may not have, is left out and told:
// the scheduler puts no pod where the volume may not be used.
func (b *builder) place(ctx context.Context, m mount, members object, id string) error {
	tied := zonesOf(members)
	was, now := "", ""
	if n := b.call.Graph.Node(volumeKey(m.VolumeID)); n != nil {
		was = n.ExtraInfo["availability_zone"]
	}
	if was != "" && slices.Contains(tied, was) {
		var err error
		if now, err = b.zone(ctx, id); err != nil {
			return err
		}
	}
	if now == "" && len(tied) > 0 {
		b.call.NotKept(fmt.Sprintf("That the volume %s is used on nodes of the zone %s only: what zone the new one's nodes are in is not known.",
			m.Name, strings.Join(tied, ", ")))
	}
	relabel(members, was, now)
	retie(members, now)
	return nil
}

// zone gives the availability zone of a new Cinder volume; "" if it is not there any more.
func (b *builder) zone(ctx context.Context, id string) (string, error) {
	client, err := openstack.BlockStorage(ctx, b.call.Cloud)
	if err != nil {
		return "", err
	}
	v, err := volumes.Get(ctx, client, id).Extract()
	if openstack.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", openstack.Explain(err, "reading volume %s", id)
	}
	return v.AvailabilityZone, nil
}

// terms gives the terms of a persistent volume's affinity, each with what it asks of a node's labels.
func terms(members object) []object {
	spec, _ := members["spec"].(object)
	affinity, _ := spec["nodeAffinity"].(object)
	required, _ := affinity["required"].(object)
	list, _ := required["nodeSelectorTerms"].([]any)
	var out []object
	for _, one := range list {
		if term, _ := one.(object); term != nil {
			out = append(out, term)
		}
	}
	return out
}

// asks gives the label that an expression of a term asks for, and its values.
func asks(expression any) (key string, values []string) {
	e, _ := expression.(object)
	key, _ = e["key"].(string)
	list, _ := e["values"].([]any)
	for _, one := range list {
		if text, _ := one.(string); text != "" {
			values = append(values, text)
		}
	}
	return key, values
}

// zonesOf gives the zones that a persistent volume is tied to, by its affinity or by its labels, which the
// scheduler heeds, too. They are sorted.
func zonesOf(members object) []string {
	var out []string
	for _, term := range terms(members) {
		expressions, _ := term["matchExpressions"].([]any)
		for _, e := range expressions {
			if key, values := asks(e); slices.Contains(zoneKeys, key) {
				out = append(out, values...)
			}
		}
	}
	m, _ := members["metadata"].(object)
	labels, _ := m["labels"].(object)
	for _, key := range zoneKeys {
		if text, _ := labels[key].(string); text != "" {
			out = append(out, strings.Split(text, severalZones)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// retie has the affinity be to the zone now, or to none for "". A term that asks for nothing would find no
// node at all: if one is left so, any node will do.
func retie(members object, now string) {
	for _, term := range terms(members) {
		expressions, _ := term["matchExpressions"].([]any)
		kept := []any{}
		for _, e := range expressions {
			key, _ := asks(e)
			switch {
			case slices.Contains(zoneKeys, key) && now != "":
				kept = append(kept, object{"key": key, "operator": "In", "values": []any{now}})
			case !slices.Contains(zoneKeys, key) && !slices.Contains(regionKeys, key):
				kept = append(kept, e)
			}
		}
		term["matchExpressions"] = kept
		fields, _ := term["matchFields"].([]any)
		if len(kept) == 0 && len(fields) == 0 {
			spec, _ := members["spec"].(object)
			delete(spec, "nodeAffinity")
			return
		}
	}
}

// relabel has the labels of the zone say now in the place of was, and drops others that say where the
// original was.
func relabel(members object, was, now string) {
	m, _ := members["metadata"].(object)
	labels, _ := m["labels"].(object)
	for _, key := range slices.Concat(zoneKeys, regionKeys) {
		if now != "" && labels[key] == was && slices.Contains(zoneKeys, key) {
			labels[key] = now
		} else {
			delete(labels, key)
		}
	}
}
