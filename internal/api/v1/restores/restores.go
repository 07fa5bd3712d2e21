// Package restores serves the restores of checkpoints.
package restores

import (
	"context"
	_ "embed"
	"net/url"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// Store keeps restores; store.Store is one.
type Store interface {
	Restore(ctx context.Context, projectID, id string) (karbor.Restore, error)
	Restores(ctx context.Context, f store.RestoreFilter, p store.Page) ([]karbor.Restore, error)
}

// Service restores checkpoints; protectionservice.Service is one.
type Service interface {
	Restore(ctx context.Context, c protectionservice.Caller, r protectionservice.RestoreRequest) (karbor.Restore, error)
	RestoreProgress(ctx context.Context, c protectionservice.Caller, id string) ([]karbor.ResourceProgress, error)
	LiveRestore(ctx context.Context, r karbor.Restore) (karbor.Restore, error)
}

// Deps are what the room needs.
type Deps struct {
	Store   Store
	Service Service
	// Session opens the cloud as the caller.
	Session func(*karbor.Identity) karbor.Cloud
}

//go:embed create.json
var createSchema []byte

// sortKeys are those of a list of restores.
var sortKeys = []string{"id", "project_id", "provider_id", "checkpoint_id", "restore_target", "status", "created_at", "updated_at"}

// Routes gives what the room serves.
func Routes(d Deps) []api.Route {
	return []api.Route{
		{
			Method: "POST", Pattern: "/restores", Rule: "restore:create", Body: createSchema, Handle: d.create,
			Summary:     "Restore a checkpoint",
			Description: "Only an `available` checkpoint restores. A request that can't start is a 4xx that says why, and stores nothing.",
			Answer:      answer{},
		},
		{
			Method: "GET", Pattern: "/restores", Rule: "restore:get_all", Handle: d.list,
			Summary: "List the restores",
			Query: api.PageQuery(sortKeys, api.AllTenantsQuery(), api.ProjectQuery(), api.FilterQuery("status",
				string(karbor.RestoreInProgress), string(karbor.RestoreSuccess), string(karbor.RestoreFail))),
			Answer: api.ListShape("restores", view{}),
		},
		{Method: "GET", Pattern: "/restores/{id}", Rule: "restore:get", Handle: d.show, Summary: "Show a restore", Answer: answer{}},
	}
}

// auth is restore_auth on the wire: who to be in the target.
type auth struct {
	Username          string `json:"username"`
	UserID            string `json:"user_id"`
	Password          string `json:"password"`
	UserDomainName    string `json:"user_domain_name"`
	ProjectName       string `json:"project_name"`
	ProjectID         string `json:"project_id"`
	ProjectDomainName string `json:"project_domain_name"`
	RegionName        string `json:"region_name"`
}

func (a *auth) check() error {
	if (a.Username == "") == (a.UserID == "") {
		return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute restore.restore_auth.username. One of username and user_id is required.")
	}
	return nil
}

func (d Deps) caller(r *api.Request) protectionservice.Caller {
	return protectionservice.Caller{Identity: r.Identity, Cloud: d.Session(r.Identity)}
}

func (d Deps) create(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		Restore struct {
			ProviderID   string            `json:"provider_id"`
			CheckpointID string            `json:"checkpoint_id"`
			Target       string            `json:"restore_target"`
			Auth         *auth             `json:"restore_auth"`
			Parameters   karbor.Parameters `json:"parameters"`
			// Keep is there from api.FiguresVersion on.
			Keep *bool `json:"keep_on_failure"`
		} `json:"restore"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	b := body.Restore
	if b.Keep != nil && r.Version < api.FiguresVersion {
		return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute restore.keep_on_failure. This member is not known in version %s; it came with %s.",
			r.Version, api.FiguresVersion)
	}
	request := protectionservice.RestoreRequest{
		ProviderID: strings.ToLower(b.ProviderID), CheckpointID: strings.ToLower(b.CheckpointID),
		Target: b.Target, Parameters: b.Parameters, KeepOnFailure: b.Keep != nil && *b.Keep,
	}
	if b.Auth != nil {
		if err := b.Auth.check(); err != nil {
			return nil, err
		}
	}
	// Without a target it is the caller's own cloud, as the caller: what restore_auth
	// says is not needed, and goes no further.
	if b.Target != "" {
		if err := checkTarget(b.Target); err != nil {
			return nil, err
		}
		if b.Auth == nil {
			return nil, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute restore.restore_auth. It is required with restore_target.")
		}
		request.Auth = &openstack.PasswordAuth{
			Username: b.Auth.Username, UserID: b.Auth.UserID, Password: karbor.Secret(b.Auth.Password),
			UserDomain: b.Auth.UserDomainName, Project: b.Auth.ProjectName, ProjectID: b.Auth.ProjectID,
			ProjectDomain: b.Auth.ProjectDomainName, Region: b.Auth.RegionName,
		}
	}
	restore, err := d.Service.Restore(ctx, d.caller(r), request)
	if err != nil {
		return nil, err
	}
	return answer{viewOf(restore)}, nil
}

// checkTarget refuses what can't be the address of a Keystone. A password in it is
// not repeated.
func checkTarget(target string) error {
	const where = "Invalid input for field/attribute restore.restore_target."
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return karbor.Errorf(karbor.Invalid, where+" It is not a URL.")
	case u.User != nil:
		return karbor.Errorf(karbor.Invalid, where+" Value: %q. It must not name a user: send restore_auth.", u.Redacted())
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return karbor.Errorf(karbor.Invalid, where+" Value: %q. It is not the http or https URL of a Keystone.", target)
	}
	return nil
}

func (d Deps) list(ctx context.Context, r *api.Request) (any, error) {
	page, err := r.Page(sortKeys...)
	if err != nil {
		return nil, err
	}
	project, err := r.ListProject()
	if err != nil {
		return nil, err
	}
	found, err := d.Store.Restores(ctx, store.RestoreFilter{ProjectID: project, Status: r.Filter("status")}, page)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(found))
	for i, restore := range found {
		if restore, err = d.Service.LiveRestore(ctx, restore); err != nil {
			return nil, err
		}
		views[i] = viewOf(restore)
	}
	return api.List(r, "restores", page, views, func(v view) string { return v.ID }), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	id, err := r.ID("id")
	if err != nil {
		return nil, err
	}
	restore, err := d.Store.Restore(ctx, r.ItemProject(), id)
	if err != nil {
		return nil, err
	}
	if restore, err = d.Service.LiveRestore(ctx, restore); err != nil {
		return nil, err
	}
	v := viewOf(restore)
	if r.Version < api.ProgressVersion {
		return answer{v}, nil
	}
	caller := d.caller(r)
	// An administrator sees another project's as its own people do.
	own := *caller.Identity
	own.ProjectID = restore.ProjectID
	caller.Identity = &own
	resources, err := d.Service.RestoreProgress(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	v = v.withProgress(restore, resources)
	if r.Version >= api.FiguresVersion {
		v.Keep = &restore.KeepOnFailure
	}
	return answer{v}, nil
}
