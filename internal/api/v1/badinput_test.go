package v1_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	v1 "github.com/karbor/karbor/internal/api/v1"
)

// wrong is a body with one thing wrong.
type wrong struct {
	name string
	body any
	// member is what the answer must name.
	member string
}

// wrongs gives bodies that a schema refuses, each for one reason: made of a good
// body by spoiling one member after the other.
func wrongs(s object, good any, path string) []wrong {
	last := path[strings.LastIndex(path, ".")+1:]
	var out []wrong
	spoil := func(name string, v any) { out = append(out, wrong{path + ": " + name, v, last}) }
	kinds := kindsOf(s)
	for kind, v := range map[string]any{"object": map[string]any{}, "array": []any{}, "string": "text", "number": 1.5, "boolean": true, "null": nil} {
		if len(kinds) > 0 && !slices.Contains(kinds, kind) {
			spoil("a value of type "+kind, v)
		}
	}
	if n, ok := s["maxLength"].(float64); ok {
		spoil("a long text", strings.Repeat("x", int(n)+1))
	}
	if n, ok := s["minLength"].(float64); ok && n > 0 {
		spoil("an empty text", "")
	}
	if _, ok := s["enum"]; ok {
		spoil("another word", "no-such-word")
	}
	if s["format"] == "uuid" {
		spoil("no UUID", "my-name")
	}
	if members, ok := good.(map[string]any); ok {
		out = append(out, spoiledMembers(s, members, path)...)
	}
	return out
}

// kindsOf gives the types that a schema takes; none stands for all.
func kindsOf(s object) []string {
	switch kind := s["type"].(type) {
	case string:
		return []string{kind}
	case []any:
		var out []string
		for _, k := range kind {
			out = append(out, k.(string))
		}
		if slices.Contains(out, "integer") {
			out = append(out, "string") // a number as a text is for the room to refuse
		}
		return out
	}
	return nil
}

// spoiledMembers gives the object once without each member that it needs, once with
// one too many, and once with each wrong form of each member.
func spoiledMembers(s object, members map[string]any, path string) []wrong {
	var out []wrong
	with := func(name string, v any) map[string]any {
		other := maps.Clone(members)
		other[name] = v
		return other
	}
	properties, _ := s["properties"].(object)
	if s["additionalProperties"] == false {
		out = append(out, wrong{path + ": an unknown member", with("no_such_member", 1), "no_such_member"})
	}
	for name, v := range members {
		required, _ := s["required"].([]any)
		if slices.Contains(required, any(name)) {
			other := maps.Clone(members)
			delete(other, name)
			out = append(out, wrong{path + ": without " + name, other, name})
		}
		inner, ok := properties[name].(object)
		if !ok {
			continue
		}
		for _, w := range wrongs(inner, v, strings.TrimPrefix(path+"."+name, ".")) {
			out = append(out, wrong{w.name, with(name, w.body), w.member})
		}
	}
	return out
}

// good gives a body with every member that the schema knows.
func good(s object) any {
	if words, ok := s["enum"].([]any); ok {
		return words[0]
	}
	kinds := kindsOf(s)
	if len(kinds) == 0 {
		return "text"
	}
	switch kinds[0] {
	case "object":
		out := map[string]any{}
		properties, _ := s["properties"].(object)
		for name, p := range properties {
			out[name] = good(p.(object))
		}
		return out
	case "array":
		items, _ := s["items"].(object)
		return []any{good(items)}
	case "integer", "number":
		return 1
	case "boolean":
		return true
	case "null":
		return nil
	}
	if s["format"] == "uuid" {
		return unknown
	}
	return "text"
}

// bodySchemas gives the schema of each route's body, by METHOD pattern, with its
// definitions where they are used.
func bodySchemas(t testing.TB) map[string]object {
	t.Helper()
	text, err := document()
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]object{}
	for path, item := range doc["paths"].(object) {
		for method, op := range item.(object) {
			if body, ok := op.(object)["requestBody"].(object); ok {
				name := strings.ToUpper(method) + " " + strings.TrimPrefix(path, "/v1/{project_id}")
				out[name] = body["content"].(object)["application/json"].(object)["schema"].(object)
			}
		}
	}
	return out
}

