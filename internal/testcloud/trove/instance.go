package trove

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// What is being done to an instance.
const (
	building = "BUILDING"
	deleting = "DELETING"
	failed   = "ERROR"
)

// instance is a database instance as it is kept.
type instance struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Project   string    `json:"project"`
	Task      string    `json:"task"`   // what is being done to it, or failed
	Server    string    `json:"server"` // the status of its server
	FlavorID  string    `json:"flavor_id"`
	SizeGiB   int       `json:"size"`
	Store     string    `json:"datastore"`
	Version   string    `json:"version"`
	NetworkID string    `json:"network_id"`
	Access    *access   `json:"access"`
	Group     string    `json:"configuration"`
	SourceID  string    `json:"replica_of"`
	Cluster   string    `json:"cluster_id"`
	Content   content   `json:"content"`
	CreatedAt time.Time `json:"created_at"`
	BackupID  string    `json:"backup_id"`
}

// access says who reaches an instance.
type access struct {
	Public bool     `json:"is_public"`
	CIDRs  []string `json:"allowed_cidrs,omitempty"`
}

func (t *Trove) instanceRoutes() {
	t.handle("POST", "/instances", t.createInstance)
	t.handle("GET", "/instances", func(r *fabric.Request) error { return t.listInstances(r, false) })
	t.handle("GET", "/instances/detail", func(r *fabric.Request) error { return t.listInstances(r, true) })
	t.handle("GET", "/mgmt/instances", t.listAll)
	t.handle("GET", "/instances/{id}", func(r *fabric.Request) error {
		i, err := t.instance(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"instance": t.show(r, i, true)})
	})
	t.handle("PUT", "/instances/{id}", t.updateInstance)
	t.handle("PATCH", "/instances/{id}", t.updateInstance)
	t.handle("DELETE", "/instances/{id}", t.deleteInstance)
	t.handle("POST", "/instances/{id}/action", t.act)
}

// instance gives the instance of the path. An administrator sees those of all projects.
func (t *Trove) instance(r *fabric.Request) (instance, error) {
	id := r.PathValue("id")
	i, ok := t.instances.Get(id)
	if !ok || !r.Sees(i.Project) {
		return i, absent(id)
	}
	return i, nil
}

// own gives the instance of the path for a change.
func (t *Trove) own(r *fabric.Request, policy string) (instance, error) {
	i, err := t.instance(r)
	if err == nil {
		err = mayWrite(r, policy)
	}
	return i, err
}

// status is what the API shows.
func (t *Trove) status(i instance) string {
	switch {
	case i.Task == failed:
		return failed
	case i.Task == building:
		return "BUILD"
	case i.Task == deleting:
		return "SHUTDOWN"
	case len(t.backups.List(func(b backup) bool { return b.InstanceID == i.ID && b.running() })) > 0:
		return "BACKUP"
	}
	return i.Server
}

type instanceRequest struct {
	Instance struct {
		Name    string          `json:"name"`
		Flavor  json.RawMessage `json:"flavorRef"`
		Volume  *struct{ Size json.Number }
		Restore *struct {
			Ref string `json:"backupRef"`
		} `json:"restorePoint"`
		Datastore struct{ Type, Version string }
		NICs      []struct {
			ID  string `json:"network_id"`
			Old string `json:"net-id"`
		} `json:"nics"`
		Access    *access    `json:"access"`
		Group     *string    `json:"configuration"`
		Databases []database `json:"databases"`
		Users     []user     `json:"users"`
		ReplicaOf string     `json:"replica_of"`
		Cluster   string     `json:"x-cluster"` // what Trove's own cluster API would set
	} `json:"instance"`
}

func (t *Trove) createInstance(r *fabric.Request) error {
	var body instanceRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if err := mayWrite(r, "instance:create"); err != nil {
		return err
	}
	if err := checkName(body.Instance.Name); err != nil {
		return err
	}
	i := instance{ID: fabric.NewID(), Name: body.Instance.Name, Project: r.ProjectID, Task: building, Server: "ACTIVE",
		Access: body.Instance.Access, CreatedAt: t.fab.Clock.Now(), Cluster: body.Instance.Cluster,
		Content: content{Databases: body.Instance.Databases, Users: body.Instance.Users}}
	if err := t.fit(r, &i, body); err != nil {
		return err
	}
	if err := t.derive(r, &i, body); err != nil {
		return err
	}
	err := t.fab.Atomic(func() error {
		return t.within(r.ProjectID, []want{{"database_instances", 1}, {"database_volumes", i.SizeGiB}}, func() { t.instances.Put(i.ID, i) })
	})
	if err != nil {
		return err
	}
	t.build(i)
	return r.JSON(http.StatusOK, map[string]any{"instance": t.show(r, i, true)})
}

// fit checks a new instance's flavor, volume, datastore, network and group.
func (t *Trove) fit(r *fabric.Request, i *instance, body instanceRequest) error {
	ask := body.Instance
	i.FlavorID = strings.Trim(string(ask.Flavor), `"`)
	if _, _, ok := t.flavor(i.FlavorID); !ok {
		return absent(i.FlavorID)
	}
	if ask.Volume == nil {
		return fabric.BadRequest("Volume size was not specified.")
	}
	size, err := ask.Volume.Size.Int64()
	if err != nil || size < 1 {
		return fabric.BadRequest("Validation error: instance['volume']['size'] %s is not valid", ask.Volume.Size)
	}
	i.SizeGiB = int(size)
	store, err := findDatastore(ask.Datastore.Type, ask.Datastore.Version)
	if err != nil {
		return err
	}
	i.Store, i.Version = store.kind, store.version
	if len(ask.NICs) > 1 {
		return fabric.BadRequest("Validation error: instance['nics'] is too long")
	}
	for _, n := range ask.NICs {
		if i.NetworkID = n.ID; n.ID == "" {
			i.NetworkID = n.Old
		}
		if i.NetworkID == "" {
			return fabric.BadRequest("Network or subnet is not provided.")
		}
	}
	if ask.Group != nil {
		g, ok := t.groups.Get(*ask.Group)
		if !ok || g.Project != r.ProjectID {
			return absent(*ask.Group)
		}
		i.Group = g.ID
	}
	return nil
}

