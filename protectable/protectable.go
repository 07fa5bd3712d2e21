// Package protectable is the contract of a protectable plug-in: it lists and
// shows the instances of one resource type that a tenant can protect, and finds
// those that another resource depends on. protectabletest is the suite that each
// plug-in passes.
package protectable

import (
	"context"

	"github.com/karbor/karbor"
)

// Query narrows a list of instances.
type Query struct {
	// Limit is the most instances to give; 0 means all.
	Limit int
	// Marker is the id of the last instance seen.
	Marker string
	// Parameters are the caller's own for this plug-in.
	Parameters map[string]any
}

// Dependent is a resource that another depends on.
type Dependent struct {
	karbor.Resource
	// Private says that the resource takes part only in the role that it has for
	// this one parent (the image of a server): its node is then the parent's own.
	Private bool
}

// Plugin finds resources of one type. Methods may be called concurrently. They
// see what the cloud shows to the session's user, and nothing else: a resource of
// another project is karbor.NotFound.
type Plugin interface {
	// Type is the type that it finds.
	Type() karbor.ResourceType
	// Parents are the types whose resources may depend on this type.
	Parents() []karbor.ResourceType
	// List gives the instances that can be protected, in a fixed order, without
	// those in a state that can't (a deleted server).
	List(ctx context.Context, cloud karbor.Cloud, q Query) ([]karbor.Resource, error)
	// Show gives one instance. The error is karbor.NotFound if there is none.
	Show(ctx context.Context, cloud karbor.Cloud, id string, parameters map[string]any) (karbor.Resource, error)
	// Dependents gives the resources of this type that parent depends on; none
	// if parent's type is not among Parents. A parent that does not exist is
	// karbor.NotFound.
	Dependents(ctx context.Context, cloud karbor.Cloud, parent karbor.Resource) ([]Dependent, error)
}

// Sizer is a Plugin that can tell how much data there is to protect in a resource.
type Sizer interface {
	Plugin
	// Size gives the logical bytes of a resource, as far as they are known before it
	// is read; 0 if they are not. A resource that is not there is karbor.NotFound.
	Size(ctx context.Context, cloud karbor.Cloud, r karbor.Resource) (int64, error)
}