// pathOf fills a pattern with ids that are nothing's.
func pathOf(pattern string) string {
	return strings.NewReplacer("{provider_id}", provider, "{checkpoint_id}", unknown, "{type}", "OS::Nova::Server", "{id}", unknown).Replace(pattern)
}

const latest = "OpenStack-API-Version: data-protect latest"

func TestABadBodyIsRefusedByTheNameOfItsMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	schemas := bodySchemas(t)
	tried := 0
	for _, r := range v1.Routes(v1.Deps{}) {
		if r.Body == nil {
			continue
		}
		s := schemas[r.Method+" "+r.Pattern]
		for _, bad := range wrongs(s, good(s), "") {
			text, err := json.Marshal(bad.body)
			if err != nil {
				t.Fatal(err)
			}
			tried++
			name := r.Method + " " + r.Pattern + bad.name
			a := w.call(t, "admin", r.Method, pathOf(r.Pattern), string(text), latest)
			if a.status != 400 || !strings.Contains(a.text, bad.member) {
				t.Errorf("%s: %d %s does not name %q; the body was %.200s", name, a.status, a.text, bad.member, text)
			}
			checkPlain(t, name, a)
		}
	}
	if tried < 50 {
		t.Errorf("only %d bodies were tried", tried)
	}
}

// checkPlain fails for a fault of the service's own, and for an answer that shows
// its inside.
func checkPlain(t testing.TB, name string, a answer) {
	t.Helper()
	if a.status >= 500 {
		t.Errorf("%s: %d %s", name, a.status, a.text)
	}
	for _, inside := range []string{"goroutine ", ".go:", "runtime error", "SELECT ", "sqlite", "json: ", "github.com/"} {
		if strings.Contains(a.text, inside) {
			t.Errorf("%s shows %q: %s", name, inside, a.text)
		}
	}
	if !utf8.ValidString(a.text) || a.status >= 400 && len(a.text) > 4000 {
		t.Errorf("%s answers %d bytes", name, len(a.text))
	}
}

// badQueries are values that a parameter of a query refuses, by its name.
var badQueries = map[string][]string{
	"limit": {"0", "-1", "many", "1e3", "0x10"}, "offset": {"-1", "many", "1.5"},
	"sort": {"no_such_key", "id:sideways", "id,,", ":"}, "sort_key": {"no_such_key"}, "sort_dir": {"sideways"},
	"marker": {"no-such-marker", "'; DROP TABLE plans; --"}, "all_tenants": {"perhaps"},
	"start_date": {"2026-13-01", "yesterday", "0000-00-00"}, "end_date": {"2026-02-30", "2026-11-21T00:00:00Z"},
	"verdict": {"good"}, "finding": {"kept,late"},
	"verified_days": {"0", "-1", "many", "1.5", "99999"}, "drilled_days": {"0", "often"}, "unmade_days": {"-7"},
	"parameters": {"[1]", "{'a': open('x')}", "{"},
}

