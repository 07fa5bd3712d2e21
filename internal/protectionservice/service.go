// Package protectionservice is the protection service: it answers what can be
// protected, accepts operations (protect, restore, delete), writes their flows,
// and does the steps of those flows.
//
// Each type of operation has a room: protect, restore, deletion, verify, drills and copies accept
// what they are asked, and have what is their own in its steps. The service joins the rooms: it is
// what all of them offer, maps the engine's steps onto them, and ends what failed.
package protectionservice

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/attempt"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/deadline"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/deletion"
	"github.com/karbor/karbor/internal/protectionservice/dispatch"
	"github.com/karbor/karbor/internal/protectionservice/drills"
	"github.com/karbor/karbor/internal/protectionservice/flow"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/protectionservice/leftover"
	"github.com/karbor/karbor/internal/protectionservice/progress"
	"github.com/karbor/karbor/internal/protectionservice/protect"
	"github.com/karbor/karbor/internal/protectionservice/restore"
	"github.com/karbor/karbor/internal/protectionservice/running"
	"github.com/karbor/karbor/internal/protectionservice/transfer"
	"github.com/karbor/karbor/internal/protectionservice/verify"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/workflow"
)

// Options of New. All but Installation, Settle, LeftoverTime, Deadline, AtWork, Moving, Phases, Limits, AdminReads,
// Targets and Drills are needed.
type Options struct {
	Store     *store.Store
	Providers []*provider.Provider
	// Inventory finds what plans protect.
	Inventory *inventory.Finder
	// Delegations let the operations act as their tenants.
	Delegations *delegation.Registry
	// Installation names this Karbor in the tags of temporary things in the cloud.
	Installation string
	// Settle is how long a cloud may take to carry out what it did not answer.
	Settle time.Duration
	// LeftoverTime is how long it is tried to remove what an operation could not
	// remove from the cloud.
	LeftoverTime time.Duration
	// Deadline is how old an operation may become: then it is cancelled; 0 sets none.
	Deadline time.Duration
	// AtWork bounds how many operations are at work at a time, beside what the providers say
	// themselves.
	AtWork AtWork
	// Moving bounds what moves bulk data, beside what the providers say themselves.
	Moving Moving
	// Phases say how long the hooks of an operation may get no further; none by default.
	Phases deadline.Limits
	// Limits are the configured quotas of each project; nil for none.
	Limits store.Limits
	// AdminReads is the service user's session, for what only an administrator
	// can read or set; nil where the operator does not allow it.
	AdminReads karbor.Cloud
	// Targets are the addresses of the Keystones of other clouds that tenants may
	// restore into.
	Targets []string
	// Custody looks after the banks.
	Custody *custody.Keeper
	// Drills says how restore drills run.
	Drills Drills
	Now    func() time.Time
	Logger *slog.Logger
}

// Service is the protection service. It is safe for concurrent use.
type Service struct {
	// What tenants ask for.
	*protect.Maker
	*restore.Restorer
	*deletion.Deleter
	*verify.Verifier
	*drills.Driller
	*copies.Requests

	store       *store.Store
	providers   provider.List
	delegations *delegation.Registry
	custody     *custody.Keeper
	adminReads  karbor.Cloud
	// What the steps of operations are done with.
	operations *running.Operations
	attempts   *attempt.Runner
	leftovers  *leftover.Sweeper
	// banksPatience is how much of it is used up at the ends of operations.
	banksPatience patience
	drillSteps    *drills.Steps
	copier        *copies.Copier
	standIns      *copies.StandIns

	desk       *admission.Desk
	dispatcher *dispatch.Dispatcher
	progress   *progress.Reader
	engine     workflow.Engine
	now        func() time.Time
	log        *slog.Logger
}

