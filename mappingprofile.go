package karbor

import "time"

// MaxMappingProfiles bounds the mapping profiles of a project.
const MaxMappingProfiles = 100

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
