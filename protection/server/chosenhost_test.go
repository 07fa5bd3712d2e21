package server_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/protection/protectiontest"
)

// elder is a way to the cloud of an earlier release, whose newest microversion of Nova is another.
type elder struct{ newest string }

func (e elder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || e.newest == "" || !strings.HasSuffix(strings.TrimSuffix(request.URL.Path, "/"), "/compute/v2.1") {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	body = bytes.Replace(body, []byte(`"version":"2.94"`), []byte(`"version":"`+e.newest+`"`), 1)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Del("Content-Length")
	return response, err
}

// nova asks Nova at its newest microversion, and gives the server of the answer.
func (s *site) nova(t *testing.T, method, path string, body map[string]any) map[string]any {
	t.Helper()
	client, err := openstack.ComputeFrom(t.Context(), s.tenant.Cloud, "2.94")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Server map[string]any `json:"server"`
	}
	if method == http.MethodPost {
		_, err = client.Post(t.Context(), client.ServiceURL(path), map[string]any{"server": body}, &answer, nil)
	} else {
		_, err = client.Get(t.Context(), client.ServiceURL(path), &answer, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer.Server
}

// named makes a server of a name with a chosen host name, if it is not "".
func (s *site) named(t *testing.T, name, host string) string {
	t.Helper()
	body := map[string]any{"name": name, "flavorRef": "1", "imageRef": s.image, "networks": "none"}
	if host != "" {
		body["hostname"] = host
	}
	id := text(s.nova(t, http.MethodPost, "servers", body), "id")
	s.tenant.Await(t, "compute", "servers/"+id, "server", "ACTIVE")
	return id
}

func TestHostNameComesBackOrItsLossIsTold(t *testing.T) {
	const old, zed = "2.79", "2.93"
	anew := map[string]any{"restore_name": "shop again"}
	for name, c := range map[string]struct {
		name, host     string         // of the original
		rename         string         // what the original is called later
		before, after  string         // the newest microversions when it is protected, and when it is restored; "" for the newest of all
		admin          bool           // whether the operator lets Karbor read as an administrator
		restore        map[string]any // parameters
		want           string         // the restored server's host name
		unread, notKey string         // what is told when it is protected, and when it is restored
	}{
		"of the name":                                {name: "shop", want: "shop"},
		"chosen":                                     {name: "shop", host: "db-1", want: "db-1"},
		"chosen, with its domain":                    {name: "shop", host: "db-1.example.org", want: "db-1.example.org"},
		"chosen, of one letter":                      {name: "shop", host: "d", want: "d"},
		"of an earlier name":                         {name: "shop", rename: "market", want: "shop"},
		"of the name, which is replaced":             {name: "shop", restore: anew, want: "shop-again"},
		"chosen, and the name is replaced":           {name: "shop", host: "db-1", restore: anew, want: "shop-again", notKey: `host name "db-1": the cloud made it "shop-again"`},
		"chosen, as no port can have it":             {name: "shop", host: "db-1.2", want: "shop", notKey: `host name "db-1.2": the cloud made it "shop"`},
		"made up":                                    {name: "магазин"},
		"chosen, where nobody chooses":               {name: "shop", host: "db-1", after: old, want: "shop", notKey: `host name "db-1": the cloud makes one`},
		"chosen, where a domain is refused":          {name: "shop", host: "db-1.example.org", after: zed, want: "shop", notKey: `host name "db-1.example.org": the cloud made it "shop"`},
		"chosen, where nobody sees it":               {name: "shop", host: "db-1", before: old, want: "shop", unread: "administrators only", notKey: "host name may be another"},
		"of the name, where nobody sees it":          {name: "shop", before: old, after: old, want: "shop", unread: "administrators only", notKey: "host name may be another"},
		"chosen, seen by the administrator":          {name: "shop", host: "db-1", before: old, admin: true, want: "db-1"},
		"chosen, seen by the administrator, and old": {name: "shop", host: "db-1", before: old, after: old, admin: true, want: "shop", notKey: `host name "db-1": the cloud makes one`},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := newSite(t), open(t)
			n := s.tenant
			id := s.named(t, c.name, c.host)
			if c.rename != "" {
				n.Do(t, "compute", http.MethodPut, "servers/"+id, map[string]any{"server": map[string]any{"name": c.rename}})
			}
			single := protectiontest.NewSingle(p, s.serverOf(id, nil, nil))
			call := single.Begin(n.Session(t, &http.Client{Transport: elder{c.before}}), nil, nil)
			if c.admin {
				call.Service = n.Admin(t, &http.Client{Transport: elder{c.before}})
			}
			if err := single.Run(t, p.Hooks(karbor.Protect, karbor.ServerType).Main, call); err != nil {
				t.Fatal(err)
			}
			onlyHostTold(t, "when it is protected", single.Result().NotKept, c.unread)
			n.Remove(t, "compute", "servers/"+id, "server")
			call = single.Begin(n.Session(t, &http.Client{Transport: elder{c.after}}), nil, c.restore)
			var foreseen []string
			for _, finding := range single.LookAhead(t, call).Findings {
				foreseen = append(foreseen, finding.Message)
			}
			word, _, _ := strings.Cut(c.notKey, ": the cloud") // by then the cloud has made none
			onlyHostTold(t, "before it is restored", foreseen, word)
			call = single.Begin(n.Session(t, &http.Client{Transport: elder{c.after}}), nil, c.restore)
			if err := single.Run(t, p.Hooks(karbor.RestoreOperation, karbor.ServerType).Complete, call); err != nil {
				t.Fatal(err)
			}
			onlyHostTold(t, "when it is restored", single.Result().NotKept, c.notKey)
			now := single.Result().ID
			want := c.want
			if want == "" {
				want = "Server-" + now
			}
			if got := text(s.nova(t, http.MethodGet, "servers/"+now, nil), "OS-EXT-SRV-ATTR:hostname"); got != want {
				t.Errorf("the restored guest is called %q; want %q", got, want)
			}
		})
	}
}

// onlyHostTold wants a sentence about the host name with the word, or none if it is "".
func onlyHostTold(t *testing.T, when string, sentences []string, word string) {
	t.Helper()
	if word != "" && !told(sentences, "host name", word) || word == "" && told(sentences, "host name") {
		t.Errorf("%s, the tenant is told %q; want %q of the host name", when, sentences, word)
	}
}
