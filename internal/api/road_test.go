package api_test

import (
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/api"
)

func TestMicroversions(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	path := "/v1/" + project + "/things/" + thing
	tests := []struct{ header, want string }{
		{"", "1.0"},
		{"data-protect 1.0", "1.0"},
		{"data-protect 1.1", "1.1"},
		{"data-protect latest", "1.8"},
		{"compute 2.90, data-protect 1.1", "1.1"},
		{"compute 2.90", "1.0"},
	}
	for _, tt := range tests {
		a := s.do(t, "GET", path, "member", "", "OpenStack-API-Version: "+tt.header)
		if a.body["version"] != tt.want || a.header.Get("OpenStack-API-Version") != "data-protect "+tt.want || a.header.Get("Vary") != "OpenStack-API-Version" {
			t.Errorf("%q: %s %v", tt.header, a.text, a.header)
		}
	}
	for _, v := range []string{"1.9", "2.0", "0.9", "1.99999999999999999999"} {
		a := s.do(t, "GET", path, "member", "", "OpenStack-API-Version: data-protect "+v)
		if m := wantFault(t, a, 406, "notAcceptable"); !strings.Contains(m, "1.0") || !strings.Contains(m, "1.8") {
			t.Errorf("message %q", m)
		}
	}
	for _, v := range []string{"newest", "1", "1.-1", "1.1 x", "1.+1"} {
		wantFault(t, s.do(t, "GET", path, "member", "", "OpenStack-API-Version: data-protect "+v), 400, "badRequest")
	}
}

func TestBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	path := "/v1/" + project + "/things"
	tests := []struct{ name, body, kind, want string }{
		{"no body", "", "application/json", "no body"},
		{"only space", "  \n", "application/json", "no body"},
		{"a wrong content type", `{"thing": {}}`, "text/plain", "content type"},
		{"no content type", `{"thing": {}}`, "", "content type"},
		{"another character set", `{"thing": {}}`, "application/json; charset=latin1", "content type"},
		{"not JSON", `{"thing": `, "application/json", "not JSON"},
		{"Python, not JSON", `{'thing': {}}`, "application/json", "not JSON"},
		{"something behind it", `{"thing": {}} {}`, "application/json", "not JSON"},
		{"a list", `[]`, "application/json", "field/attribute body"},
		{"null", `null`, "application/json", "field/attribute body"},
		{"an unknown member", `{"thing": {"colour": "red"}}`, "application/json", "thing.colour"},
		{"another case of a member", `{"thing": {"Name": "x"}}`, "application/json", "thing.Name"},
		{"a wrong type", `{"thing": {"name": 5}}`, "application/json", "thing.name. Value: 5."},
		{"a member twice", `{"thing": {"name": "a", "name": "b"}}`, "application/json", `"name" twice`},
		{"a NUL", `{"thing": {"name": "a\u0000b"}}`, "application/json", "NUL"},
		{"a NUL in a name", `{"thing": {"a\u0000b": 1}}`, "application/json", "NUL"},
		{"invalid UTF-8", "{\"thing\": {\"name\": \"\xff\"}}", "application/json", "UTF-8"},
		{"too deep", `{"thing": {"more": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`, "application/json", "nested"},
		{"far too deep", strings.Repeat("[", 200_000), "application/json", "not JSON"},
		{"a huge exponent", `{"thing": {"count": 1e999999999}}`, "application/json", "out of range"},
		{"a tiny exponent", `{"thing": {"count": 1e-999999999}}`, "application/json", "out of range"},
		{"a long number", `{"thing": {"count": ` + strings.Repeat("9", 100) + `}}`, "application/json", "out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := s.do(t, "POST", path, "member", tt.body, "Content-Type: "+tt.kind)
			m := wantFault(t, a, 400, "badRequest")
			if !strings.Contains(m, tt.want) || len(m) > 1500 {
				t.Errorf("message %q does not say %q", m, tt.want)
			}
		})
	}
	for _, kind := range []string{"application/json", "application/json; charset=UTF-8"} {
		if a := s.do(t, "POST", path, "member", `{"thing": {"name": "x<y>"}}`, "Content-Type: "+kind); a.status != 200 || !strings.Contains(a.text, "x<y>") {
			t.Errorf("%s: %d %s", kind, a.status, a.text)
		}
	}
}