func TestABadQueryIsRefusedByTheNameOfItsParameter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tried := 0
	for _, r := range v1.Routes(v1.Deps{}) {
		for _, q := range r.Query {
			for _, v := range append(badQueries[q.Name], "\x00", "\xff") {
				name := fmt.Sprintf("%s %s?%s=%q", r.Method, r.Pattern, q.Name, v)
				a := w.call(t, "admin", r.Method, pathOf(r.Pattern)+"?"+q.Name+"="+url.QueryEscape(v), "", latest)
				word, _, _ := strings.Cut(q.Name, "_")
				if a.status != 400 && a.status != 404 || a.status == 400 && !strings.Contains(a.text, word) {
					t.Errorf("%s: %d %s", name, a.status, a.text)
				}
				checkPlain(t, name, a)
				tried++
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d values were tried", tried)
	}
}

func TestABadHeaderIsRefusedByItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	schemas := bodySchemas(t)
	for _, r := range v1.Routes(v1.Deps{}) {
		for _, h := range []string{"OpenStack-API-Version: data-protect one", "OpenStack-API-Version: data-protect", "Content-Type: text/html", "Idempotency-Key: " + strings.Repeat("k", 300)} {
			header, _, _ := strings.Cut(h, ": ")
			if header == "Content-Type" && r.Body == nil || header == "Idempotency-Key" && r.Method != http.MethodPost {
				continue
			}
			s := schemas[r.Method+" "+r.Pattern]
			body := ""
			if s != nil {
				text, err := json.Marshal(good(s))
				if err != nil {
					t.Fatal(err)
				}
				body = string(text)
			}
			name := r.Method + " " + r.Pattern + " with " + h[:min(len(h), 60)]
			a := w.call(t, "admin", r.Method, pathOf(r.Pattern), body, latest, h)
			word := strings.ReplaceAll(strings.ToLower(header), "-", " ")
			if a.status != 400 || !strings.Contains(strings.ReplaceAll(strings.ToLower(a.text), "-", " "), word) {
				// A body that no schema refuses may be refused for what it says first.
				if header != "Idempotency-Key" || a.status != 400 {
					t.Errorf("%s: %d %s", name, a.status, a.text)
				}
			}
			checkPlain(t, name, a)
		}
	}
}

// FuzzRoutes calls every route with what nobody would send: whatever comes, the
// answer is one that the OpenAPI document knows, and never a fault of the service.
func FuzzRoutes(f *testing.F) {
	w := newWorld(f)
	routes := v1.Routes(v1.Deps{})
	schemas := bodySchemas(f)
	f.Add(uint8(0), unknown, "limit=2&sort=id:asc&marker="+unknown, "{}", "latest", "key", "application/json")
	for i, r := range routes {
		body := "{}"
		if s := schemas[r.Method+" "+r.Pattern]; s != nil {
			text, err := json.Marshal(good(s))
			if err != nil {
				f.Fatal(err)
			}
			body = string(text)
			for _, bad := range wrongs(s, good(s), "") {
				text, err := json.Marshal(bad.body)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(uint8(i), unknown, "", string(text), "1.0", "", "application/json")
			}
		}
		query := url.Values{}
		for _, q := range r.Query {
			query.Set(q.Name, "1")
		}
		for _, id := range []string{unknown, "..", "%00", "a%2Fb", strings.Repeat("x", 300), "é"} {
			f.Add(uint8(i), id, query.Encode(), body, "latest", "k", "application/json; charset=utf-8")
		}
		f.Add(uint8(i), unknown, "limit=%zz&&==;", body+body, "data-protect", "\x7f", "text/plain")
	}
	f.Fuzz(func(t *testing.T, i uint8, id, query, body, version, key, kind string) {
		r := routes[int(i)%len(routes)]
		path := strings.NewReplacer("{provider_id}", provider, "{checkpoint_id}", id, "{type}", "OS::Nova::Server", "{id}", id).Replace(r.Pattern)
		raw := "/v1/" + ours + path
		clean, err := url.PathUnescape(raw)
		if err != nil {
			return // net/http refuses it
		}
		req := httptest.NewRequestWithContext(t.Context(), r.Method, "/", strings.NewReader(body))
		req.URL.Path, req.URL.RawPath, req.URL.RawQuery = clean, raw, query
		req.Header.Set("X-Auth-Token", "admin")
		req.Header.Set("OpenStack-API-Version", "data-protect "+version)
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Content-Type", kind)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, req)
		checkContract(t, req, rec)
		checkPlain(t, r.Method+" "+raw, answer{status: rec.Code, text: rec.Body.String()})
	})
}
