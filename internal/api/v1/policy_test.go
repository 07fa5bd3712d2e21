package v1_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/api"
	v1 "github.com/karbor/karbor/internal/api/v1"
	"github.com/karbor/karbor/internal/policy"
)

// The table of docs/operators/policy.md is made by asking the API, as each persona,
// for each route, on things of the persona's own project and of another one.

const (
	policyPage    = "../../../docs/operators/policy.md"
	tableBegins   = "<!-- the table begins; it is made by: go test ./internal/api/v1 -run PolicyTable -update -->\n"
	tableEnds     = "<!-- the table ends -->\n"
	updateCommand = "go test ./internal/api/v1 -run PolicyTable -update"
)

// persona is a column of the table: a token of newWorld, under the defaults or the
// new defaults.
type persona struct {
	title, token string
	strict       bool
}

func personas() []persona {
	return []persona{
		{"`reader`", "reader", false},
		{"`member`", "member", false},
		{"`manager`", "manager", false},
		{"`admin`", "admin", false},
		{"`service`", "service", false},
		{"another role", "other", false},
		{"`service`, new defaults", "service", true},
		{"another role, new defaults", "other", true},
	}
}

// The cells of the table.
const (
	refused   = "–"
	permitted = "yes"
	ownOnly   = "own"
	anybodys  = "any"
)

func enforcer(t *testing.T, strict bool) *policy.Enforcer {
	t.Helper()
	e, err := policy.Open(policy.Options{EnforceNewDefaults: strict})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// matcher finds the route of a call.
func matcher(routes []api.Route) func(method, path string) string {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.Handle(r.Method+" "+r.Pattern, http.NotFoundHandler())
	}
	return func(method, path string) string {
		_, pattern := mux.Handler(httptest.NewRequest(method, path, http.NoBody))
		return pattern
	}
}

// cells calls every route as the persona, and gives a cell for each.
func cells(t *testing.T, p persona, routes []api.Route) map[string]string {
	t.Helper()
	w := worldUnder(t, enforcer(t, p.strict))
	mine, foreign := w.items(t, "member"), w.items(t, "stranger")
	w.call(t, "member", "PUT", "/application_credential", `{"application_credential": {"id": "a", "secret": "s"}}`, v11).want(t, 200)
	match := matcher(routes)
	rules := map[string]string{}
	for _, r := range routes {
		rules[r.Method+" "+r.Pattern] = r.Rule
	}
	out := map[string]string{}
	for i, it := range mine {
		pattern := match(it.method, it.path)
		out[pattern] = w.cell(t, p, it, foreign[i], enforcer(t, p.strict).Known(rules[pattern]+"_tenants"))
	}
	return out
}

// cell asks for one route: first for the thing of the other project.
func (w *world) cell(t *testing.T, p persona, own, other item, hasTenants bool) string {
	t.Helper()
	var headers []string
	if own.header != "" {
		headers = []string{own.header}
	}
	name := fmt.Sprintf("%s as %s (new defaults: %t)", own.method+" "+own.path, p.token, p.strict)
	cell := permitted
	if other.path != own.path || other.body != own.body {
		a := w.call(t, p.token, other.method, other.path, other.body, headers...)
		switch a.status {
		case http.StatusOK:
			cell = anybodys
		case http.StatusNotFound:
			cell = ownOnly
			if strings.Contains(a.text, theirs) {
				t.Errorf("%s tells of another project: %s", name, a.text)
			}
		case http.StatusForbidden:
			cell = refused
		default:
			t.Errorf("%s, of another project: %d %s", name, a.status, a.text)
		}
	}
	a := w.call(t, p.token, own.method, own.path, own.body, headers...)
	switch {
	case a.status == http.StatusForbidden && (cell == permitted || cell == refused):
		return refused
	case a.status != http.StatusOK || cell == refused:
		t.Errorf("%s: %d %s, and of another project %q", name, a.status, a.text, cell)
	}
	if hasTenants {
		cell = ownOnly
		if all := w.call(t, p.token, own.method, own.path+"?all_tenants=1", "", headers...).want(t, http.StatusOK); len(all.text) > len(a.text) {
			cell = anybodys
		}
	}
	return cell
}

