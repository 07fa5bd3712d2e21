package client

import (
	"context"
	"iter"
)

// TemporaryResource is something that an operation holds, or has held, of its project's quota in
// the cloud for a while. Microversion 1.6; what drills make from 1.8 on.
type TemporaryResource struct {
	ID           string `json:"id"`
	ProjectID    string `json:"project_id"`
	OperationID  string `json:"operation_id"`
	ProviderID   string `json:"provider_id"`
	CheckpointID string `json:"checkpoint_id"`
	// Resource is what it was made for, as TYPE#id.
	Resource string `json:"resource"`
	// Type is snapshot, volume, image, server, network, subnet, port, router, security_group or
	// floatingip; CloudID its id in the cloud, "" where the cloud has not given one yet.
	Type    string `json:"type"`
	CloudID string `json:"cloud_id"`
	// Size is in GiB; nil where it is not known.
	Size *int64 `json:"size"`
	// Status is asked (the cloud is being asked for it), held, left (its operation is over and could not remove it: Reason says why) or
	// released.
	Status     string    `json:"status"`
	Reason     string    `json:"reason"`
	HeldSince  Timestamp `json:"held_since"`
	ReleasedAt Timestamp `json:"released_at"`
}

// TemporaryUsage is how much operations hold now.
type TemporaryUsage struct {
	Snapshots TemporarySum `json:"snapshots"`
	Volumes   TemporarySum `json:"volumes"`
	Images    TemporarySum `json:"images"`
	// The others are nil before microversion 1.8; only drills hold such.
	Servers        *TemporarySum `json:"servers,omitempty"`
	Networks       *TemporarySum `json:"networks,omitempty"`
	Subnets        *TemporarySum `json:"subnets,omitempty"`
	Ports          *TemporarySum `json:"ports,omitempty"`
	Routers        *TemporarySum `json:"routers,omitempty"`
	SecurityGroups *TemporarySum `json:"security_groups,omitempty"`
	FloatingIPs    *TemporarySum `json:"floatingips,omitempty"`
}

// TemporarySum is how much operations hold now of one type.
type TemporarySum struct {
	Number int64 `json:"number"`
	// Gigabytes are of those whose size is known.
	Gigabytes int64 `json:"gigabytes"`
}

// TemporaryResources are what operations hold of the project's quota. Microversion 1.6.
type TemporaryResources struct{ c *Client }

// List iterates over what operations hold, or have held. Filters: operation_id, checkpoint_id,
// type, and status (held or released).
func (r *TemporaryResources) List(ctx context.Context, o ListOptions) iter.Seq2[TemporaryResource, error] {
	return list[TemporaryResource](ctx, r.c, call{path: "/temporary_resources", what: "listing the temporary resources"}, "temporary_resources", o)
}

// Usage sums up what operations of the project hold now.
func (r *TemporaryResources) Usage(ctx context.Context) (TemporaryUsage, error) {
	return show[TemporaryUsage](ctx, r.c, call{path: "/temporary_resources/usage", what: "summing up the temporary resources"}, "usage")
}
