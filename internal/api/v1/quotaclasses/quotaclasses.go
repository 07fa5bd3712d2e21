// Package quotaclasses serves the quota classes. The class named default has the
// defaults of all projects; a project is in no other.
package quotaclasses

import (
	"context"
	_ "embed"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/limits"
	"github.com/karbor/karbor/internal/store"
)

// Quotas are the quotas of all classes; quota.Quotas is one.
type Quotas interface {
	Class(ctx context.Context, name string) (store.Limits, error)
	SetClass(ctx context.Context, name string, l store.Limits) (store.Limits, error)
}

// Deps are what the room needs.
type Deps struct {
	Quotas Quotas
}

//go:embed update.json
var updateSchema []byte

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	const one = "/quota_classes/{id}"
	return []api.Route{
		{
			Method: "GET", Pattern: one, Rule: "quota_class:get", Handle: d.show,
			Summary:     "Show a quota class",
			Description: "The class `default` has the defaults of all projects. What a class does not set is as configured, also in one that nobody has made.",
			Answer:      answer{},
		},
		{
			Method: "PUT", Pattern: one, Rule: "quota_class:update", Body: updateSchema, Handle: d.update,
			Summary: "Change a quota class", Description: "Members that are left out stay.", Answer: answer{},
		},
	}
}

// view is a quota class on the wire.
type view struct {
	ID string `json:"id" doc:"Name of the class."`
	limits.View
}

type answer struct {
	Class view `json:"quota_class"`
}

// class gives the name of the path.
func class(r *api.Request) (string, error) {
	name := r.Path("id")
	if !karbor.IsResourceID(name) {
		return "", karbor.Errorf(karbor.Invalid, "Invalid id provided: %.80q is not the name of a quota class: letters, digits, '.', '_' and '-'.", name)
	}
	return name, nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	name, err := class(r)
	if err != nil {
		return nil, err
	}
	l, err := d.Quotas.Class(ctx, name)
	return answer{view{name, limits.Of(l, r.Version)}}, err
}

func (d Deps) update(ctx context.Context, r *api.Request) (any, error) {
	name, err := class(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Class limits.Change `json:"quota_class"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	change, err := body.Class.Limits("quota_class", r.Version)
	if err != nil {
		return nil, err
	}
	l, err := d.Quotas.SetClass(ctx, name, change)
	return answer{view{name, limits.Of(l, r.Version)}}, err
}
