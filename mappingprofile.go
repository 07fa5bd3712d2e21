package karbor

import "time"

// MappingProfile is a mapping that a project keeps under a name, for restores: what takes
// the place of what in another project, region or cloud.
type MappingProfile struct {
	ID, ProjectID string
	// Name is unique in the project.
	Name, Description string
	// Mapping is as in RestoreChoices.
	Mapping              map[string]any
	CreatedAt, UpdatedAt time.Time
}
