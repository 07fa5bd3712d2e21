// Package pod finds the pods of a tenant's Kubernetes cluster.
package pod

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
)

// Options are the plug-in's settings in a provider file: there are none.
type Options struct{}

// Plugin finds pods (OS::Kubernetes::Pod) in the clusters that k lets be reached.
func Plugin(k kubernetes.Options) plugin.Definition[protectable.Plugin] {
	return plugin.Define("karbor-pod-protectable-plugin",
		"Finds the pods of the Kubernetes cluster whose kubeconfig the caller's project keeps.",
		func() Options { return Options{} },
		func(context.Context, Options) (protectable.Plugin, error) {
			clusters, err := kubernetes.New(k)
			return finder{clusters}, err
		})
}

type finder struct{ clusters *kubernetes.Clusters }

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return karbor.PodType }

// Parents implements protectable.Plugin.
func (finder) Parents() []karbor.ResourceType { return []karbor.ResourceType{karbor.ProjectType} }

// List implements protectable.Plugin. The pods come in the order of their ids.
func (f finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	cluster, err := f.clusters.Connect(ctx, cloud)
	if err != nil {
		return nil, err
	}
	all, err := cluster.Pods(ctx)
	if err != nil {
		return nil, err
	}
	out := []karbor.Resource{}
	for _, p := range all {
		if p.Unfit() == "" {
			out = append(out, resource(p))
		}
	}
	if q.Marker != "" {
		at := slices.IndexFunc(out, func(r karbor.Resource) bool { return r.ID == q.Marker })
		if at < 0 {
			return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no pod in this list", q.Marker)
		}
		out = out[at+1:]
	}
	if q.Limit > 0 {
		out = out[:min(q.Limit, len(out))]
	}
	return out, nil
}

// Show implements protectable.Plugin. A pod that does not run is karbor.Conflict.
func (f finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	cluster, err := f.clusters.Connect(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	p, err := cluster.Pod(ctx, id, "")
	if err != nil {
		return karbor.Resource{}, err
	}
	if why := p.Unfit(); why != "" {
		return karbor.Resource{}, karbor.Errorf(karbor.Conflict, "pod %s is %s and can't be protected", p.Title(), why)
	}
	return resource(p), nil
}

// Dependents implements protectable.Plugin: a project has all the pods of its cluster. One
// that has no cluster, or may keep no secrets, has none.
func (f finder) Dependents(ctx context.Context, cloud karbor.Cloud, parent karbor.Resource) ([]protectable.Dependent, error) {
	if parent.Type != karbor.ProjectType {
		return nil, nil
	}
	if parent.ID != cloud.ProjectID() {
		return nil, karbor.Errorf(karbor.NotFound, "there is no project %s", parent.ID)
	}
	if known, err := f.clusters.Known(ctx, cloud); err != nil || !known {
		return nil, err
	}
	list, err := f.List(ctx, cloud, protectable.Query{})
	out := make([]protectable.Dependent, 0, len(list))
	for _, r := range list {
		out = append(out, protectable.Dependent{Resource: r})
	}
	return out, err
}

func resource(p kubernetes.Pod) karbor.Resource {
	return karbor.Resource{Type: karbor.PodType, ID: p.ID(), Name: p.Title(), ExtraInfo: map[string]string{"namespace": p.GetNamespace()}}
}
