// Package services serves the list of Karbor's own services: which run, on which
// hosts, and which of them take new work.
package services

import (
	"cmp"
	"context"
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps services; store.Store is one.
type Store interface {
	Services(ctx context.Context, f store.ServiceFilter) ([]karbor.Service, error)
	UpdateService(ctx context.Context, id int64, change func(*karbor.Service) error) (karbor.Service, error)
}

// Deps are what the room needs.
type Deps struct {
	Store Store
	// DownTime is how long after its last report a service counts as down.
	DownTime time.Duration
	Now      func() time.Time
}

//go:embed update.json
var updateSchema []byte

// sortKeys are those of a list of services.
var sortKeys = []string{"id", "host", "binary", "updated_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	return []api.Route{
		{
			Method: "GET", Pattern: "/os-services", Rule: "service:get_all", Handle: d.list,
			Summary: "List the services", Description: "Without another order, in that of their numbers.",
			Query:  api.PageQuery(sortKeys, api.FilterQuery("host"), api.FilterQuery("binary", karbor.OperationEngineBinary, karbor.ProtectionBinary)),
			Answer: api.ListShape("services", view{}),
		},
		{
			Method: "PUT", Pattern: "/os-services/{id}", Rule: "service:update", Body: updateSchema, Handle: d.update,
			Summary: "Enable or disable a service", Description: "Only a karbor-operationengine can be disabled: it takes no new scheduled work then.",
			Answer: answer{},
		},
	}
}

// The words of status and state.
const (
	enabled  = "enabled"
	disabled = "disabled"
	up       = "up"
	down     = "down"
)

// view is a service on the wire.
type view struct {
	ID             int64   `json:"id"`
	Binary         string  `json:"binary" enum:"karbor-operationengine|karbor-protection"`
	Host           string  `json:"host"`
	Status         string  `json:"status" enum:"enabled|disabled"`
	State          string  `json:"state" enum:"up|down" doc:"By the service's last report."`
	UpdatedAt      *string `json:"updated_at" format:"date-time" doc:"The service's last report."`
	DisabledReason *string `json:"disabled_reason"`
	// Version is there from api.ControlVersion on.
	Version *string `json:"version,omitempty" doc:"From 1.4: that of the program; not there if it is not known."`
}

type answer struct {
	Service view `json:"service"`
}

func (d Deps) viewOf(s karbor.Service, version api.Version) view {
	v := view{
		ID: s.ID, Binary: s.Binary, Host: s.Host, Status: enabled, State: down,
		UpdatedAt: api.Time(s.UpdatedAt), DisabledReason: api.Text(s.DisabledReason),
	}
	if s.Disabled {
		v.Status = disabled
	}
	if version >= api.ControlVersion {
		v.Version = api.Text(s.Version)
	}
	if s.Up(d.Now(), d.DownTime) {
		v.State = up
	}
	return v
}

func (d Deps) list(ctx context.Context, r *api.Request) (any, error) {
	page, err := r.Page(sortKeys...)
	if err != nil {
		return nil, err
	}
	found, err := d.Store.Services(ctx, store.ServiceFilter{Host: r.Filter("host"), Binary: r.Filter("binary")})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, order(page.Sort))
	found, err = api.Window(page, found, func(s karbor.Service) string { return strconv.FormatInt(s.ID, 10) })
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, s := range found {
		views[i] = d.viewOf(s, r.Version)
	}
	return api.List(r, "services", page, views, func(v view) string { return strconv.FormatInt(v.ID, 10) }), nil
}

// order compares services, which come in the order of their numbers.
func order(sort []store.Sort) func(a, b karbor.Service) int {
	return func(a, b karbor.Service) int {
		for _, s := range sort {
			c := map[string]int{
				"id": cmp.Compare(a.ID, b.ID), "host": strings.Compare(a.Host, b.Host),
				"binary": strings.Compare(a.Binary, b.Binary), "updated_at": a.UpdatedAt.Compare(b.UpdatedAt),
			}[s.Key]
			if s.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
}

func (d Deps) update(ctx context.Context, r *api.Request) (any, error) {
	id, err := strconv.ParseInt(r.Path("id"), 10, 64)
	if err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid id provided: %.80q is not the number of a service.", r.Path("id"))
	}
	var body struct {
		Status         string `json:"status"`
		DisabledReason string `json:"disabled_reason"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	if body.Status == enabled && body.DisabledReason != "" {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute disabled_reason: it goes with the status %s only.", disabled)
	}
	s, err := d.Store.UpdateService(ctx, id, func(s *karbor.Service) error {
		if s.Binary != karbor.OperationEngineBinary {
			return karbor.Errorf(karbor.Invalid, "The service %d is a %s; only a %s can be enabled and disabled.", s.ID, s.Binary, karbor.OperationEngineBinary)
		}
		s.Disabled, s.DisabledReason = body.Status == disabled, body.DisabledReason
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer{d.viewOf(s, r.Version)}, nil
}