// derive takes over what a new instance has from a backup or of another instance.
func (t *Trove) derive(r *fabric.Request, i *instance, body instanceRequest) error {
	if id := body.Instance.ReplicaOf; id != "" {
		source, ok := t.instances.Get(id)
		if !ok || source.Project != r.ProjectID {
			return absent(id)
		}
		i.SourceID, i.Content = source.ID, source.Content
		return nil
	}
	if body.Instance.Restore == nil {
		return nil
	}
	b, ok := t.backups.Get(body.Instance.Restore.Ref)
	switch {
	case !ok || !r.Sees(b.Project):
		return absent(body.Instance.Restore.Ref)
	case b.Status != completed && b.Status != restored:
		return unfinished("Unable to create instance because backup %s is not completed. Actual state: %s.", b.ID, b.Status)
	case b.Size > float64(i.SizeGiB):
		return fabric.Forbidden("Backup is too large for given flavor or volume. Backup size: %v GBs. Available size: %d GBs.", b.Size, i.SizeGiB)
	case b.Store != i.Store:
		return fabric.BadRequest("The datastore from which the backup was taken, %s, does not match the destination datastore of %s.", b.Store, i.Store)
	}
	i.BackupID, i.Content = b.ID, b.Content
	return nil
}

// checkName refuses what Trove takes for no name.
func checkName(name string) error {
	if !strings.ContainsFunc(name, letterOrDigit) || len(name) > 255 {
		return fabric.BadRequest("Validation error: instance['name'] %q does not match '^.*[0-9a-zA-Z]+.*$'", name)
	}
	return nil
}

func letterOrDigit(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (t *Trove) change(id string, do func(*instance) error) error {
	_, ok, err := t.instances.Update(id, do)
	if err == nil && !ok {
		err = absent(id)
	}
	return err
}

// build makes a new instance active.
func (t *Trove) build(i instance) {
	t.fab.Transit(serviceName, "instance.create", i.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		_ = t.change(i.ID, func(i *instance) error {
			if i.Task = ""; fail {
				i.Task = failed
			}
			return nil
		})
	})
}

func (t *Trove) updateInstance(r *fabric.Request) error {
	var body struct {
		Instance struct {
			Name   *string `json:"name"`
			Access *access `json:"access"`
		} `json:"instance"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	i, err := t.own(r, "instance:update")
	if err != nil {
		return err
	}
	if body.Instance.Name != nil {
		if err := checkName(*body.Instance.Name); err != nil {
			return err
		}
	}
	err = t.change(i.ID, func(i *instance) error {
		if body.Instance.Name != nil {
			i.Name = *body.Instance.Name
		}
		if body.Instance.Access != nil {
			i.Access = body.Instance.Access
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Empty(http.StatusAccepted)
}

func (t *Trove) deleteInstance(r *fabric.Request) error {
	i, err := t.own(r, "instance:delete")
	if err != nil {
		return err
	}
	err = t.fab.Atomic(func() error {
		if len(t.replicas(i.ID)) > 0 {
			return fabric.Forbidden("Detach replicas before deleting replica source.")
		}
		if i.Cluster != "" {
			return fabric.Errorf(http.StatusNotImplemented, "The operation is not supported for an instance of a cluster.")
		}
		err := t.change(i.ID, func(i *instance) error {
			if i.Task == building {
				return unready("Instance %s is not ready. (Status is BUILD).", i.ID)
			}
			i.Task = deleting
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	t.raze(i)
	return r.Empty(http.StatusAccepted)
}

// raze removes an instance that is being deleted. Its backups stay.
func (t *Trove) raze(i instance) {
	t.fab.Transit(serviceName, "instance.delete", i.Project, func(ctx context.Context, fail bool) {
		if ctx.Err() != nil {
			return
		}
		if fail {
			_ = t.change(i.ID, func(i *instance) error { i.Task = failed; return nil })
			return
		}
		t.instances.Delete(i.ID)
	})
}

// act does the administrators' action reset_status, which here takes the status of the
// server that is to be shown, and restart.
func (t *Trove) act(r *fabric.Request) error {
	i, err := t.own(r, "instance:action")
	if err != nil {
		return err
	}
	name, arg, err := r.Action()
	if err != nil {
		return err
	}
	switch name {
	case "restart":
		return r.Empty(http.StatusAccepted)
	case "reset_status":
		if !r.Admin() {
			return fabric.Forbidden("Policy doesn't allow instance:reset_status to be performed.")
		}
		var ask struct{ Status string }
		_ = json.Unmarshal(arg, &ask) // the real one takes an empty object
		if ask.Status == "" {
			ask.Status = failed
		}
		if err := t.change(i.ID, func(i *instance) error { i.Server = ask.Status; return nil }); err != nil {
			return err
		}
		return r.Empty(http.StatusAccepted)
	}
	return fabric.BadRequest("Invalid request body.")
}
