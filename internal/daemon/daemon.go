// Package daemon puts the parts of karbord together, runs them, and stops them in
// the right order.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	v1 "github.com/karbor/karbor/internal/api/v1"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/operationengine"
	"github.com/karbor/karbor/internal/policy"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/protectionservice/custody"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/protectionservice/inventory"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/quota"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/trigger"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
)

// Options of Start.
type Options struct {
	Config config.Config
	// Roles are the parts that the process runs; zero stands for all.
	Roles Roles
	// Version is that of the program, for the list of services.
	Version string
	// Listener serves the API; nil listens on Config.Listen.
	Listener net.Listener
	// Password is the service user's.
	Password karbor.Secret
	// Sets and Protectables are the plug-ins that the program links.
	Sets         provider.Sets
	Protectables plugin.Set[protectable.Plugin]
	Now          func() time.Time
	Logger       *slog.Logger
	// Dial is how a drill's port probe connects to a server; nil stands for the host's network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Hangups makes karbord read its policy file again with each value: SIGHUP. nil
	// is none.
	Hangups <-chan os.Signal
}

// Daemon is a process with the parts of its roles.
type Daemon struct {
	roles       Roles
	log         *slog.Logger
	lock        io.Closer
	listener    net.Listener
	front       *front
	store       *store.Store
	providers   []*provider.Provider
	quotas      *quota.Quotas
	reporter    *reporter
	delegations *delegation.Registry
	custody     *custody.Keeper
	service     *protectionservice.Service
	// protectables are the plug-ins that find resources.
	protectables []protectable.Plugin
	inventory    *inventory.Finder
	engine       engine
	// closeEngine lets go of the engine; nil where there is nothing to let go of.
	closeEngine func() error
	schedules   *operationengine.Engine
	authority   *openstack.Authority
	// janitor looks for what is left in the cloud; nil where it may not.
	janitor *janitor.Janitor
	policy  *policy.Enforcer
	hangups <-chan os.Signal
	// running says that the engine runs.
	running atomic.Bool
}

