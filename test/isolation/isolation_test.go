package isolation

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/karbor/karbor/internal/api"
	v1 "github.com/karbor/karbor/internal/api/v1"
)

// nobody gives an id that is nothing's, of the same form as another.
func nobody(like string) string {
	id := uuid.NewString()
	if !strings.Contains(like, "-") {
		id = strings.ReplaceAll(id, "-", "")
	}
	return id
}

// probe is one question that names a thing by its id.
type probe struct {
	name, method string
	// path and body have "$" where the id stands.
	path, body string
	// foreign is the id of the other tenant's thing.
	foreign string
}

// shared are the first words of routes that name nothing of a tenant's.
var shared = []string{"quota_classes", "os-services", "application_credential", "evidence_keys"}

// bodies are what the routes that take a body are asked with. A word behind a dollar
// sign names a thing of the other tenant's; each is asked for in its own probe.
var bodies = map[string][]string{
	"PUT /plans":        {`{"plan": {"name": "mine now"}}`},
	"PUT /checkpoints":  {`{"os-resetState": {"state": "error"}}`},
	"PUT /quotas":       {`{"quota": {"plans": 7}}`},
	"PUT /triggers":     {`{"trigger_info": {"name": "mine now"}}`},
	"POST /checkpoints": {`{"checkpoint": {"plan_id": "$plans"}}`},
	"POST /restores": {
		`{"restore": {"provider_id": "` + providerID + `", "checkpoint_id": "$checkpoints", "parameters": {}}}`,
		`{"restore": {"provider_id": "` + providerID + `", "checkpoint_id": "` + nobody("") + `", "parameters": {}, "profile": "$mapping_profiles"}}`,
	},
	"POST /verifications":    {`{"verification": {"provider_id": "` + providerID + `", "checkpoint_id": "$checkpoints", "parameters": {}}}`},
	"POST /drills":           {`{"drill": {"provider_id": "` + providerID + `", "checkpoint_id": "$checkpoints"}}`},
	"POST /operations":       {`{"cancel": {}}`},
	"POST /action":           {`{"copy": {"plan_id": "$plans"}}`},
	"PUT /hold":              {`{"hold": {"reason": "mine now"}}`},
	"PUT /expiry":            {`{"expires_at": "2099-01-01T00:00:00Z"}`},
	"POST /force_delete":     {`{"force_delete": {"reason": "mine now"}}`},
	"POST /retention":        {`{"retention": {"max_backups": 1}}`},
	"POST /mapping_profiles": nil,
	"POST /plans":            nil,
	"POST /triggers":         nil,
	"POST /check":            nil,
	"PUT /scheduled_operations": {
		`{"scheduled_operation": {"name": "mine now"}}`,
		`{"scheduled_operation": {"enabled": false}}`,
		`{"scheduled_operation": {"renew": true}}`,
	},
	"POST /scheduled_operations/action": {`{"run": null}`, `{"skip": null}`, `{"resume": null}`, `{"pause": {"until": "2099-01-01T00:00:00Z"}}`},
	"POST /scheduled_operations": {
		`{"scheduled_operation": {"name": "x", "operation_type": "protect", "trigger_id": "$triggers", "operation_definition": {"plan_id": "(own plan)", "provider_id": "` + providerID + `"}}}`,
		`{"scheduled_operation": {"name": "x", "operation_type": "protect", "trigger_id": "(own trigger)", "operation_definition": {"plan_id": "$plans", "provider_id": "` + providerID + `"}}}`,
	},
}

// probes gives the questions that one route can be asked about the things of
// another tenant; a sentence says what the test does not know yet.
func (c *cast) probes(r api.Route) ([]probe, error) {
	parts := strings.Split(strings.Trim(r.Pattern, "/"), "/")
	if slices.Contains(shared, parts[0]) {
		return nil, nil
	}
	last := parts[0]
	path, open := "", []string(nil)
	for _, part := range parts {
		switch {
		case part == "{provider_id}" || last == "providers" && part == "{id}":
			path += "/" + providerID
		case part == "{type}":
			path += "/(type)"
		case strings.HasPrefix(part, "{"):
			path += "/$" + last
			open = append(open, last)
		default:
			path += "/" + part
			last = part
		}
	}
	name := r.Method + " /" + last
	if last == "detail" || last == "defaults" || parts[0] == "operations" {
		name = r.Method + " /" + parts[0]
	}
	if parts[0] == "scheduled_operations" && last == "action" {
		name = r.Method + " /scheduled_operations/action"
	}
	texts := []string{""}
	if r.Body != nil {
		var known bool
		if texts, known = bodies[name]; !known {
			return nil, fmt.Errorf("it takes a body: say in bodies what it is asked with, under %q", name)
		}
	}
	var out []probe
	for _, text := range texts {
		for _, kind := range slices.Concat(open, named(text)) {
			list, err := c.fill(probe{name: r.Method + " " + r.Pattern + " ($" + kind + ")", method: r.Method, path: path, body: text}, kind)
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
		}
	}
	return append(out, c.queries(r, path, open)...), nil
}

