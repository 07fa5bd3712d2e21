// Package project finds the caller's own project, the root of a graph that
// protects all of it.
package project

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
)

// Options are the plug-in's settings in a provider file: there are none.
type Options struct{}

// Plugin finds projects (OS::Keystone::Project).
var Plugin = plugin.Define("karbor-project-protectable-plugin",
	"Finds the caller's own project.",
	func() Options { return Options{} },
	func(context.Context, Options) (protectable.Plugin, error) { return finder{}, nil })

type finder struct{}

// Type implements protectable.Plugin.
func (finder) Type() karbor.ResourceType { return karbor.ProjectType }

// Parents implements protectable.Plugin. Nothing depends on a project.
func (finder) Parents() []karbor.ResourceType { return nil }

// List implements protectable.Plugin: the only instance is the session's project.
func (f finder) List(ctx context.Context, cloud karbor.Cloud, q protectable.Query) ([]karbor.Resource, error) {
	if q.Marker != "" && q.Marker != cloud.ProjectID() {
		return nil, karbor.Errorf(karbor.Invalid, "the marker %q is no project in this list", q.Marker)
	}
	if q.Marker != "" {
		return []karbor.Resource{}, nil
	}
	own, err := f.Show(ctx, cloud, cloud.ProjectID(), nil)
	if err != nil {
		return nil, err
	}
	return []karbor.Resource{own}, nil
}

// Show implements protectable.Plugin.
func (finder) Show(ctx context.Context, cloud karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	if id != cloud.ProjectID() {
		return karbor.Resource{}, karbor.Errorf(karbor.NotFound, "there is no project %s", id)
	}
	name, err := openstack.ProjectName(ctx, cloud)
	if err != nil {
		return karbor.Resource{}, err
	}
	return karbor.Resource{Type: karbor.ProjectType, ID: id, Name: name}, nil
}

// Dependents implements protectable.Plugin.
func (finder) Dependents(context.Context, karbor.Cloud, karbor.Resource) ([]protectable.Dependent, error) {
	return nil, nil
}
