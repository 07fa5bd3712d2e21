package dnszone_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
)

// cloud is a small one: a Keystone with three projects, and a Designate with zones and record sets. It
// takes time as the real one does: what was asked of a zone is done when it was looked at twice.
type cloud struct {
	server *httptest.Server

	mu    sync.Mutex
	zones []*zone
	// refused has the types of record sets that it does not take, and by what status.
	refused map[string]int
	// quotas are what it allows a project; nil where it has none, and tells none.
	quotas map[string]int
}

// zone is a zone as the API shows it, with its record sets.
type zone struct {
	members map[string]any
	sets    []map[string]any
	looks   int // until it is as it was asked to be
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{quotas: map[string]int{"zones": 10, "zone_recordsets": 500}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v3/auth/tokens", c.token)
	mux.HandleFunc("GET /v2/zones", c.listZones)
	mux.HandleFunc("POST /v2/zones", c.createZone)
	mux.HandleFunc("GET /v2/zones/{id}", c.ofZone(c.showZone))
	mux.HandleFunc("PATCH /v2/zones/{id}", c.ofZone(c.updateZone))
	mux.HandleFunc("DELETE /v2/zones/{id}", c.ofZone(c.deleteZone))
	mux.HandleFunc("GET /v2/zones/{id}/recordsets", c.ofZone(c.listSets))
	mux.HandleFunc("POST /v2/zones/{id}/recordsets", c.ofZone(c.createSet))
	mux.HandleFunc("GET /v2/quotas/{project}", c.showQuotas)
	c.server = httptest.NewServer(mux)
	t.Cleanup(c.server.Close)
	return c
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	reply(w, status, map[string]any{"code": status, "type": kind, "message": message})
}

func body(r *http.Request) map[string]any {
	text, _ := io.ReadAll(r.Body)
	members := map[string]any{}
	_ = json.Unmarshal(text, &members)
	return members
}

// token gives the user a token: the id of the project that has the user's name.
func (c *cloud) token(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var asked struct {
		Auth struct {
			Scope struct {
				Project struct{ Name string } `json:"project"`
			} `json:"scope"`
		} `json:"auth"`
	}
	_ = json.Unmarshal(text, &asked)
	name := asked.Auth.Scope.Project.Name
	w.Header().Set("X-Subject-Token", projectOf(name))
	reply(w, http.StatusCreated, map[string]any{"token": map[string]any{
		"methods": []string{"password"}, "expires_at": "2099-01-01T00:00:00Z",
		"user": map[string]any{"id": "user-of-" + name, "name": name}, "project": map[string]any{"id": projectOf(name), "name": name},
		"catalog": []any{map[string]any{"type": "dns", "endpoints": []any{
			map[string]any{"interface": "public", "region": "here", "url": c.server.URL}}}},
	}})
}

// admin is the project whose user sees what all have.
const admin = "admin"

// projectOf gives the id of a project.
func projectOf(name string) string { return fmt.Sprintf("%032x", name) }

// session opens a session of a project's user.
func (c *cloud) session(t *testing.T, project string, client *http.Client) karbor.Cloud {
	t.Helper()
	authority, err := openstack.NewAuthority(t.Context(), openstack.Options{
		AuthURL: c.server.URL, Username: project, Password: "secret", Project: project, HTTP: client, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	session := authority.Service()
	// The token is fetched now, so that only the hooks' own calls count.
	if _, err := openstack.DNS(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	return session
}

// ofZone looks for the zone that a request is about, and lets its owner, or an administrator, do it.
func (c *cloud) ofZone(do func(http.ResponseWriter, *http.Request, *zone)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.settle()
		who := r.Header.Get("X-Auth-Token")
		for _, z := range c.zones {
			if z.members["id"] == r.PathValue("id") && (z.members["project_id"] == who || who == projectOf(admin)) {
				do(w, r, z)
				return
			}
		}
		refuse(w, http.StatusNotFound, "zone_not_found", "Could not find Zone")
	}
}

// settle takes time: with each request the zones get nearer to what was asked of them.
func (c *cloud) settle() {
	c.zones = slices.DeleteFunc(c.zones, func(z *zone) bool {
		if z.looks--; z.looks > 0 {
			return false
		}
		if z.members["action"] == "DELETE" {
			return true
		}
		if z.members["status"] == "PENDING" {
			z.members["status"], z.members["action"] = "ACTIVE", "NONE"
		}
		return false
	})
}

// change begins what a zone is asked for.
func (z *zone) change(action string) {
	z.members["status"], z.members["action"], z.looks = "PENDING", action, 2
}

func (c *cloud) listZones(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	who, list := r.Header.Get("X-Auth-Token"), []any{}
	for _, z := range c.zones {
		if z.members["project_id"] == who || who == projectOf(admin) {
			list = append(list, z.members)
		}
	}
	reply(w, http.StatusOK, map[string]any{"zones": list, "links": map[string]any{}})
}

func (c *cloud) createZone(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := body(r)
	if slices.ContainsFunc(c.zones, func(z *zone) bool { return z.members["name"] == asked["name"] }) {
		refuse(w, http.StatusConflict, "duplicate_zone", "Duplicate Zone")
		return
	}
	if c.over("zones", len(c.zones)) {
		refuse(w, http.StatusRequestEntityTooLarge, "over_quota", "Quota exceeded for zones.")
		return
	}
	asked["id"], asked["project_id"] = karbor.NewID(), r.Header.Get("X-Auth-Token")
	z := &zone{members: asked}
	for kind, records := range map[string][]any{"SOA": {"ns1.cloud.example. 1"}, "NS": {"ns1.cloud.example.", "ns2.cloud.example."}} {
		z.sets = append(z.sets, map[string]any{"id": karbor.NewID(), "name": asked["name"], "type": kind, "records": records})
	}
	z.change("CREATE")
	c.zones = append(c.zones, z)
	reply(w, http.StatusAccepted, z.members)
}

// over reports whether what is there leaves no room for one more.
func (c *cloud) over(quota string, there int) bool {
	most, limited := c.quotas[quota]
	return limited && there >= most
}

func (c *cloud) showQuotas(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quotas == nil {
		refuse(w, http.StatusForbidden, "forbidden", "Policy does not allow this request.")
		return
	}
	reply(w, http.StatusOK, c.quotas)
}

// add gives a project a zone that is there, with record sets, and gives its id.
func (c *cloud) add(t *testing.T, project, name string, members map[string]any, sets ...map[string]any) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	z := &zone{members: map[string]any{
		"id": karbor.NewID(), "project_id": projectOf(project), "name": name, "email": "hostmaster@" + strings.TrimSuffix(name, "."), "ttl": 3600,
		"description": "of the shop", "attributes": map[string]any{"tier": "gold"}, "type": "PRIMARY", "status": "ACTIVE", "action": "NONE",
	}, sets: sets, looks: 1 << 30}
	maps.Copy(z.members, members)
	for _, s := range sets {
		s["id"] = karbor.NewID()
	}
	c.zones = append(c.zones, z)
	return fmt.Sprint(z.members["id"])
}

// drop takes zones away.
func (c *cloud) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zones = slices.DeleteFunc(c.zones, func(z *zone) bool { return z.members["id"] == id })
}

// look gives what a restore keeps of a zone: its settings, and its record sets by name and type.
func (c *cloud) look(id string) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]any{}
	for _, z := range c.zones {
		if z.members["id"] != id {
			continue
		}
		for _, m := range []string{"name", "email", "description", "attributes", "type"} {
			out[m] = z.members[m]
		}
		out["ttl"] = fmt.Sprint(z.members["ttl"])
		for _, s := range z.sets {
			if s["type"] != "SOA" {
				out[fmt.Sprint(s["name"], " ", s["type"])] = fmt.Sprint(s["records"], s["ttl"], s["description"])
			}
		}
	}
	return out
}

