package outcome

import (
	"fmt"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Verified is how a verification ends whose hooks are all over.
func Verified(g *karbor.Graph, rows []store.ResourceRecord) store.Outcome {
	o := store.Outcome{VerificationStatus: karbor.VerificationSuccess, LogStatus: karbor.LogSuccess}
	o.ResourcesStatus, o.ResourcesReason = map[string]karbor.ResourceState{}, map[string]string{}
	o.Records = make(map[karbor.NodeKey]store.RecordOutcome, len(rows))
	reasons := findings(g, rows)
	for _, r := range rows {
		key, state := Key(g.Node(r.Key)), karbor.ResourceVerified
		if reason := reasons[r.Key]; reason != "" {
			state, o.ResourcesReason[key] = karbor.ResourceError, reason
			if o.ErrorInfo == "" || r.State == karbor.ResourceError {
				o.ErrorInfo = reason // one that was found, rather than one that follows
			}
			o.VerificationStatus, o.LogStatus = karbor.VerificationError, karbor.LogError
		}
		o.ResourcesStatus[key] = state
		o.Records[r.Key] = store.RecordOutcome{State: state, Reason: reasons[r.Key]}
	}
	return o
}

// findings gives the reason of each resource that is not good: what was found of it, or that
// it needs another one that is not good. A project needs none of what is in it.
func findings(g *karbor.Graph, rows []store.ResourceRecord) map[karbor.NodeKey]string {
	reasons := map[karbor.NodeKey]string{}
	for _, r := range rows {
		if r.State == karbor.ResourceError {
			reasons[r.Key] = r.Reason
		}
	}
	for more := len(reasons) > 0; more; {
		more = false
		for _, n := range g.Nodes() {
			if n.Type == karbor.ProjectType || reasons[n.Key()] != "" {
				continue
			}
			for _, child := range n.Children {
				if reasons[child] == "" {
					continue
				}
				c := g.Node(child)
				reasons[n.Key()] = fmt.Sprintf("it needs the %s %s, which is not good", c.Type.Word(), c.ID)
				more = true
				break
			}
		}
	}
	return reasons
}