// named gives the words behind dollar signs in a body.
func named(text string) []string {
	var out []string
	for i, part := range strings.Split(text, `"$`) {
		if i > 0 {
			word, _, _ := strings.Cut(part, `"`)
			out = append(out, word)
		}
	}
	return out
}

// fill puts in the things of the other tenant's that the probe is about.
func (c *cast) fill(p probe, kind string) ([]probe, error) {
	p.body = strings.NewReplacer("(own plan)", c.own["plans"], "(own trigger)", c.own["triggers"]).Replace(p.body)
	put := func(p probe, id string) probe {
		p.foreign = id
		p.path = strings.ReplaceAll(p.path, "$"+kind, "$")
		p.body = strings.ReplaceAll(p.body, "$"+kind, "$")
		return p
	}
	if kind == "instances" {
		var out []probe
		for t, id := range c.resources {
			each := put(p, id)
			each.path = strings.ReplaceAll(each.path, "(type)", t)
			each.name += " " + t
			out = append(out, each)
		}
		return out, nil
	}
	id, known := c.things[kind]
	if !known {
		return nil, fmt.Errorf("it names one of %q: make one in newCast", kind)
	}
	if id == "" {
		// There is none, as the service offers none: an unknown id is all there is.
		id = nobody("-")
	}
	return []probe{put(p, id)}, nil
}

// queries gives the questions of a list: each filter by an id, and the marker.
func (c *cast) queries(r api.Route, path string, open []string) []probe {
	if len(open) > 0 {
		return nil
	}
	var out []probe
	for _, q := range r.Query {
		ids := []string{c.things[strings.TrimSuffix(q.Name, "_id")+"s"]}
		switch {
		case q.Name == "marker" && strings.Contains(path, "(type)"):
			continue // the instances of a type are of the caller's cloud: see fill
		case q.Name == "marker":
			ids = []string{c.things[path[strings.LastIndex(path, "/")+1:]]}
		case q.Name == "project_id":
			ids = []string{c.victim.project}
		case !strings.HasSuffix(q.Name, "_id"):
			continue
		}
		for _, id := range ids {
			if id != "" {
				out = append(out, probe{name: r.Method + " " + r.Pattern + "?" + q.Name, method: r.Method, path: path + "?" + q.Name + "=$", foreign: id})
			}
		}
	}
	return out
}

// ask asks a probe's question about a thing.
func (p probe) ask(t *testing.T, who *tenant, id string) answer {
	t.Helper()
	return who.call(t, p.method, strings.ReplaceAll(p.path, "$", url.PathEscape(id)), strings.ReplaceAll(p.body, "$", id)).without(id)
}

func TestAnothersThingIsAsAnUnknownOne(t *testing.T) {
	c := newCast(t)
	asked := 0
	for _, r := range v1.Routes(v1.Deps{}) {
		probes, err := c.probes(r)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.Pattern, err)
		}
		for _, p := range probes {
			asked++
			// What is remembered of the token and of the cloud is the same for both.
			warm := p.ask(t, c.stranger, nobody(p.foreign))
			unknown := p.ask(t, c.stranger, nobody(p.foreign))
			foreign := p.ask(t, c.stranger, p.foreign)
			if d := cmp.Diff(unknown, foreign, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s tells the two apart (- an unknown id, + another tenant's):\n%s", p.name, d)
			}
			if warm.Status >= 500 || foreign.Status >= 500 {
				t.Errorf("%s: %d %s", p.name, foreign.Status, foreign.Body)
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d questions were asked", asked)
	}
	c.stillThere(t)
}

func TestNoListShowsAnothersThings(t *testing.T) {
	c := newCast(t)
	for _, r := range v1.Routes(v1.Deps{}) {
		shape, ok := r.Answer.(api.Shape)
		first, _, _ := strings.Cut(strings.TrimPrefix(r.Pattern, "/"), "/")
		if !ok || r.Method != http.MethodGet || strings.Contains(r.Pattern, "{type}") || slices.Contains(shared, first) {
			continue
		}
		path := strings.ReplaceAll(r.Pattern, "{provider_id}", providerID)
		collection := ""
		for name := range shape {
			if base, isList := strings.CutSuffix(name, "_links?"); isList {
				collection = base
			}
		}
		if collection == "" {
			continue
		}
		for _, query := range []string{"", "?all_tenants=1", "?all_tenants=true&project_id=" + c.victim.project, "?limit=1", "?sort=id:asc"} {
			a := c.stranger.call(t, "GET", path+query, "")
			for kind, id := range c.things {
				if id != "" && strings.Contains(a.Body, id) {
					t.Errorf("%s%s shows the %s of another: %s", path, query, kind, a.Body)
				}
			}
			if strings.Contains(a.Body, c.victim.project) || strings.Contains(fmt.Sprint(a.Header), c.victim.project) {
				t.Errorf("%s%s names another's project: %s", path, query, a.Body)
			}
			if mine := c.victim.call(t, "GET", path+query, ""); query == "" && c.has(collection) && !strings.Contains(mine.Body, c.victim.project) && !c.anyOf(mine.Body) {
				t.Errorf("%s shows the owner nothing; the test proves nothing: %s", path, mine.Body)
			}
		}
	}
}
