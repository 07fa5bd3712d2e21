package inventory

import (
	"fmt"
	"strings"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// absence knows which types are left out of a graph, as their service is absent or does
// not answer, and the plan lets a project be protected without them. It is safe for
// concurrent use.
type absence struct {
	parameters karbor.Parameters

	mu sync.Mutex
	// reasons are by the project's node and the type.
	reasons map[*karbor.Node]map[karbor.ResourceType]string
}

// out reports whether a type is left out of the whole graph.
func (a *absence) out(t karbor.ResourceType) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, types := range a.reasons {
		if types[t] != "" {
			return true
		}
	}
	return false
}

// leave takes the error of looking for a node's dependents of a type: nil if they are
// left out, and else the error to tell.
func (a *absence) leave(n *karbor.Node, t karbor.ResourceType, err error) error {
	if n.Type != karbor.ProjectType || karbor.KindOf(err) != karbor.NotImplemented && karbor.KindOf(err) != karbor.Unavailable {
		return refuse(err, "finding the dependents of", fmt.Sprintf("%s %s (%s)", n.Type, n.ID, n.Name))
	}
	if asked, _ := a.parameters.For(n.Resource)[protection.AbsentServices].(string); asked != protection.ReportAbsent {
		told := fmt.Errorf("the project's resources of type %s can't be found, so that they would be missing in the checkpoint: %w", t, err)
		return &karbor.Error{Kind: karbor.KindOf(err), Transient: karbor.IsTransient(err), Cause: err,
			Message: fmt.Sprintf("%s. The plan can leave them out: parameter %q of %s, value %q", strings.TrimSuffix(told.Error(), "."),
				protection.AbsentServices, karbor.ProjectType, protection.ReportAbsent)}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reasons == nil {
		a.reasons = map[*karbor.Node]map[karbor.ResourceType]string{}
	}
	if a.reasons[n] == nil {
		a.reasons[n] = map[karbor.ResourceType]string{}
	}
	a.reasons[n][t] = karbor.Sentence(err)
	return nil
}

// note writes what was left out into the projects' nodes.
func (a *absence) note() error {
	for n, reasons := range a.reasons {
		if err := protection.WithAbsent(n, reasons); err != nil {
			return err
		}
	}
	return nil
}