// New makes the service. It needs an engine (SetEngine) before Run.
func New(o Options) *Service {
	s := &Service{store: o.Store, providers: o.Providers, delegations: o.Delegations, custody: o.Custody, adminReads: o.AdminReads, now: o.Now, log: o.Logger}
	s.work(o)
	s.desk = admission.New(admission.Options{
		Store: o.Store, Delegations: o.Delegations, Steps: s.steps, Remember: s.operations.Remember, Enter: s.dispatcher.Enter, Wake: s.dispatcher.Wake,
		Now: o.Now, Logger: o.Logger,
	})
	s.Deleter = deletion.New(deletion.Options{
		Store: o.Store, Providers: o.Providers, Desk: s.desk, Custody: o.Custody, Leftovers: s.leftovers, Now: o.Now, Logger: o.Logger,
	})
	s.Maker = protect.New(protect.Options{
		Store: o.Store, Providers: o.Providers, Desk: s.desk, Inventory: o.Inventory, Custody: o.Custody, Limits: o.Limits,
		Expiry: s.Deleter, Now: o.Now,
	})
	s.Restorer = restore.New(restore.Options{
		Store: o.Store, Providers: o.Providers, Desk: s.desk, Inventory: o.Inventory, Delegations: o.Delegations, Custody: o.Custody,
		StandIns: s.standIns, Maker: s.Maker, Progress: s.progress, Targets: o.Targets, AdminReads: o.AdminReads, Now: o.Now,
	})
	s.Verifier = verify.New(verify.Options{
		Store: o.Store, Providers: o.Providers, Desk: s.desk, Custody: o.Custody, StandIns: s.standIns, Progress: s.progress, Now: o.Now,
	})
	s.Driller = drills.New(drills.Options{
		Store: o.Store, Providers: o.Providers, Desk: s.desk, Custody: o.Custody, Progress: s.progress, Config: o.Drills, Now: o.Now,
	})
	s.Requests = copies.NewRequests(copies.RequestOptions{
		Store: o.Store, Providers: o.Providers, Desk: s.desk, Banks: o.Custody, Limits: o.Limits, Now: o.Now,
	})
	return s
}

// work makes what the steps of operations are done with, and what has them done.
func (s *Service) work(o Options) {
	transfers, paces := transfer.New(o.Moving.with(o.Providers)), transfer.NewPaces()
	guard := deadline.Guard{Store: o.Store, Limits: o.Phases, Now: o.Now, Logger: o.Logger}
	s.standIns = copies.NewStandIns(o.Store, o.Custody, o.Logger)
	s.copier = copies.New(copies.Options{
		Store: o.Store, Banks: o.Custody, Transfers: transfers, Guard: guard, Delete: s.expireCopy, Now: o.Now, Logger: o.Logger,
	})
	s.attempts = attempt.New(attempt.Options{
		Store: o.Store, Delegations: o.Delegations, Installation: o.Installation, Settle: o.Settle, Guard: guard,
		AdminReads: o.AdminReads, Transfers: transfers, Paces: paces, StandIns: s.standIns, Now: o.Now, Logger: o.Logger,
	})
	s.operations = running.New(running.Options{
		Store: o.Store, Providers: o.Providers, Delegations: o.Delegations, Forget: s.forget, Logger: o.Logger,
	})
	s.leftovers = leftover.New(leftover.Options{
		Store: o.Store, Operations: s.operations, Delegations: o.Delegations, Runner: s.attempts, Patience: o.LeftoverTime,
		Now: o.Now, Logger: o.Logger,
	})
	s.drillSteps = drills.NewSteps(drills.StepOptions{
		Store: o.Store, Operations: s.operations, Runner: s.attempts, Transfers: transfers, Config: o.Drills, Now: o.Now,
	})
	s.progress = progress.New(progress.Options{Store: o.Store, Describe: s.describe, Waits: s.waits, Transfers: transfers, Paces: paces, Now: o.Now})
	s.dispatcher = dispatch.New(dispatch.Options{
		Store: o.Store, Operation: s.operations.Get, Steps: s.steps, End: s.endAbandoned, EndUnread: s.endUnread, Recorded: s.recorded, Again: s.again, Deadline: o.Deadline,
		Limits: o.AtWork.with(o.Providers), Now: o.Now, Logger: o.Logger,
	})
}

// Places is the size of each pool that the steps name, for the engine's options: what
// one project may have at work at a time of each kind of step.
func (s *Service) Places() int { return Places }

// Places is the size of each pool but those of the short hooks.
const Places = 16

// Limits are the sizes of the other pools, for the engine's options. What short hooks wait for,
// a snapshot, is the same for fifty volumes as for one: they should be taken at one time. The
// long ones make larger things of the tenant's, who has few of them at a time.
func (s *Service) Limits() map[string]int { return Limits() }

// Limits are the sizes of the pools that have others than Places.
func Limits() map[string]int { return flow.Limits() }

// SetEngine sets the engine that runs the operations. It is called once, before
// Run and before any operation is accepted.
func (s *Service) SetEngine(e workflow.Engine) {
	s.engine = e
	s.desk.SetEngine(e)
	s.dispatcher.SetEngine(e)
}

// Run has accepted operations carried out, and looks after what is left of those that are over,
// until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	parts.Go(func() { s.delegations.Run(ctx) })
	parts.Go(func() { s.leftovers.Run(ctx) })
	parts.Go(func() { s.Deleter.Run(ctx) })
	parts.Go(func() { s.custody.Run(ctx) })
	parts.Go(func() { s.dispatcher.Run(ctx) })
	parts.Wait()
	return nil
}