func TestPageFaults(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	tests := []struct{ query, want string }{
		{"limit=0", "limit"}, {"limit=-1", "limit"}, {"limit=x", `"x"`}, {"limit=", "limit"}, {"limit=1.5", "limit"},
		{"offset=-1", "offset"}, {"offset=x", "offset"},
		{"marker=99", `"99"`},
		{"sort=colour", `"colour"`}, {"sort=id:up", `"up"`}, {"sort=id:", "direction"}, {"sort=,", "sort key"},
		{"sort_key=colour", `"colour"`}, {"sort_dir=up", `"up"`},
		{"sort=id&sort_key=id", "together"}, {"sort=id&sort_dir=asc", "together"},
		{"limit=%zz", "malformed"}, {"a;b=c", "malformed"}, {"marker=%ff", "UTF-8"}, {"marker=%00", "UTF-8"},
	}
	for _, tt := range tests {
		a := s.do(t, "GET", "/v1/"+project+"/things?"+tt.query, "member", "")
		if m := wantFault(t, a, 400, "badRequest"); !strings.Contains(m, tt.want) {
			t.Errorf("%s: message %q does not say %q", tt.query, m, tt.want)
		}
	}
}

func TestFollowingNextGivesEveryItemOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	var got []string
	next := "/v1/" + project + "/things?limit=7&offset=1&sort=id:asc&colour=a%26b"
	for range 10 {
		a := s.do(t, "GET", next, "member", "")
		if a.status != 200 {
			t.Fatal(a.text)
		}
		for _, item := range a.body["things"].([]any) {
			got = append(got, item.(string))
		}
		links, ok := a.body["things_links"].([]any)
		if !ok {
			break
		}
		link := links[0].(map[string]any)
		u, err := url.Parse(link["href"].(string))
		if err != nil || link["rel"] != "next" || u.Scheme+"://"+u.Host != "http://karbor.example:8799" || u.Query().Get("colour") != "a&b" {
			t.Fatalf("link %v", link)
		}
		next = u.RequestURI()
	}
	var want []string
	for i := 1; i < 25; i++ {
		want = append(want, string([]byte{'0' + byte(i/10), '0' + byte(i%10)}))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLimitAboveTheMostIsCut(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, limit := range []string{"1001", "99999999999999999999"} {
		a := s.do(t, "GET", "/v1/"+project+"/things?limit="+limit, "member", "")
		if a.status != 200 || len(a.body["things"].([]any)) != 25 || a.body["things_links"] != nil {
			t.Errorf("%s: %d %s", limit, a.status, a.text)
		}
	}
}

func TestLinksNameTheAddressThatClientsReach(t *testing.T) {
	t.Parallel()
	path := "/v1/" + project + "/things?limit=1"
	href := func(a answer) string {
		links, _ := a.body["things_links"].([]any)
		if len(links) != 1 {
			t.Fatalf("no link in %s", a.text)
		}
		return links[0].(map[string]any)["href"].(string)
	}
	plain := serve(t, nil)
	if got := href(plain.do(t, "GET", path, "member", "", "X-Forwarded-Proto: https")); !strings.HasPrefix(got, "http://karbor.example:8799/v1/") {
		t.Errorf("a header of anybody's is believed: %s", got)
	}
	public := serve(t, func(o *api.Options) { o.PublicURL = "https://cloud.example/data-protect/" })
	want := "https://cloud.example/data-protect" + path + "&marker=00"
	if got := href(public.do(t, "GET", path, "member", "")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzBody(f *testing.F) {
	s := serve(f, func(o *api.Options) { o.Logger = slog.New(slog.DiscardHandler) })
	for _, seed := range []string{
		`{"thing": {"name": "x", "count": 3}}`, `{"thing": {"more": [1e3, null, true, "\ud800"]}}`,
		`{"thing": {}}{}`, "", "[", `{"thing": {"count": 1E+400}}`, "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		a := s.do(t, "POST", "/v1/"+project+"/things", "member", body, "Content-Type: application/json")
		if a.status != 200 && a.status != 400 {
			t.Errorf("%q: %d %s", body, a.status, a.text)
		}
	})
}
