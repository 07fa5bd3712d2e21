package karbor

import "time"

// DependentsChoice says what becomes of the resources that a restored one depends on and
// that were not chosen themselves.
type DependentsChoice string

const (
	// DependentsRestore restores them too. It is what holds without a choice.
	DependentsRestore DependentsChoice = "restore"
	// DependentsExisting takes the originals, which must still be there.
	DependentsExisting DependentsChoice = "existing"
	// DependentsRefuse refuses the restore if there is one.
	DependentsRefuse DependentsChoice = "refuse"
)

// MaxStages bounds the stages of a restore.
const MaxStages = 50

// MaxStageDelay bounds the pause before a stage.
const MaxStageDelay = 24 * time.Hour

// RestoreChoices say which of a checkpoint's resources a restore brings back, in which
// order, and what takes the place of what is not in the target. The zero value restores
// all, as it was. Its JSON form is the API's (docs/api, microversion 1.4).
type RestoreChoices struct {
	// Resources are the keys of the chosen ones (Resource.Key); none stands for all.
	Resources []string `json:"resources,omitempty"`
	// Dependents is for a restore of chosen resources only; "" is DependentsRestore.
	Dependents DependentsChoice `json:"dependents,omitempty"`
	// Mapping holds restore parameters without their prefix "restore_", for all types
	// whose restore schema has them: "networks", "flavors", "name_prefix" and so on.
	Mapping map[string]any `json:"mapping,omitempty"`
	// Stages are put together one after the other; what is in none waits for nobody.
	Stages []RestoreStage `json:"stages,omitempty"`
	// InPlace overwrites the originals instead of making new resources (microversion 1.5).
	// SafetyCheckpointID is the checkpoint that was made of them before: to restore that in
	// place undoes it. The service sets it.
	InPlace            bool   `json:"in_place,omitempty"`
	SafetyCheckpointID string `json:"safety_checkpoint_id,omitempty"`
}

// IsZero reports whether all is restored, as it was.
func (c RestoreChoices) IsZero() bool {
	return len(c.Resources) == 0 && c.Dependents == "" && len(c.Mapping) == 0 && len(c.Stages) == 0 && !c.InPlace
}

// RestoreStage is a group of resources that are put together only when those of the
// stage before are.
type RestoreStage struct {
	// Resources are the keys of its resources (Resource.Key).
	Resources []string `json:"resources"`
	// Delay is the pause after the stage before, in whole seconds, 0 to MaxStageDelay.
	Delay int64 `json:"delay,omitempty"`
}
