// Package trove simulates the Database API v1.0: flavors, datastores, instances with
// their databases and users, configuration groups and backups. An instance runs no
// database: what a backup keeps, and an instance made of it has, are its databases and
// users. Source: Trove's API reference and its code of 2026, whose answers it gives.
//
// It differs from the real service in this: networks are not looked for; volume types,
// replicas' lag, SSL, modules and logs are not there; a member "x-cluster" of a create
// makes an instance one of a cluster, as Trove's own API of clusters would; and the
// administrators' reset_status sets the state that is shown.
package trove

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// serviceName is what faults know the service by.
const serviceName = "trove"

// Flavors tells of a size of servers by its id: its name and its memory in MiB.
type Flavors func(id string) (name string, memory int, ok bool)

// Trove is the database service.
type Trove struct {
	*fabric.Service
	fab    *fabric.Fabric
	flavor Flavors

	instances *fabric.Collection[instance]
	backups   *fabric.Collection[backup]
	groups    *fabric.Collection[group]
}

// New makes the service. State changes that the last run left unfinished are begun
// again.
func New(f *fabric.Fabric, flavors Flavors) *Trove {
	t := &Trove{
		Service:   fabric.NewService(f, serviceName, fabric.ComputeStyle, nil),
		fab:       f,
		flavor:    flavors,
		instances: fabric.NewCollection[instance](f.Store, "trove-instances"),
		backups:   fabric.NewCollection[backup](f.Store, "trove-backups"),
		groups:    fabric.NewCollection[group](f.Store, "trove-groups"),
	}
	t.versionRoutes()
	t.datastoreRoutes()
	t.instanceRoutes()
	t.contentRoutes()
	t.groupRoutes()
	t.backupRoutes()
	t.limitRoutes()
	t.resume()
	return t
}

func (t *Trove) versionRoutes() {
	version := func(r *fabric.Request) map[string]any {
		return map[string]any{"id": "v1.0", "status": "CURRENT", "updated": "2012-08-01T00:00:00Z",
			"links": []any{map[string]string{"rel": "self", "href": r.Base() + "/database/v1.0/"}}}
	}
	t.HandleOpen("GET /database", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, map[string]any{"versions": []any{version(r)}})
	})
	t.HandleOpen("GET /database/v1.0", func(r *fabric.Request) error {
		return r.JSON(http.StatusOK, map[string]any{"version": version(r)})
	})
}

// handle adds a route below a project's root. A token is good for its own project only.
func (t *Trove) handle(method, path string, h fabric.Handler) {
	t.Handle(method+" /database/v1.0/{project}"+path, func(r *fabric.Request) error {
		if r.PathValue("project") != r.ProjectID {
			return fabric.Forbidden("User with tenant ID %s cannot access this resource.", r.ProjectID)
		}
		return h(r)
	})
}

// mayWrite refuses readers, as the policies that know roles do.
func mayWrite(r *fabric.Request, policy string) error {
	if !r.Writer() {
		return fabric.Forbidden("Policy doesn't allow %s to be performed.", policy)
	}
	return nil
}

// absent is Trove's answer to what is not there.
func absent(id string) error { return fabric.NotFound("Resource %s cannot be found.", id) }

// unready is Trove's answer to what can't be done now.
func unready(format string, args ...any) error {
	return fabric.Typed(http.StatusUnprocessableEntity, "unprocessableEntity", format, args...)
}

// unfinished is Trove's answer to what stands on something unfinished.
func unfinished(format string, args ...any) error {
	return fabric.Typed(http.StatusConflict, "inProgress", format, args...)
}

// links are a resource's links; path is such as "instances/<id>".
func links(r *fabric.Request, path string) []any {
	return []any{
		map[string]string{"rel": "self", "href": r.Base() + "/database/v1.0/" + r.ProjectID + "/" + path},
		map[string]string{"rel": "bookmark", "href": r.Base() + "/database/" + path},
	}
}

// pageSize is the most that a list gives at once.
const pageSize = 20

// page answers with the part of a list that begins at an offset, and with a link to the
// next one, whose marker next gives.
func page(r *fabric.Request, plural string, items []any, from int, next func(end int) string) error {
	limit, err := r.Int("limit", pageSize)
	if err != nil {
		return err
	}
	if limit = min(limit, pageSize); limit == 0 {
		limit = pageSize
	}
	from = min(from, len(items))
	end := min(from+limit, len(items))
	body := map[string]any{plural: append([]any{}, items[from:end]...)}
	if end < len(items) {
		q := r.URL.Query()
		q.Set("marker", next(end))
		body["links"] = []any{map[string]string{"rel": "next", "href": r.Base() + r.URL.Path + "?" + q.Encode()}}
	}
	return r.JSON(http.StatusOK, body)
}

