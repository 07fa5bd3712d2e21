package v1_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(a answer, collection, member string) string {
	var out []string
	list, _ := a.body[collection].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any)[member].(string))
	}
	return strings.Join(out, " ")
}

func TestProvidersAreShownWithTheirSchemas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	empty := map[string]any{"OS::Cinder::Volume": map[string]any{}}
	want := map[string]any{
		"id": provider, "name": "Gold", "description": "fast",
		"extended_info_schema": map[string]any{
			"options_schema": map[string]any{"OS::Cinder::Volume": map[string]any{
				"type": "object", "properties": map[string]any{"mode": map[string]any{"type": "string"}},
			}},
			"restore_schema": empty, "saved_info_schema": empty,
			"verify_schema": map[string]any{"OS::Cinder::Volume": map[string]any{"title": "verify"}},
		},
	}
	a := w.call(t, "member", "GET", "/providers/"+provider, "").want(t, 200)
	if d := cmp.Diff(map[string]any{"provider": want}, a.body); d != "" {
		t.Error(d)
	}
	a = w.call(t, "member", "GET", "/providers", "").want(t, 200)
	if d := cmp.Diff(want, a.body["providers"].([]any)[0]); d != "" {
		t.Error(d)
	}
}

func TestProvidersAreFilteredSortedAndPaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for query, want := range map[string]string{
		"": "Gold silver", "name=gold": "Gold", "name=l": "Gold silver", "name=x": "", "description=slow": "silver",
		"sort=name:desc": "silver Gold", "sort=description": "silver Gold", "sort_key=id&sort_dir=asc": "silver Gold",
		"limit=1": "Gold", "limit=1&marker=" + provider: "silver", "offset=1": "silver", "marker=" + second: "",
	} {
		if got := names(w.call(t, "member", "GET", "/providers?"+query, "").want(t, 200), "providers", "name"); got != want {
			t.Errorf("%q gives %q, want %q", query, got, want)
		}
	}
	for _, bad := range []string{"marker=" + unknown, "sort=created_at", "sort=name:up", "limit=0"} {
		w.call(t, "member", "GET", "/providers?"+bad, "").want(t, 400, "badRequest")
	}
}

func TestProtectableTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call(t, "member", "GET", "/protectables", "").want(t, 200)
	if a.text != `{"protectable_type":["OS::Nova::Server","OS::Cinder::Volume"]}`+"\n" {
		t.Error(a.text)
	}
	for name, want := range map[string][]any{"OS::Nova::Server": {"OS::Cinder::Volume"}, "OS::Cinder::Volume": {}} {
		a := w.call(t, "member", "GET", "/protectables/"+name, "").want(t, 200)
		if d := cmp.Diff(map[string]any{"protectable_type": map[string]any{"name": name, "dependent_types": want}}, a.body); d != "" {
			t.Error(d)
		}
	}
	for _, path := range []string{"OS::Nova::Disk", "OS::Nova::Disk/instances", "OS::Nova::Disk/instances/a", "OS::Nova::Disk/instances?sort=name"} {
		w.call(t, "member", "GET", "/protectables/"+path, "").want(t, 400, "badRequest", "OS::Nova::Disk")
	}
}

func TestInstancesAreListedShownAndPaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/protectables/OS::Nova::Server/instances"
	want := map[string]any{
		"id": "b", "type": "OS::Nova::Server", "name": "name y", "extra_info": map[string]any{},
		"dependent_resources": []any{map[string]any{
			"id": "vb", "type": "OS::Cinder::Volume", "name": "disk", "extra_info": map[string]any{"device": "vda"},
		}},
	}
	a := w.call(t, "member", "GET", path+"/b", "").want(t, 200)
	if d := cmp.Diff(map[string]any{"instance": want}, a.body); d != "" {
		t.Error(d)
	}
	a = w.call(t, "member", "GET", path+"?limit=1&marker=a", "").want(t, 200)
	if d := cmp.Diff(want, a.body["instances"].([]any)[0]); d != "" {
		t.Error(d)
	}
	links := a.body["instances_links"].([]any)[0].(map[string]any)
	next := w.raw(t, "member", "GET", links["href"].(string), "").want(t, 200)
	if got := names(next, "instances", "id"); links["rel"] != "next" || got != "c" {
		t.Errorf("the next page has %q", got)
	}
	for query, want := range map[string]string{
		"": "a b c d e", "limit=2": "a b", "limit=2&marker=b": "c d", "sort=name:asc": "e d c b a", "sort=id": "e d c b a",
		"sort=name:asc&limit=2&marker=d": "c b", "offset=3": "d e", "marker=e": "",
	} {
		if got := names(w.call(t, "member", "GET", path+"?"+query, "").want(t, 200), "instances", "id"); got != want {
			t.Errorf("%q gives %q, want %q", query, got, want)
		}
	}
	for _, bad := range []string{"marker=x", "sort=created_at", "sort=name&marker=x", "limit=-1"} {
		w.call(t, "member", "GET", path+"?"+bad, "").want(t, 400, "badRequest")
	}
	w.call(t, "member", "GET", path+"/zz", "").want(t, 404, "itemNotFound")
	w.call(t, "member", "GET", path+"/.%20x", "").want(t, 400, "badRequest")
	w.call(t, "member", "GET", "/protectables/OS::Nova::Server/instances/a%2F..%2Fb", "").want(t, 400, "badRequest")
}

func TestParametersReachThePlugin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/protectables/OS::Nova::Server/instances", "/protectables/OS::Nova::Server/instances/a"} {
		for _, text := range []string{`{'region_name': 'east', 'n': None}`, `{"region_name": "east", "n": null}`} {
			w.call(t, "member", "GET", path+"?parameters="+url.QueryEscape(text), "").want(t, 200)
			last := w.service.queries[len(w.service.queries)-1]
			if d := cmp.Diff(map[string]any{"region_name": "east", "n": nil}, last.Parameters); d != "" {
				t.Errorf("%s: %s", text, d)
			}
		}
		for _, bad := range []string{"x", "[1]", "{'a': open('/etc/passwd')}"} {
			w.call(t, "member", "GET", path+"?parameters="+url.QueryEscape(bad), "").want(t, 400, "badRequest", "parameters")
		}
	}
}
