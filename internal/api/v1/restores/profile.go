package restores

import (
	"context"
	"maps"

	"github.com/karbor/karbor"
)

// Profiles keeps mapping profiles; store.Store is one.
type Profiles interface {
	MappingProfile(ctx context.Context, projectID, id string) (karbor.MappingProfile, error)
}

// profiled gives the mapping of a restore over that of the profile which it names, of the
// caller's own project.
func (d Deps) profiled(ctx context.Context, project, id string, mapping map[string]any) (map[string]any, error) {
	if id == "" {
		return mapping, nil
	}
	if !karbor.IsUUID(id) {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute restore.profile. It is not the id of a mapping profile.")
	}
	p, err := d.Store.MappingProfile(ctx, project, id)
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute restore.profile. There is no mapping profile %s.", id)
	}
	if err != nil {
		return nil, err
	}
	return overlaid(p.Mapping, mapping), nil
}

// overlaid gives a mapping over another one: of a kind that both map, what each says of an
// original.
func overlaid(below, above map[string]any) map[string]any {
	out := maps.Clone(below)
	if out == nil {
		out = map[string]any{}
	}
	for member, value := range above {
		first, both := out[member].(map[string]any)
		second, object := value.(map[string]any)
		if !both || !object {
			out[member] = value
			continue
		}
		merged := maps.Clone(first)
		maps.Copy(merged, second)
		out[member] = merged
	}
	return out
}