// offset reads a marker that is a number.
func offset(q url.Values) (int, error) {
	if q.Get("marker") == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(q.Get("marker"))
	if err != nil || n < 0 {
		return 0, fabric.BadRequest("The marker %q is invalid.", q.Get("marker"))
	}
	return n, nil
}

// want is how much more of a resource is asked for.
type want struct {
	resource string
	n        int
}

// within keeps what put inserts if the project's quotas allow it. The caller is in an
// Atomic.
func (t *Trove) within(project string, wants []want, put func()) error {
	used := t.usage(project)
	for _, w := range wants {
		if e := t.fab.Quotas.Check(project, w.resource, used[w.resource], w.n); e != nil {
			return fabric.Errorf(http.StatusRequestEntityTooLarge, "Quota exceeded for resources: ['%s'].", w.resource[len("database_"):])
		}
	}
	put()
	return nil
}

// usage counts what a project uses of each resource.
func (t *Trove) usage(project string) map[string]int {
	used := map[string]int{}
	for _, i := range t.instances.List(func(i instance) bool { return i.Project == project }) {
		used["database_instances"]++
		used["database_volumes"] += i.SizeGiB
	}
	used["database_backups"] = len(t.backups.List(func(b backup) bool { return b.Project == project }))
	return used
}

func (t *Trove) limitRoutes() {
	t.handle("GET", "/limits", func(r *fabric.Request) error {
		limit := func(name string) int { return t.fab.Quotas.Limit(r.ProjectID, "database_"+name) }
		return r.JSON(http.StatusOK, map[string]any{"limits": []any{map[string]any{"verb": "ABSOLUTE",
			"max_instances": limit("instances"), "max_volumes": limit("volumes"), "max_backups": limit("backups")}}})
	})
}

// resume begins the unfinished state changes again.
func (t *Trove) resume() {
	for _, i := range t.instances.List(nil) {
		switch i.Task {
		case building:
			t.build(i)
		case deleting:
			t.raze(i)
		}
	}
	for _, b := range t.backups.List(nil) {
		if b.running() {
			t.save(b)
		} else if b.Leaving {
			t.burn(b)
		}
	}
}

// datastore is a kind of database that instances run.
type datastore struct{ kind, version, id string }

// datastores are the ones there are, the default first.
var datastores = []datastore{
	{"mysql", "5.7.29", "8f1b8f0c-4d1e-4a6b-8b1e-0d3f1c2a5e01"},
	{"mysql", "8.0.36", "8f1b8f0c-4d1e-4a6b-8b1e-0d3f1c2a5e02"},
	{"postgresql", "16.2", "8f1b8f0c-4d1e-4a6b-8b1e-0d3f1c2a5e03"},
}

// findDatastore finds one by its type and its version's name or id; the default one if
// neither is given.
func findDatastore(kind, version string) (datastore, error) {
	kind = cmp.Or(kind, datastores[0].kind)
	at := slices.IndexFunc(datastores, func(d datastore) bool {
		return d.kind == kind && (version == "" || d.version == version || d.id == version)
	})
	if at < 0 {
		return datastore{}, fabric.NotFound("Datastore '%s' version '%s' cannot be found.", kind, version)
	}
	return datastores[at], nil
}

func (t *Trove) datastoreRoutes() {
	t.handle("GET", "/datastores", func(r *fabric.Request) error {
		list := []any{}
		for i, d := range datastores {
			if i > 0 && datastores[i-1].kind == d.kind {
				continue
			}
			versions := []any{}
			for _, v := range datastores {
				if v.kind == d.kind {
					versions = append(versions, map[string]any{"id": v.id, "name": v.version, "version": v.version})
				}
			}
			list = append(list, map[string]any{"id": fmt.Sprintf("ds-%s", d.kind), "name": d.kind, "versions": versions})
		}
		return r.JSON(http.StatusOK, map[string]any{"datastores": list})
	})
	t.handle("GET", "/flavors/{id}", func(r *fabric.Request) error {
		name, memory, ok := t.flavor(r.PathValue("id"))
		if !ok {
			return absent(r.PathValue("id"))
		}
		return r.JSON(http.StatusOK, map[string]any{"flavor": map[string]any{"id": nil, "str_id": r.PathValue("id"), "name": name,
			"ram": memory, "links": links(r, "flavors/"+r.PathValue("id"))}})
	})
}
