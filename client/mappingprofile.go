package client

import (
	"context"
	"iter"
	"net/http"
)

// MappingProfile is a mapping for restores that a project keeps under a name.
// Microversion 1.5.
type MappingProfile struct {
	ID          string         `json:"id"`
	ProjectID   string         `json:"project_id"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Mapping     map[string]any `json:"mapping"`
	CreatedAt   Timestamp      `json:"created_at"`
}

// MappingProfileRequest asks for a mapping profile. Name and Mapping are required.
type MappingProfileRequest struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Mapping     map[string]any `json:"mapping"`
}

// MappingProfiles are the mapping profiles of the API. Microversion 1.5.
type MappingProfiles struct{ c *Client }

const mappingProfileKey = "mapping_profile"

func mappingProfilePath(id string) string { return "/mapping_profiles/" + escape(id) }

// List iterates over the mapping profiles. Filters: name, project_id.
func (p *MappingProfiles) List(ctx context.Context, o ListOptions) iter.Seq2[MappingProfile, error] {
	return list[MappingProfile](ctx, p.c, call{path: "/mapping_profiles", what: "listing the mapping profiles"}, "mapping_profiles", o)
}

// Show gets one mapping profile.
func (p *MappingProfiles) Show(ctx context.Context, id string) (MappingProfile, error) {
	return show[MappingProfile](ctx, p.c, call{path: mappingProfilePath(id), what: "getting the mapping profile " + id}, mappingProfileKey)
}

// Create makes a mapping profile. A name that the project has already is karbor.Conflict.
func (p *MappingProfiles) Create(ctx context.Context, r MappingProfileRequest) (MappingProfile, error) {
	return create[MappingProfile](ctx, p.c, call{path: "/mapping_profiles",
		body: map[string]any{mappingProfileKey: r}, what: "creating the mapping profile " + r.Name}, mappingProfileKey)
}

// Delete deletes a mapping profile.
func (p *MappingProfiles) Delete(ctx context.Context, id string) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: mappingProfilePath(id), what: "deleting the mapping profile " + id}, nil)
}