// policyTable gives the table as Markdown, a line for each route.
func policyTable(t *testing.T, routes []api.Route) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("| operation | rule |")
	columns := make([]map[string]string, 0, len(personas()))
	for _, p := range personas() {
		fmt.Fprintf(&out, " %s |", p.title)
		columns = append(columns, cells(t, p, routes))
	}
	out.WriteString("\n|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, r := range routes {
		name := r.Method + " " + r.Pattern
		fmt.Fprintf(&out, "| `%s` | `%s` |", name, r.Rule)
		for _, column := range columns {
			if column[name] == "" {
				t.Fatalf("%s is a route that no test calls: add a call of it to items in v1_test.go, then run: %s", name, updateCommand)
			}
			fmt.Fprintf(&out, " %s |", column[name])
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestPolicyTableIsWhatTheAPIDoes(t *testing.T) {
	t.Parallel()
	d, _ := deps(t)
	routes := v1.Routes(d)
	page, err := os.ReadFile(policyPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(page, []byte(tableBegins))
	have, after, ok2 := bytes.Cut(rest, []byte(tableEnds))
	if !ok || !ok2 {
		t.Fatalf("%s has not the two comments between which the table stands", policyPage)
	}
	want := policyTable(t, routes)
	if *update {
		text := slices.Concat(before, []byte(tableBegins), []byte(want), []byte(tableEnds), after)
		if err := os.WriteFile(policyPage, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, r := range routes {
		if !bytes.Contains(have, fmt.Appendf(nil, "\n| `%s %s` |", r.Method, r.Pattern)) {
			t.Errorf("%s has no line of the route %s %s; run: %s", policyPage, r.Method, r.Pattern, updateCommand)
		}
	}
	if string(have) == want {
		return
	}
	for line := range strings.Lines(want) {
		if !strings.Contains(string(have), line) {
			t.Errorf("the API does: %s", line)
		}
	}
	t.Errorf("the table of %s is not what the API does. If the change is meant, run: %s", policyPage, updateCommand)
}

func TestTheNewDefaultsChangeNothingForThePersonas(t *testing.T) {
	t.Parallel()
	d, _ := deps(t)
	routes := v1.Routes(d)
	for _, token := range []string{"reader", "member", "manager", "admin"} {
		before, after := cells(t, persona{token: token}, routes), cells(t, persona{token: token, strict: true}, routes)
		for name, cell := range before {
			if after[name] != cell {
				t.Errorf("%s as %s: %s becomes %s", name, token, cell, after[name])
			}
		}
	}
}

func TestRulesNameTheOperationsThatTheyGuard(t *testing.T) {
	t.Parallel()
	d, _ := deps(t)
	served := map[string][]string{}
	for _, r := range v1.Routes(d) {
		served[r.Rule] = append(served[r.Rule], r.Method+" "+r.Pattern)
	}
	for _, r := range policy.Rules() {
		routes, ok := served[r.Name]
		if !ok {
			continue // a rule whose operations are not served yet, or that others lead to
		}
		var named []string
		for _, o := range r.Operations {
			named = append(named, o.Method+" "+o.Path)
		}
		slices.Sort(named)
		slices.Sort(routes)
		if !slices.Equal(named, routes) {
			t.Errorf("the rule %s says that it guards %q, and the routes say %q", r.Name, named, routes)
		}
	}
}

func TestAllTenantsIsForWhoTheTenantsRuleAllows(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/policy.yaml"
	rules := "\"plan:get_all_tenants\": \"role:auditor or role:creator\"\n\"plan:get\": \"role:creator\"\n"
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := policy.Open(policy.Options{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	w := worldUnder(t, e)
	w.plan(t, "member")
	foreign := w.plan(t, "stranger")
	for token, want := range map[string]int{"other": 2, "admin": 1, "member": 1} {
		if got := len(w.call(t, token, "GET", "/plans?all_tenants=1", "").want(t, 200).body["plans"].([]any)); got != want {
			t.Errorf("%s sees %d plans, want %d", token, got, want)
		}
	}
	w.call(t, "other", "GET", "/plans/"+foreign, "").want(t, 200)
	w.call(t, "admin", "GET", "/plans/"+foreign, "").want(t, 403)
	w.call(t, "other", "DELETE", "/plans/"+foreign, "").want(t, 404)
}
