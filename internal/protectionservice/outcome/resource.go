package outcome

import (
	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Key names a resource in results by its original id. Two nodes of one
// resource in different roles are told apart by the role.
func Key(n *karbor.Node) string {
	if n.Role != "" {
		return n.Resource.Key() + "@" + n.Role
	}
	return n.Resource.Key()
}

// NewKey names a resource in results: TYPE#new id once there is one, before
// that as Key does.
func NewKey(g *karbor.Graph, r store.ResourceRecord) string {
	n := g.Node(r.Key)
	if r.NewID != "" {
		return string(n.Type) + "#" + r.NewID
	}
	return Key(n)
}

// Working is the state of a resource that an operation works on, and Done the one
// that it ends in.
func Working(op karbor.OperationType) karbor.ResourceState {
	switch op {
	case karbor.RestoreOperation, karbor.DrillOperation:
		return karbor.ResourceRestoring
	case karbor.Delete:
		return karbor.ResourceDeleting
	case karbor.Verify:
		return karbor.ResourceVerifying
	default:
		return karbor.ResourceProtecting
	}
}

// Done is the state that a resource ends in when its operation succeeds.
func Done(op karbor.OperationType) karbor.ResourceState {
	switch op {
	case karbor.Delete:
		return karbor.ResourceDeleted
	case karbor.Verify:
		return karbor.ResourceVerified
	default:
		return karbor.ResourceAvailable
	}
}
