package v1_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	v1 "github.com/karbor/karbor/internal/api/v1"
	"github.com/karbor/karbor/internal/policy"
)

func TestEveryRouteHasAKnownRuleAndWritesAreNotForReaders(t *testing.T) {
	t.Parallel()
	d, _ := deps(t)
	access := map[string]policy.Access{}
	for _, r := range policy.Rules() {
		access[r.Name] = r.Default
	}
	for _, r := range v1.Routes(d) {
		a, known := access[r.Rule]
		switch {
		case !known:
			t.Errorf("%s %s: the rule %q is not known", r.Method, r.Pattern, r.Rule)
		case a != policy.AdminOnly && (r.Method == http.MethodGet) != (a == policy.Read):
			t.Errorf("%s %s: the rule %q asks for %v", r.Method, r.Pattern, r.Rule, a)
		case (r.Method == http.MethodPost || r.Method == http.MethodPut) && r.Body == nil:
			t.Errorf("%s %s takes a body without a schema", r.Method, r.Pattern)
		}
	}
}

func TestTheReferenceNamesEveryRouteAndRule(t *testing.T) {
	t.Parallel()
	d, _ := deps(t)
	text, err := os.ReadFile("../../../docs/api/README.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, r := range v1.Routes(d) {
		// The page writes the checkpoints' paths below their provider.
		path := strings.TrimPrefix(strings.ReplaceAll(r.Pattern, "{checkpoint_id}", "{id}"), "/providers/{provider_id}")
		if !strings.Contains(page, "`"+r.Method+" "+path+"`") {
			t.Errorf("docs/api/README.md does not name %s %s", r.Method, path)
		}
		if !strings.Contains(page, "`"+r.Rule+"`") {
			t.Errorf("docs/api/README.md does not name the rule %s", r.Rule)
		}
	}
}

// item is one route for the table: how it is called on a thing of the caller's own.
type item struct {
	method, path, body string
	// byID says that the path names a thing of a project; writes that a reader may
	// not call it; crosses that an administrator of another project may.
	byID, writes, crosses bool
	// admin says that only an administrator may call it, manager that a member may not.
	admin, manager bool
	// header asks for the microversion that has the route.
	header string
}

func items(plan, checkpoint, restore, log string) []item {
	cp := "/providers/" + provider + "/checkpoints"
	return []item{
		{method: "GET", path: "/providers"},
		{method: "GET", path: "/providers/" + provider},
		{method: "GET", path: "/protectables"},
		{method: "GET", path: "/protectables/OS::Nova::Server"},
		{method: "GET", path: "/compliance", header: v15},
		{method: "GET", path: "/protectables/OS::Nova::Server/instances"},
		{method: "GET", path: "/protectables/OS::Nova::Server/instances/a"},
		{method: "GET", path: "/plans"},
		{method: "GET", path: "/plans/" + plan, byID: true, crosses: true},
		{method: "PUT", path: "/plans/" + plan, body: `{"plan": {"name": "x"}}`, byID: true, writes: true, crosses: true},
		{method: "POST", path: "/plans", body: planBody, writes: true},
		{method: "GET", path: cp},
		{method: "POST", path: cp, body: `{"checkpoint": {"plan_id": "` + plan + `"}}`, byID: true, writes: true},
		{method: "GET", path: cp + "/" + checkpoint, byID: true, crosses: true},
		{method: "GET", path: "/restores"},
		{method: "GET", path: "/restores/" + restore, byID: true, crosses: true},
		{method: "GET", path: "/operation_logs"},
		{method: "GET", path: "/operation_logs/" + log, byID: true, crosses: true},
		{method: "PUT", path: "/application_credential", body: `{"application_credential": {"id": "a", "secret": "s"}}`, writes: true, header: v11},
		{method: "GET", path: "/application_credential", header: v11},
		{method: "DELETE", path: "/application_credential", writes: true, header: v11},
		{method: "PUT", path: cp + "/" + checkpoint, body: `{"os-resetState": {"state": "available"}}`, byID: true, writes: true, crosses: true},
		{method: "POST", path: "/restores", body: restoreBody(checkpoint), byID: true, writes: true},
		{method: "DELETE", path: cp + "/" + checkpoint, byID: true, writes: true, crosses: true},
		{method: "DELETE", path: "/plans/" + plan, byID: true, writes: true, crosses: true},
	}
}

