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

// Succeeded fills in how each resource ends of an operation all of whose hooks have done their work.
func Succeeded(o *store.Outcome, op store.Operation, rows []store.ResourceRecord) {
	o.ResourcesStatus, o.ResourcesReason = map[string]karbor.ResourceState{}, map[string]string{}
	o.Records = make(map[karbor.NodeKey]store.RecordOutcome, len(rows))
	for _, r := range rows {
		o.ResourcesStatus[NewKey(op.Graph, r)] = Done(op.Type)
		o.Records[r.Key] = store.RecordOutcome{State: Done(op.Type)}
	}
}
