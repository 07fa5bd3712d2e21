// Package freezer simulates Freezer: its API v2 of clients, jobs, actions and backups, and
// a scheduler with its agent, which does the jobs of the mode "cindernative" through the
// cloud's own Cinder. Source: the code of freezer-api and freezer of 2026.
//
// It differs from the real service in this: the scheduler takes a job at once, in place of
// within its minute; the agent acts with the token that the job was made with, in place of
// the scheduler's own password or a trust; and there are no sessions, schedules or other
// modes.
package freezer

import (
	"net/http"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// serviceName is what faults know the service by.
const serviceName = "freezer"

// agentTime is how long the agent waits for an answer of the cloud.
const agentTime = time.Minute

// Freezer is the service. It is safe for concurrent use.
type Freezer struct {
	*fabric.Service
	fab   *fabric.Fabric
	agent *http.Client

	clients *fabric.Collection[client]
	jobs    *fabric.Collection[job]
	actions *fabric.Collection[action]
	backups *fabric.Collection[backup]
}

// New makes the service. Jobs that the last run left unfinished are begun again.
func New(f *fabric.Fabric) *Freezer {
	z := &Freezer{
		Service: fabric.NewService(f, serviceName, fabric.FalconStyle, nil),
		fab:     f,
		agent:   &http.Client{Timeout: agentTime},
		clients: fabric.NewCollection[client](f.Store, "freezer-clients"),
		jobs:    fabric.NewCollection[job](f.Store, "freezer-jobs"),
		actions: fabric.NewCollection[action](f.Store, "freezer-actions"),
		backups: fabric.NewCollection[backup](f.Store, "freezer-backups"),
	}
	z.HandleOpen("GET /backup", func(r *fabric.Request) error {
		return r.JSON(http.StatusMultipleChoices, map[string]any{"versions": []any{map[string]any{
			"id": "2", "status": "CURRENT", "updated": "2018-03-30T00:00:00Z", "links": []any{map[string]string{"rel": "self", "href": r.Base() + "/backup/v2/"}}}}})
	})
	z.clientRoutes()
	z.jobRoutes()
	z.actionRoutes()
	z.backupRoutes()
	for _, j := range z.jobs.List(func(j job) bool { return !j.Deleted && j.open() }) {
		z.begin(j.ID)
	}
	return z
}

// reads and writes are what a policy asks of a route.
const (
	reads  = false
	writes = true
)

// handle adds a route below a project's root. A token is good for its own project only.
func (z *Freezer) handle(method, path string, change bool, h fabric.Handler) {
	z.Handle(method+" /backup/v2/{project}"+path, func(r *fabric.Request) error {
		if r.PathValue("project") != r.ProjectID || change && !r.Writer() {
			return fabric.Forbidden("Policy doesn't allow %s to be performed.", path)
		}
		return h(r)
	})
}

// list answers with a part of a list: ten things, if no limit is given.
func list[T any](r *fabric.Request, name string, things []T, show func(T) any) error {
	limit, err := r.Int("limit", 10)
	if err != nil {
		return err
	}
	offset, err := r.Int("offset", 0)
	if err != nil {
		return err
	}
	shown := []any{}
	for i := max(offset, 0); i < min(len(things), offset+limit); i++ {
		shown = append(shown, show(things[i]))
	}
	return r.JSON(http.StatusOK, map[string]any{name: shown})
}

// client is a scheduler that has registered.
type client struct {
	ID      string   `json:"client_id"`
	Host    string   `json:"hostname"`
	Central bool     `json:"is_central"`
	Actions []string `json:"supported_actions"`
	Modes   []string `json:"supported_modes"`
	Storage []string `json:"supported_storages"`
	Engines []string `json:"supported_engines"`
	UUID    string   `json:"uuid"`
	Project string   `json:"project"`
}

func (c client) show() any {
	return map[string]any{"project_id": c.Project, "user_id": "", "client": map[string]any{"client_id": c.ID, "hostname": c.Host, "uuid": c.UUID, "description": nil,
		"is_central": c.Central, "supported_actions": c.Actions, "supported_modes": c.Modes, "supported_storages": c.Storage, "supported_engines": c.Engines}}
}

// Scheduler is the id of the client that each of the cloud's first projects has.
const Scheduler = "scheduler_node-1"

func (z *Freezer) clientRoutes() {
	z.handle("GET", "/clients", reads, func(r *fabric.Request) error {
		return list(r, "clients", z.clients.List(func(c client) bool { return c.Project == r.ProjectID || c.Central }), client.show)
	})
	z.handle("POST", "/clients", writes, func(r *fabric.Request) error {
		c := client{Actions: []string{"backup", "restore", "info", "admin", "exec"}, Modes: []string{"fs", "cinder", "cindernative", "nova"},
			Storage: []string{"local", "swift", "s3"}, Engines: []string{"tar", "nova", "osbrick"}}
		if err := r.Decode(&c); err != nil {
			return err
		}
		if c.ID == "" {
			return fabric.BadRequest("'client_id' is a required property")
		}
		if _, there := z.clients.Get(r.ProjectID + c.ID); there {
			return r.JSON(http.StatusCreated, map[string]any{"client_id": c.ID})
		}
		z.register(r.ProjectID, c)
		return r.JSON(http.StatusCreated, map[string]any{"client_id": c.ID})
	})
	z.handle("DELETE", "/clients/{id}", writes, func(r *fabric.Request) error {
		z.clients.Delete(r.ProjectID + r.PathValue("id"))
		return r.Empty(http.StatusNoContent)
	})
}

func (z *Freezer) register(project string, c client) {
	c.Project, c.UUID = project, fabric.NewID()
	z.clients.Put(project+c.ID, c)
}

// client gives a client that a project may use.
func (z *Freezer) client(project, id string) (client, bool) {
	found := z.clients.List(func(c client) bool { return c.ID == id && (c.Project == project || c.Central) })
	if len(found) == 0 {
		return client{}, false
	}
	return found[0], true
}
