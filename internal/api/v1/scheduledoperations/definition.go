package scheduledoperations

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
)

// definitionNames are the members of an operation_definition.
var definitionNames = slices.Concat([]string{"plan_id", "provider_id", "max_backups", "retention_duration"}, keepNames(), verifyNames(), copyNames(), []string{"probes"})

// The most of the numbers.
const (
	maxBackups   = 1_000_000
	maxRetention = 36_500
)

// definitionFor reads the operation_definition of an operation of a type.
func definitionFor(v api.Version, t karbor.ScheduledOperationType, raw json.RawMessage) (karbor.OperationDefinition, error) {
	if err := knownIn(v, t, raw); err != nil {
		return karbor.OperationDefinition{}, err
	}
	d, err := parseDefinition(t, raw)
	if err == nil && t == karbor.ScheduledRetention && !d.Retention("").Limited() {
		err = karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute operation_definition: a %s needs max_backups, retention_duration or both, or a keep rule.", t)
	}
	return d, err
}

// parseDefinition reads an operation_definition: an object, which has passed its
// schema, or a text in which the original's client writes one.
func parseDefinition(t karbor.ScheduledOperationType, raw json.RawMessage) (karbor.OperationDefinition, error) {
	var d karbor.OperationDefinition
	var text string
	if json.Unmarshal(raw, &text) == nil {
		pairs, err := api.Pairs(text, definitionNames...)
		if err != nil {
			return d, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute operation_definition. %s", karbor.Sentence(err))
		}
		if raw, err = json.Marshal(pairs); err != nil {
			return d, err
		}
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute operation_definition: %s.", karbor.Sentence(err))
	}
	d.PlanID, d.ProviderID = strings.ToLower(d.PlanID), strings.ToLower(d.ProviderID)
	for i, id := range d.CheckpointIDs {
		d.CheckpointIDs[i] = strings.ToLower(id)
	}
	return d, checkDefinition(t, raw, d)
}

// checkDefinition checks what no schema has seen where the definition was a text.
func checkDefinition(t karbor.ScheduledOperationType, raw json.RawMessage, d karbor.OperationDefinition) error {
	fault := func(member string, value any, why string) error {
		return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute operation_definition.%s. Value: %#v. %s", member, value, why)
	}
	var given map[string]any
	if err := json.Unmarshal(raw, &given); err != nil {
		return err
	}
	anyPlan := given["plan_id"] == nil && (t == karbor.ScheduledVerify || t == karbor.ScheduledDrill)
	for _, name := range []string{"plan_id", "provider_id"} {
		if given[name] == nil && !(name == "plan_id" && anyPlan) {
			return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute operation_definition.%s. It is required.", name)
		}
	}
	switch {
	case !anyPlan && !karbor.IsUUID(d.PlanID):
		return fault("plan_id", d.PlanID, "It is not a valid uuid.")
	case !karbor.IsUUID(d.ProviderID):
		return fault("provider_id", d.ProviderID, "It is not a valid uuid.")
	case given["max_backups"] != nil && (d.MaxBackups < 1 || d.MaxBackups > maxBackups):
		return fault("max_backups", d.MaxBackups, "It is not from 1 to 1000000.")
	case given["retention_duration"] != nil && (d.RetentionDuration < 1 || d.RetentionDuration > maxRetention):
		return fault("retention_duration", d.RetentionDuration, "It is not from 1 to 36500 days.")
	}
	for name, value := range keepRules(d) {
		if given[name] != nil && (value < 1 || value > maxBackups) {
			return fault(name, value, "It is not from 1 to 1000000.")
		}
	}
	return checkProof(t, given, d, fault)
}
