// Package outcome says how an operation ends: the state and the reason of each resource, what
// is left of those that could not be undone, what a verification has found, and how much a
// checkpoint added to its bank. It is made of the graph, the records and the failures of the
// steps alone.
package outcome

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// Failed is how an operation of a kind ends when it failed.
func Failed(op karbor.OperationType) store.Outcome {
	switch op {
	case karbor.Protect:
		return store.Outcome{CheckpointStatus: karbor.CheckpointError, LogStatus: karbor.LogStatus(karbor.CheckpointError)}
	case karbor.Delete:
		return store.Outcome{CheckpointStatus: karbor.CheckpointErrorDeleting, LogStatus: karbor.LogStatus(karbor.CheckpointErrorDeleting)}
	case karbor.DrillOperation:
		return store.Outcome{LogStatus: karbor.LogError}
	case karbor.Verify:
		return store.Outcome{VerificationStatus: karbor.VerificationError, LogStatus: karbor.LogError}
	default:
		return store.Outcome{RestoreStatus: karbor.RestoreFail, LogStatus: karbor.LogError}
	}
}

// Failures are those of an operation's steps.
type Failures struct {
	// Cancelled is who cancelled it and why, as a sentence; "" if nobody has.
	Cancelled string
	// general are of steps of no resource, hooks by resource, in the order in which they
	// happened.
	general []string
	hooks   map[karbor.NodeKey][]string
	// Undo says, by resource, why what was made could not be removed.
	Undo map[karbor.NodeKey][]string
	// all has each text once, in that order.
	all []string
	// Kept are the resources that stay.
	Kept map[karbor.NodeKey]bool
	// Told has, by resource, more sentences for its reason.
	Told map[karbor.NodeKey][]string
}

// Sort sorts what a flow says of its failure.
func Sort(g *karbor.Graph, f *workflow.Failure) Failures {
	out := Failures{hooks: map[karbor.NodeKey][]string{}, Undo: map[karbor.NodeKey][]string{}}
	if f == nil {
		return out
	}
	out.Cancelled = f.Cancelled
	for _, e := range f.Steps {
		hook, n := flow.NodeOf(g, e.Step)
		text := e.Sentence
		switch {
		case n == nil:
			out.general = append(out.general, text)
		case hook == flow.Undo:
			out.Undo[n.Key()] = append(out.Undo[n.Key()], text)
			text = notUndone + text
		default:
			out.hooks[n.Key()] = append(out.hooks[n.Key()], text)
		}
		if !slices.Contains(out.all, text) {
			out.all = append(out.all, text)
		}
	}
	return out
}

// Text says in one text why the operation failed.
func (f Failures) Text() string {
	parts := f.all
	if f.Cancelled != "" {
		parts = append([]string{f.Cancelled}, parts...)
	}
	return strings.Join(parts, "; ")
}

// Before says in one text why what comes before the undo failed; "" if it did not.
func (f Failures) Before() string {
	parts := slices.Clone(f.general)
	for _, text := range f.all {
		for _, hooks := range f.hooks {
			if slices.Contains(hooks, text) {
				parts = append(parts, text)
				break
			}
		}
	}
	return strings.Join(slices.Compact(parts), "; ")
}

// reason says why a resource failed, and what of it is left.
func (f Failures) reason(n *karbor.Node, r store.ResourceRecord) string {
	var parts []string
	switch {
	case len(f.hooks[r.Key]) > 0:
		parts = slices.Clone(f.hooks[r.Key])
	case len(f.general) > 0:
		parts = slices.Clone(f.general)
	case f.Cancelled != "":
		parts = []string{f.Cancelled}
	default:
		parts = []string{stopped}
	}
	for _, text := range f.Undo[r.Key] {
		parts = append(parts, notUndone+text)
	}
	if f.Kept[r.Key] {
		parts = append(parts, keptPart)
	}
	parts = append(parts, f.Told[r.Key]...)
	if r.NewID != "" {
		parts = append(parts, fmt.Sprintf("the new %s %s is left", n.Type.Word(), r.NewID))
	}
	return strings.Join(slices.Compact(parts), "; ")
}

// Explain fills in the state and reason of each resource, by its original id.
func (f Failures) Explain(o *store.Outcome, g *karbor.Graph, rows []store.ResourceRecord) {
	o.ResourcesStatus = make(map[string]karbor.ResourceState, len(rows))
	o.ResourcesReason = make(map[string]string, len(rows))
	o.Records = make(map[karbor.NodeKey]store.RecordOutcome, len(rows))
	for _, r := range rows {
		n := g.Node(r.Key)
		key, reason := Key(n), f.reason(n, r)
		if f.Kept[r.Key] && r.State == karbor.ResourceAvailable {
			key = NewKey(g, r)
			o.ResourcesStatus[key], o.ResourcesReason[key] = r.State, keptWhole
			o.Records[r.Key] = store.RecordOutcome{State: r.State, Reason: keptWhole}
			continue
		}
		if o.VerificationStatus != "" && r.State == karbor.ResourceVerified {
			o.ResourcesStatus[key], o.Records[r.Key] = r.State, store.RecordOutcome{State: r.State}
			continue
		}
		if o.VerificationStatus != "" && r.State == karbor.ResourceError {
			reason = r.Reason // what was found before
		}
		o.ResourcesStatus[key], o.ResourcesReason[key] = karbor.ResourceError, reason
		o.Records[r.Key] = store.RecordOutcome{State: karbor.ResourceError, Reason: reason}
	}
}

// Recall has an operation that is ended as failed once more tell the reasons that were recorded the
// first time, by resource, or for all under "": what has failed since is that it is over.
func Recall(o *store.Outcome, g *karbor.Graph, rows []store.ResourceRecord, reasons map[string]string) {
	o.Reasons = reasons
	var texts []string
	add := func(text string) {
		if text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	add(reasons[""])
	for _, r := range rows {
		key := Key(g.Node(r.Key))
		text := cmp.Or(reasons[key], reasons[""])
		if text == "" {
			continue
		}
		add(text)
		o.ResourcesReason[key] = text
		o.Records[r.Key] = store.RecordOutcome{State: o.Records[r.Key].State, Reason: text}
	}
	o.ErrorInfo = strings.Join(texts, "; ")
}

const (
	// stopped is the reason of a resource that did not fail itself.
	stopped = "stopped, as the operation failed elsewhere"
	// notUndone begins what an undo failed with.
	notUndone = "what was made could not be removed: "
	// keptWhole is the reason of a resource that stays, though its restore failed.
	keptWhole = "it is restored, and was kept, as it was asked for, when the restore failed elsewhere"
	// keptPart is what stays of a resource that is not whole.
	keptPart = "what was made of it was kept, as it holds what is restored"
)

// Left gives the resources that were not undone, with the reasons.
func (f Failures) Left() map[karbor.NodeKey]string {
	left := make(map[karbor.NodeKey]string, len(f.Undo))
	for key, reasons := range f.Undo {
		left[key] = strings.Join(reasons, "; ")
	}
	return left
}
