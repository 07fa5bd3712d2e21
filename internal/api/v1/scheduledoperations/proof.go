package scheduledoperations

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
)

// verifyNames, drillNames and copyNames are the members of an operation_definition that
// came with api.ProofVersion: those of a verification, a drill and a copy.
func verifyNames() []string { return []string{"order", "share", "checkpoints", "depth"} }

func drillNames() []string { return []string{"order", "share", "checkpoints", "probes"} }

func copyNames() []string { return []string{"targets", "checkpoint_ids"} }

// proofView has those members on the wire.
type proofView struct {
	Order         karbor.SelectionOrder `json:"order,omitempty" doc:"From 1.5: which checkpoints a verify or a drill takes first." enum:"longest_unverified|longest_undrilled|newest"`
	Share         string                `json:"share,omitempty" doc:"From 1.5: how many of the checkpoints the runs of a day take together, in per cent."`
	Checkpoints   string                `json:"checkpoints,omitempty" doc:"From 1.5: how many checkpoints each run takes."`
	Depth         string                `json:"depth,omitempty" doc:"From 1.5: how deep a verify looks."`
	Targets       []string              `json:"targets,omitempty" doc:"From 1.5: the copy targets of a copy."`
	CheckpointIDs []string              `json:"checkpoint_ids,omitempty" doc:"From 1.5: the only checkpoints that a copy copies."`
	Probes        *karbor.DrillProbes   `json:"probes,omitempty" doc:"From 1.5: what a drill looks at, as in POST /drills."`
}

// members gives the members that a definition of a type may have; nil stands for all
// that older versions know.
func members(t karbor.ScheduledOperationType) []string {
	always := []string{"plan_id", "provider_id"}
	switch t {
	case karbor.ScheduledVerify:
		return append(always, verifyNames()...)
	case karbor.ScheduledDrill:
		return append(always, drillNames()...)
	case karbor.ScheduledCopy:
		return append(always, copyNames()...)
	case karbor.ScheduledRetention:
		return slices.Concat(always, []string{"max_backups", "retention_duration"}, keepNames())
	default:
		return always
	}
}

// orders are those of a type.
func orders(t karbor.ScheduledOperationType) []karbor.SelectionOrder {
	if t == karbor.ScheduledDrill {
		return []karbor.SelectionOrder{karbor.NewestFirst, karbor.OldestDrilled}
	}
	return []karbor.SelectionOrder{karbor.OldestVerified, karbor.NewestFirst}
}

// mostAtOnce is how many checkpoints one run works on at most.
const mostAtOnce = 1000

// checkProof checks the members of a verification, a drill and a copy.
func checkProof(t karbor.ScheduledOperationType, given map[string]any, d karbor.OperationDefinition, fault func(member string, value any, why string) error) error {
	s := d.Selection
	switch {
	case given["order"] != nil && !slices.Contains(orders(t), s.Order):
		return fault("order", string(s.Order), fmt.Sprintf("It is neither %s nor %s.", orders(t)[0], orders(t)[1]))
	case given["share"] != nil && (s.Share < 1 || s.Share > 100):
		return fault("share", s.Share, "It is not from 1 to 100 per cent.")
	case given["checkpoints"] != nil && (s.Checkpoints < 1 || s.Checkpoints > mostAtOnce):
		return fault("checkpoints", s.Checkpoints, "It is not from 1 to 1000.")
	case s.Share > 0 && s.Checkpoints > 0:
		return fault("share", s.Share, "It can't be given with checkpoints.")
	}
	for _, id := range d.CheckpointIDs {
		if !karbor.IsUUID(id) {
			return fault("checkpoint_ids", id, "It is not a valid uuid.")
		}
	}
	return nil
}

// checkType refuses types that are not known in a version.
func checkType(v api.Version, t karbor.ScheduledOperationType) error {
	if v >= api.ProofVersion || t == karbor.ScheduledProtect || t == karbor.ScheduledRetention {
		return nil
	}
	return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute scheduled_operation.operation_type. Value: %q. It is not known in version %s; it came with %s.",
		string(t), v, api.ProofVersion)
}

// namesIn gives the names of the members of a definition, and whether they have a value;
// none of one that can't be understood, which is found later, and told better.
func namesIn(raw json.RawMessage) map[string]bool {
	out := map[string]bool{}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		pairs, err := api.Pairs(text, definitionNames...)
		if err != nil {
			return nil
		}
		for name := range pairs {
			out[name] = true
		}
		return out
	}
	var given map[string]any
	if json.Unmarshal(raw, &given) != nil {
		return nil
	}
	for name, value := range given {
		out[name] = value != nil
	}
	return out
}

// knownIn refuses members of a definition that are not known in a version, or, from
// api.ProofVersion on, that its type does not have.
func knownIn(v api.Version, t karbor.ScheduledOperationType, raw json.RawMessage) error {
	given := namesIn(raw)
	came := map[string]api.Version{}
	for _, name := range keepNames() {
		came[name] = api.ControlVersion
	}
	for _, name := range slices.Concat(verifyNames(), drillNames(), copyNames()) {
		came[name] = api.ProofVersion
	}
	for _, name := range definitionNames {
		valued, there := given[name]
		if !there {
			continue
		}
		if v < came[name] {
			return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute operation_definition.%s. This member is not known in version %s; it came with %s.",
				name, v, came[name])
		}
		if v >= api.ProofVersion && valued && !slices.Contains(members(t), name) {
			return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute operation_definition.%s. It means nothing to the operation type %s.", name, t)
		}
	}
	return nil
}
