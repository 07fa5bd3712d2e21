package trove

import (
	"net/http"
	"slices"
	"strings"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// content is what an instance holds, and a backup keeps.
type content struct {
	Databases []database `json:"databases"`
	Users     []user     `json:"users"`
}

// database is one database of an instance.
type database struct {
	Name string `json:"name"`
}

// user is one user of an instance's databases.
type user struct {
	Name      string     `json:"name"`
	Password  string     `json:"password,omitempty"`
	Host      string     `json:"host"`
	Databases []database `json:"databases"`
}

func (t *Trove) contentRoutes() {
	t.handle("GET", "/instances/{id}/databases", func(r *fabric.Request) error {
		i, err := t.running(r)
		if err != nil {
			return err
		}
		list := []any{}
		for _, d := range i.Content.Databases {
			list = append(list, map[string]any{"name": d.Name})
		}
		return r.JSON(http.StatusOK, map[string]any{"databases": list})
	})
	t.handle("GET", "/instances/{id}/users", func(r *fabric.Request) error {
		i, err := t.running(r)
		if err != nil {
			return err
		}
		list := []any{}
		for _, u := range i.Content.Users {
			databases := u.Databases
			if databases == nil {
				databases = []database{}
			}
			list = append(list, map[string]any{"name": u.Name, "host": host(u), "databases": databases})
		}
		return r.JSON(http.StatusOK, map[string]any{"users": list})
	})
	t.handle("POST", "/instances/{id}/databases", func(r *fabric.Request) error {
		var body struct{ Databases []database }
		return t.alter(r, "instance:extension:database:create", &body, func(c *content) error {
			for _, d := range body.Databases {
				if slices.Contains(c.Databases, d) {
					return fabric.BadRequest("A database with the name \"%s\" already exists.", d.Name)
				}
				c.Databases = append(c.Databases, d)
			}
			return nil
		})
	})
	t.handle("POST", "/instances/{id}/users", func(r *fabric.Request) error {
		var body struct{ Users []user }
		return t.alter(r, "instance:extension:user:create", &body, func(c *content) error {
			for _, u := range body.Users {
				if u.Name == "" || u.Password == "" {
					return fabric.BadRequest("Validation error: users[0] 'password' is a required property")
				}
				c.Users = append(c.Users, u)
			}
			return nil
		})
	})
	t.handle("DELETE", "/instances/{id}/databases/{name}", func(r *fabric.Request) error {
		return t.alter(r, "instance:extension:database:delete", nil, func(c *content) error {
			c.Databases = slices.DeleteFunc(c.Databases, func(d database) bool { return d.Name == r.PathValue("name") })
			return nil
		})
	})
}

func host(u user) string {
	if u.Host == "" {
		return "%"
	}
	return u.Host
}

// running gives the instance of the path if its database answers.
func (t *Trove) running(r *fabric.Request) (instance, error) {
	i, err := t.instance(r)
	if err == nil && t.status(i) != "ACTIVE" && t.status(i) != "BACKUP" {
		err = unready("Instance %s is not ready, status: %s.", i.ID, t.status(i))
	}
	return i, err
}

// alter changes what an instance holds, as a body says; body may be nil.
func (t *Trove) alter(r *fabric.Request, policy string, body any, do func(*content) error) error {
	if body != nil {
		if err := r.Decode(body); err != nil {
			return err
		}
	}
	i, err := t.running(r)
	if err == nil {
		err = mayWrite(r, policy)
	}
	if err != nil {
		return err
	}
	if err := t.change(i.ID, func(i *instance) error { return do(&i.Content) }); err != nil {
		return err
	}
	return r.Empty(http.StatusAccepted)
}

// group is a configuration group: settings that instances take.
type group struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Project string         `json:"project"`
	Store   string         `json:"datastore"`
	Version string         `json:"version"`
	Values  map[string]any `json:"values"`
	Created string         `json:"created"`
}

func (g group) show() map[string]any {
	return map[string]any{"id": g.ID, "name": g.Name, "description": nil, "values": g.Values, "created": g.Created, "updated": g.Created,
		"datastore_name": g.Store, "datastore_version_name": g.Version}
}

func (t *Trove) groupRoutes() {
	t.handle("POST", "/configurations", func(r *fabric.Request) error {
		var body struct {
			Group struct {
				Name      string
				Values    map[string]any
				Datastore struct{ Type, Version string }
			} `json:"configuration"`
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if err := mayWrite(r, "configuration:create"); err != nil {
			return err
		}
		store, err := findDatastore(body.Group.Datastore.Type, body.Group.Datastore.Version)
		if err != nil {
			return err
		}
		g := group{ID: fabric.NewID(), Name: body.Group.Name, Project: r.ProjectID, Store: store.kind, Version: store.version,
			Values: body.Group.Values, Created: strings.TrimSuffix(fabric.Seconds(t.fab.Clock.Now()), "Z")}
		t.groups.Put(g.ID, g)
		return r.JSON(http.StatusOK, map[string]any{"configuration": g.show()})
	})
	t.handle("GET", "/configurations/{id}", func(r *fabric.Request) error {
		g, err := t.group(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"configuration": g.show()})
	})
	t.handle("DELETE", "/configurations/{id}", func(r *fabric.Request) error {
		g, err := t.group(r)
		if err == nil {
			err = mayWrite(r, "configuration:delete")
		}
		if err != nil {
			return err
		}
		if len(t.instances.List(func(i instance) bool { return i.Group == g.ID })) > 0 {
			return fabric.BadRequest("Configuration group %s is attached to an instance.", g.ID)
		}
		t.groups.Delete(g.ID)
		return r.Empty(http.StatusAccepted)
	})
}

func (t *Trove) group(r *fabric.Request) (group, error) {
	g, ok := t.groups.Get(r.PathValue("id"))
	if !ok || !r.Sees(g.Project) {
		return g, absent(r.PathValue("id"))
	}
	return g, nil
}
