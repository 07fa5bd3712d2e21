// Package v1 lists what version 1 of the API serves: one room per resource.
package v1

import (
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/applicationcredentials"
	"github.com/karbor/karbor/internal/api/v1/checkpoints"
	"github.com/karbor/karbor/internal/api/v1/operationlogs"
	"github.com/karbor/karbor/internal/api/v1/plans"
	"github.com/karbor/karbor/internal/api/v1/protectables"
	"github.com/karbor/karbor/internal/api/v1/providers"
	"github.com/karbor/karbor/internal/api/v1/restores"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// Store is all that the rooms ask of the database; store.Store is one.
type Store interface {
	plans.Store
	checkpoints.Store
	restores.Store
	operationlogs.Store
}

// Service is all that the rooms ask of the protection service;
// protectionservice.Service is one.
type Service interface {
	plans.Checker
	providers.Service
	protectables.Service
	checkpoints.Service
	restores.Service
	applicationcredentials.Service
}

var (
	_ Store   = (*store.Store)(nil)
	_ Service = (*protectionservice.Service)(nil)
)

// Deps are what the rooms need.
type Deps struct {
	Store   Store
	Service Service
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
	// PlanQuota is the most plans of a project; -1 is no limit.
	PlanQuota int
	Now       func() time.Time
}

// Routes gives everything that version 1 serves.
func Routes(d Deps) []api.Route {
	return slices.Concat(
		providers.Routes(providers.Deps{Service: d.Service}),
		protectables.Routes(protectables.Deps{Service: d.Service, Session: d.Session}),
		plans.Routes(plans.Deps{Store: d.Store, Checker: d.Service, Quota: d.PlanQuota, Now: d.Now}),
		checkpoints.Routes(checkpoints.Deps{Store: d.Store, Service: d.Service, Session: d.Session}),
		restores.Routes(restores.Deps{Store: d.Store, Service: d.Service, Session: d.Session}),
		operationlogs.Routes(operationlogs.Deps{Store: d.Store}),
		applicationcredentials.Routes(applicationcredentials.Deps{Service: d.Service}),
	)
}