// items gives a call of every route on things made by the token. Each thing is made
// by its own call, so that one is not in the way of another.
func (w *world) items(t *testing.T, token string) []item {
	t.Helper()
	checkpoint := w.checkpoint(t, token)
	restore := w.restore(t, token)
	logs := w.call(t, token, "GET", "/operation_logs?limit=1", "").want(t, 200).get("operation_logs").([]any)
	return slices.Concat(
		w.quotaItems(t, token), w.verificationItems(t, token), w.copyItems(t, token),
		w.triggerItems(t, token), w.scheduledItems(t, token), w.serviceItems(t), w.keepingItems(t, token), operationItems(restore), w.drillItems(t, token), w.profileItems(t, token), w.temporaryItems(t, token),
		items(w.plan(t, token), checkpoint, restore, logs[0].(map[string]any)["id"].(string)),
	)
}

func TestWhoMayCallWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine, foreign := w.items(t, "member"), w.items(t, "stranger")
	d, _ := deps(t)
	if n := len(v1.Routes(d)); n != len(mine) {
		t.Errorf("the table has %d routes, the API %d", len(mine), n)
	}
	for i, it := range mine {
		name := it.method + " " + it.path
		var headers []string
		if it.header != "" {
			headers = append(headers, it.header)
			// The path may take other methods.
			got := w.call(t, "member", it.method, it.path, it.body)
			if allow := got.header.Get("Allow"); got.status != 404 && (got.status != 405 || strings.Contains(allow, it.method)) {
				t.Errorf("%s without its microversion: %d, Allow %q", name, got.status, allow)
			}
		}
		if got := w.call(t, "", it.method, it.path, it.body, headers...).status; got != 401 {
			t.Errorf("%s without a token: %d", name, got)
		}
		for _, token := range []string{"member", "admin"} {
			if got := w.raw(t, token, it.method, "/v1/"+theirs+it.path, it.body, headers...); got.status != 400 || !strings.Contains(got.text, "Malformed request url") {
				t.Errorf("%s as %s, with another project in the path: %d %s", name, token, got.status, got.text)
			}
		}
		want := 200
		if it.writes || it.admin {
			want = 403
		}
		if got := w.call(t, "reader", it.method, it.path, it.body, headers...); got.status != want {
			t.Errorf("%s as a reader: %d %s, want %d", name, got.status, got.text, want)
		}
		other, token := foreign[i], "member"
		if it.manager {
			if got := w.call(t, token, it.method, it.path, it.body, headers...).status; got != 403 {
				t.Errorf("%s as a member: %d", name, got)
			}
			token = "manager"
		}
		if it.byID {
			if got := w.call(t, token, other.method, other.path, other.body, headers...); got.status != 404 || strings.Contains(got.text, theirs) {
				t.Errorf("%s of another project: %d %s", name, got.status, got.text)
			}
			want := 404
			if it.crosses {
				want = 200
			}
			if got := w.call(t, "admin", other.method, other.path, other.body, headers...); got.status != want {
				t.Errorf("%s of another project, as an administrator: %d %s, want %d", name, got.status, got.text, want)
			}
		}
		if it.admin {
			if got := w.call(t, token, it.method, it.path, it.body, headers...).status; got != 403 {
				t.Errorf("%s as a member: %d", name, got)
			}
			token = "admin"
		}
		if got := w.call(t, token, it.method, it.path, it.body, headers...); got.status != 200 {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
}

func TestIDsThatAreNoUUIDsAndUnknownOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reset := `{"os-resetState": {"state": "error"}}`
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/plans/%s", ""}, {"PUT", "/plans/%s", `{"plan": {}}`}, {"DELETE", "/plans/%s", ""},
		{"GET", "/providers/%s", ""}, {"GET", "/providers/%s/checkpoints", ""},
		{"POST", "/providers/%s/checkpoints", `{"checkpoint": {"plan_id": "` + unknown + `"}}`},
		{"GET", "/providers/" + provider + "/checkpoints/%s", ""},
		{"PUT", "/providers/" + provider + "/checkpoints/%s", reset},
		{"DELETE", "/providers/" + provider + "/checkpoints/%s", ""},
		{"GET", "/restores/%s", ""}, {"GET", "/operation_logs/%s", ""}, {"GET", "/verifications/%s", ""},
		{"POST", "/providers/%s/checkpoints/action", `{"copy": {"plan_id": "` + unknown + `"}}`},
	} {
		w.call(t, "member", tt.method, fmt.Sprintf(tt.path, "my-name"), tt.body).want(t, 400, "badRequest", "my-name")
		w.call(t, "member", tt.method, fmt.Sprintf(tt.path, unknown), tt.body).want(t, 404, "itemNotFound", unknown)
	}
}

func TestListsPageInATotalOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		w.restore(t, "member")
	}
	w.restore(t, "stranger")
	for collection, path := range map[string]string{
		"plans": "/plans", "restores": "/restores", "operation_logs": "/operation_logs",
		"checkpoints": "/providers/" + provider + "/checkpoints",
	} {
		for _, query := range []string{"limit=2", "limit=2&sort=status:asc", "limit=1&sort_key=id&sort_dir=desc", "limit=5&offset=0"} {
			seen := map[string]bool{}
			next := "/v1/" + ours + path + "?" + query
			for pages := 0; next != ""; pages++ {
				if pages > 6 {
					t.Fatalf("%s?%s does not end", path, query)
				}
				a := w.raw(t, "member", "GET", next, "").want(t, 200)
				for _, v := range a.body[collection].([]any) {
					id := v.(map[string]any)["id"].(string)
					if seen[id] {
						t.Errorf("%s?%s gives %s twice", path, query, id)
					}
					seen[id] = true
				}
				next = ""
				if links, ok := a.body[collection+"_links"].([]any); ok {
					next = links[0].(map[string]any)["href"].(string)
				}
			}
			if len(seen) != 5 {
				t.Errorf("%s?%s gives %d of 5", path, query, len(seen))
			}
		}
		for _, bad := range []string{"sort=colour", "marker=" + unknown, "marker=x", "limit=0", "sort=id&sort_key=id", "all_tenants=perhaps"} {
			w.call(t, "member", "GET", path+"?"+bad, "").want(t, 400, "badRequest")
		}
		for query, want := range map[string]int{"": 5, "?all_tenants=1": 5, "?colour=red": 5, "?project_id=" + ours: 5} {
			if got := len(w.call(t, "member", "GET", path+query, "").want(t, 200).body[collection].([]any)); got != want {
				t.Errorf("%s%s gives a member %d, want %d", path, query, got, want)
			}
		}
		for query, want := range map[string]int{"": 5, "?all_tenants=1": 6, "?all_tenants=True": 6, "?all_tenants=0": 5,
			"?all_tenants=1&project_id=" + theirs: 1, "?all_tenants=1&project_id=" + ours: 5, "?all_tenants=1&project_id=" + unknown: 0,
			"?all_tenants=1&project_id=": 6} {
			if got := len(w.call(t, "admin", "GET", path+query, "").want(t, 200).body[collection].([]any)); got != want {
				t.Errorf("%s%s gives an administrator %d, want %d", path, query, got, want)
			}
		}
	}
}