// Open makes the parts. Nothing runs until Run. What it opens is closed by Run, or
// by Close where Run is never called.
func Open(ctx context.Context, o Options) (*Daemon, error) {
	o.Logger = slog.New(requestLog{o.Logger.Handler()})
	if o.Roles == (Roles{}) {
		o.Roles = AllRoles()
	}
	d := &Daemon{roles: o.Roles, log: o.Logger, listener: o.Listener}
	if err := d.open(ctx, o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Daemon) open(ctx context.Context, o Options) error {
	c := o.Config
	var err error
	if d.lock, err = Lock(c.State); err != nil {
		return err
	}
	if d.listener == nil && o.Roles.API {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", c.Listen)
		if err != nil {
			return fmt.Errorf("listening for the API: %w", err)
		}
		d.listener = l
	}
	key, err := c.ServiceKey()
	if err != nil {
		return err
	}
	if err := d.openPolicy(o); err != nil {
		return err
	}
	if d.authority, err = newAuthority(ctx, o); err != nil {
		return err
	}
	if d.store, err = openStore(ctx, o); err != nil {
		return err
	}
	d.quotas = quota.New(quota.Options{Store: d.store, Configured: limits(c.Quotas), Logger: o.Logger})
	if d.reporter, err = newReporter(c.Services, o.Roles.binaries(), d.store, o.Logger); err != nil {
		return err
	}
	owner, err := c.Installation()
	if err != nil {
		return err
	}
	d.providers, err = provider.Load(ctx, c.Providers, o.Sets, provider.Options{
		Owner: owner, Now: o.Now, Secrets: d.authority, Cache: filepath.Join(c.State, "index"), Logger: o.Logger,
		WithoutBanks: !o.Roles.Protection, Limits: providerLimits(c),
	})
	if err != nil {
		return err
	}
	if err := d.openService(ctx, o, key); err != nil {
		return err
	}
	if err := d.openEngine(ctx, o, owner); err != nil {
		return err
	}
	if err := d.openJanitor(o, key); err != nil {
		return err
	}
	d.openSchedules(o)
	if !o.Roles.API {
		return nil
	}
	return d.openAPI(o, owner, key)
}

func newAuthority(ctx context.Context, o Options) (*openstack.Authority, error) {
	k := o.Config.Keystone
	options := openstack.Options{
		AuthURL: k.AuthURL, Username: k.Username, Password: o.Password, UserDomain: k.UserDomain,
		Project: k.Project, ProjectDomain: k.ProjectDomain, Region: k.Region, Interface: k.Interface,
		Timeout: k.Timeout, Now: o.Now, ServiceRoles: k.ServiceTokenRoles,
	}
	if k.CAFile != "" {
		pem, err := os.ReadFile(k.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading keystone.ca_file: %w", err)
		}
		options.CACert = pem
	}
	reach, err := openstack.NewReach(o.Config.Operations.RestoreTargets, o.Config.Operations.RestoreEndpoints)
	if err != nil {
		return nil, fmt.Errorf("reading operations.restore_targets and operations.restore_endpoints: %w", err)
	}
	options.Reach = reach
	return openstack.NewAuthority(ctx, options)
}

func (d *Daemon) openService(ctx context.Context, o Options, key []byte) error {
	for _, definition := range o.Protectables {
		p, err := definition.Open(ctx, nil)
		if err != nil {
			return err
		}
		d.protectables = append(d.protectables, p)
	}
	var adminReads karbor.Cloud
	if o.Config.Operations.AdminReads {
		adminReads = d.authority.Service()
	}
	var err error
	d.delegations, err = delegation.New(delegation.Options{
		Store: d.store, Authority: d.authority, Key: key, Lifetime: o.Config.Operations.DelegationLifetime, Lending: lending(o),
		Front: !o.Roles.Protection, Now: o.Now, Logger: o.Logger,
	})
	if err != nil {
		return err
	}
	found, err := inventory.New(d.protectables)
	if err != nil {
		return err
	}
	d.inventory = found
	drills, err := d.drills(ctx, o)
	if err != nil {
		return err
	}
	d.custody = custody.New(custody.Options{
		Store: d.store, Providers: d.providers, Front: !o.Roles.Protection, Keys: drills.Keys(), Now: o.Now, Logger: o.Logger,
		Upkeep: custody.Upkeep{Interval: o.Config.Upkeep.Interval, Tombstones: o.Config.Upkeep.Tombstones},
	})
	d.service = protectionservice.New(protectionservice.Options{
		Store: d.store, Providers: d.providers, Inventory: d.inventory, Delegations: d.delegations, Installation: janitor.Installation(key),
		AdminReads: adminReads,
		Settle:     o.Config.Operations.Settle, LeftoverTime: o.Config.Operations.LeftoverTime, Deadline: o.Config.Operations.Deadline,
		Phases: phaseLimits(o.Config.Operations.PhaseDeadlines), AtWork: atWork(o.Config.Operations.Limits), Moving: moving(o.Config.Transfers),
		Targets: o.Config.Operations.RestoreTargets, Limits: limits(o.Config.Quotas), Now: o.Now, Logger: o.Logger,
		Custody: d.custody, Drills: drills,
	})
	return nil
}

func (d *Daemon) openAPI(o Options, owner string, key []byte) error {
	var err error
	d.front, err = openFront(o, api.Options{
		Routes: v1.Routes(v1.Deps{
			Store: d.store, Service: d.service, Delegations: d.delegations, Inventory: d.inventory, Session: d.authority.Session, Now: o.Now,
			Quotas: d.quotas, Limits: limits(o.Config.Quotas), MappingProfiles: o.Config.Quotas.MappingProfiles, Compliance: d.reports(o),
			Wake: d.schedules.Wake, Triggers: trigger.Limits(o.Config.Triggers), ServiceDownTime: o.Config.Services.DownTime,
		}),
		Authenticator: d.authority, Policy: d.policy, AuthURL: d.authority.AuthURL(), Replays: d.store, Owner: owner, ReplayKey: key,
	}, d.checks())
	return err
}

// Address is where the API listens; nil without the role.
func (d *Daemon) Address() net.Addr {
	if d.listener == nil {
		return nil
	}
	return d.listener.Addr()
}

// Close closes what Open opened; it is for where Run is never called.
func (d *Daemon) Close() error {
	var errs []error
	if d.listener != nil {
		errs = append(errs, ignoreClosed(d.listener.Close()))
	}
	if d.front != nil {
		errs = append(errs, d.front.health.Close())
	}
	if d.closeEngine != nil {
		errs = append(errs, d.closeEngine())
	}
	for _, p := range d.providers {
		errs = append(errs, p.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.authority != nil {
		d.authority.Close()
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// bankPatience is how long the start waits for the banks. Those that are not ready
// then get so while the service runs.
const bankPatience = 15 * time.Second

// Run serves requests and runs operations, as the roles say, until ctx ends or a part
// fails; then it lets requests finish, stops the operations, which go on at the next
// start or in another process, and closes everything. ready is called when the first
// request can succeed.
func (d *Daemon) Run(ctx context.Context, ready func()) error {
	if d.roles.Protection {
		// One bank that is full, or does not answer, must not keep the others waiting.
		opening, opened := context.WithTimeout(ctx, bankPatience)
		d.custody.Open(opening)
		opened()
	}
	if err := d.quotas.Sync(ctx); err != nil {
		return errors.Join(err, d.Close())
	}
	// The parts below the API stop after it, so that a request which is being
	// answered finds them.
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	below, inner := errgroup.WithContext(inner)
	for _, part := range d.parts() {
		below.Go(func() error { return part(inner) })
	}
	served := make(chan error, 1)
	if d.roles.API {
		go func() { served <- d.front.server.Serve(d.listener) }()
	}
	ready()
	var err error
	select {
	case <-ctx.Done():
	case <-inner.Done():
	case err = <-served:
		err = fmt.Errorf("serving the API: %w", err)
	}
	if d.roles.API {
		err = errors.Join(err, d.front.stop(ctx))
	}
	stop()
	return errors.Join(err, below.Wait(), d.Close())
}

// parts gives what runs below the API, by the roles.
func (d *Daemon) parts() []func(context.Context) error {
	out := []func(context.Context) error{d.quotas.Run, d.reporter.run, d.policy.Run, d.reloadPolicy}
	if d.roles.Protection {
		out = append(out, d.runEngine, d.service.Run, d.custody.Keep)
	}
	if d.janitor != nil {
		out = append(out, d.janitor.Run)
	}
	if d.roles.Schedules {
		out = append(out, d.runSchedules)
	}
	return out
}