// inventory lists what a project has, a line for each thing.
func (c *cloud) inventory(project string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, z := range c.zones {
		if z.members["project_id"] != projectOf(project) {
			continue
		}
		lines = append(lines, fmt.Sprintf("zones %v %v: %v", z.members["id"], z.members["name"], z.members["description"]))
		for _, s := range z.sets {
			lines = append(lines, fmt.Sprintf("recordsets %v %v %v", z.members["id"], s["name"], s["type"]))
		}
	}
	slices.Sort(lines)
	return lines
}

func (c *cloud) showZone(w http.ResponseWriter, _ *http.Request, z *zone) {
	reply(w, http.StatusOK, z.members)
}

func (c *cloud) updateZone(w http.ResponseWriter, r *http.Request, z *zone) {
	z.members["description"] = body(r)["description"]
	z.change("UPDATE")
	reply(w, http.StatusAccepted, z.members)
}

func (c *cloud) deleteZone(w http.ResponseWriter, _ *http.Request, z *zone) {
	z.change("DELETE")
	reply(w, http.StatusAccepted, z.members)
}

func (c *cloud) listSets(w http.ResponseWriter, _ *http.Request, z *zone) {
	reply(w, http.StatusOK, map[string]any{"recordsets": z.sets, "links": map[string]any{}})
}

func (c *cloud) createSet(w http.ResponseWriter, r *http.Request, z *zone) {
	asked := body(r)
	name, _ := asked["name"].(string)
	of, _ := z.members["name"].(string)
	kind, _ := asked["type"].(string)
	switch {
	case z.members["action"] == "DELETE":
		refuse(w, http.StatusBadRequest, "bad_request", "Can not update a deleting zone")
	case !strings.HasSuffix("."+name, "."+of):
		refuse(w, http.StatusBadRequest, "invalid_object", "Provided object does not match schema")
	case c.refused[kind] != 0:
		refuse(w, c.refused[kind], "refused", "There are no such record sets here")
	case c.over("zone_recordsets", len(z.sets)-1): // without the SOA
		refuse(w, http.StatusRequestEntityTooLarge, "over_quota", "Quota exceeded for zone_recordsets.")
	case slices.ContainsFunc(z.sets, func(s map[string]any) bool { return s["name"] == name && s["type"] == kind }):
		refuse(w, http.StatusConflict, "duplicate_recordset", "Duplicate RecordSet")
	default:
		asked["id"] = karbor.NewID()
		z.sets = append(z.sets, asked)
		z.change("UPDATE")
		reply(w, http.StatusAccepted, asked)
	}
}
