// Package v1 lists what version 1 of the API serves: one room per resource.
package v1

import (
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/api/v1/applicationcredentials"
	"github.com/karbor/karbor/internal/api/v1/checkpoints"
	"github.com/karbor/karbor/internal/api/v1/compliance"
	"github.com/karbor/karbor/internal/api/v1/copies"
	"github.com/karbor/karbor/internal/api/v1/drills"
	"github.com/karbor/karbor/internal/api/v1/mappingprofiles"
	"github.com/karbor/karbor/internal/api/v1/operationlogs"
	"github.com/karbor/karbor/internal/api/v1/operations"
	"github.com/karbor/karbor/internal/api/v1/plans"
	"github.com/karbor/karbor/internal/api/v1/protectables"
	"github.com/karbor/karbor/internal/api/v1/providers"
	"github.com/karbor/karbor/internal/api/v1/quotaclasses"
	"github.com/karbor/karbor/internal/api/v1/quotas"
	"github.com/karbor/karbor/internal/api/v1/restores"
	"github.com/karbor/karbor/internal/api/v1/retentions"
	"github.com/karbor/karbor/internal/api/v1/scheduledoperations"
	"github.com/karbor/karbor/internal/api/v1/services"
	"github.com/karbor/karbor/internal/api/v1/temporaryresources"
	"github.com/karbor/karbor/internal/api/v1/triggers"
	"github.com/karbor/karbor/internal/api/v1/verifications"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/quota"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/trigger"
)

// Store is all that the rooms ask of the database; store.Store is one.
type Store interface {
	plans.Store
	checkpoints.Store
	restores.Store
	mappingprofiles.Store
	operationlogs.Store
	verifications.Store
	drills.Store
	copies.Store
	triggers.Store
	scheduledoperations.Store
	services.Store
	temporaryresources.Store
}

// Service is all that the rooms ask of the protection service;
// protectionservice.Service is one.
type Service interface {
	plans.Checker
	providers.Service
	checkpoints.Service
	restores.Service
	verifications.Service
	drills.Service
	operations.Service
	copies.Service
	retentions.Service
	scheduledoperations.Service
}

// Delegations is all that the rooms ask of what users lend; delegation.Registry is one.
type Delegations interface {
	applicationcredentials.Delegations
	scheduledoperations.Delegations
}

// Quotas is all that the rooms ask of the quotas; quota.Quotas is one.
type Quotas interface {
	quotas.Quotas
	quotaclasses.Quotas
}

var (
	_ Store                  = (*store.Store)(nil)
	_ Service                = (*protectionservice.Service)(nil)
	_ Delegations            = (*delegation.Registry)(nil)
	_ protectables.Inventory = (*inventory.Finder)(nil)
	_ Quotas                 = (*quota.Quotas)(nil)
)

// Deps are what the rooms need.
type Deps struct {
	Store       Store
	Service     Service
	Delegations Delegations
	// Inventory finds what can be protected.
	Inventory protectables.Inventory
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
	Quotas  Quotas
	// Limits are the configured quotas of each project.
	Limits store.Limits
	// MappingProfiles is how many a project may have; negative for no limit.
	MappingProfiles int
	// Triggers bound what triggers may ask for.
	Triggers trigger.Limits
	// ServiceDownTime is how long after its last report a service counts as down.
	ServiceDownTime time.Duration
	// Compliance makes reports on what is protected.
	Compliance compliance.Reporter
	// Wake tells the operation engine of this process that schedules have changed; nil
	// for none.
	Wake func()
	Now  func() time.Time
}

// Routes gives everything that version 1 serves.
func Routes(d Deps) []api.Route {
	return slices.Concat(
		providers.Routes(providers.Deps{Service: d.Service}),
		protectables.Routes(protectables.Deps{Inventory: d.Inventory, Session: d.Session}),
		plans.Routes(plans.Deps{Store: d.Store, Checker: d.Service, Limits: d.Limits, Now: d.Now}),
		retentions.Routes(retentions.Deps{Store: d.Store, Service: d.Service, Session: d.Session}),
		checkpoints.Routes(checkpoints.Deps{Store: d.Store, Service: d.Service, Session: d.Session, Now: d.Now}),
		restores.Routes(restores.Deps{Store: d.Store, Service: d.Service, Session: d.Session}),
		mappingprofiles.Routes(mappingprofiles.Deps{Store: d.Store, Limit: d.MappingProfiles, Now: d.Now}),
		operationlogs.Routes(operationlogs.Deps{Store: d.Store}),
		operations.Routes(operations.Deps{Service: d.Service}),
		applicationcredentials.Routes(applicationcredentials.Deps{Delegations: d.Delegations}),
		verifications.Routes(verifications.Deps{Store: d.Store, Service: d.Service, Session: d.Session}),
		drills.Routes(drills.Deps{Store: d.Store, Service: d.Service, Session: d.Session}),
		copies.Routes(copies.Deps{Store: d.Store, Service: d.Service, Session: d.Session}),
		quotas.Routes(quotas.Deps{Quotas: d.Quotas}),
		quotaclasses.Routes(quotaclasses.Deps{Quotas: d.Quotas}),
		triggers.Routes(triggers.Deps{Store: d.Store, Limits: d.Triggers, Wake: d.Wake, Now: d.Now}),
		scheduledoperations.Routes(scheduledoperations.Deps{
			Store: d.Store, Delegations: d.Delegations, Service: d.Service, Wake: d.Wake, Now: d.Now,
		}),
		temporaryresources.Routes(temporaryresources.Deps{Store: d.Store}),
		compliance.Routes(compliance.Deps{Reporter: d.Compliance, Session: d.Session}),
		services.Routes(services.Deps{Store: d.Store, DownTime: d.ServiceDownTime, Now: d.Now}),
	)
}
