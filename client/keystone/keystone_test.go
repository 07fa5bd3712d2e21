package keystone_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/client/keystone"
)

// server plays Keystone; it keeps the last login's body and counts logins.
type server struct {
	*httptest.Server
	logins int
	body   string
	status int
}

func newServer(t *testing.T) *server {
	s := &server{status: http.StatusCreated}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v3/auth/tokens", func(w http.ResponseWriter, r *http.Request) {
		var body any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		text, _ := json.Marshal(body)
		s.body = string(text)
		s.logins++
		w.Header().Set("X-Subject-Token", fmt.Sprintf("token-%d", s.logins))
		w.WriteHeader(s.status)
		_, _ = fmt.Fprintf(w, `{"token":{"expires_at":"2099-01-01T00:00:00.000000Z","project":{"id":"p1"},"catalog":[
			{"type":"data-protect","endpoints":[
			{"interface":"public","region":"one","region_id":"one","url":"http://one:8799/v1/p1"},
			{"interface":"internal","region":"one","region_id":"one","url":"http://inside:8799/v1/p1/"},
			{"interface":"public","region":"two","region_id":"two","url":"http://two:8799/v1/p1"}]}]}}`)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *server) credentials() keystone.Credentials {
	return keystone.Credentials{AuthURL: s.URL + "/v3", Username: "u", Password: "s3cr3t", ProjectName: "p", Region: "one"}
}

func TestEndpointComesFromTheCatalogueOrTheOverride(t *testing.T) {
	s := newServer(t)
	for _, test := range []struct {
		change func(*keystone.Credentials)
		want   string
	}{
		{func(*keystone.Credentials) {}, "http://one:8799/v1/p1"},
		{func(c *keystone.Credentials) { c.Region = "two" }, "http://two:8799/v1/p1"},
		{func(c *keystone.Credentials) { c.Interface = "internal" }, "http://inside:8799/v1/p1"},
		{func(c *keystone.Credentials) { c.EndpointOverride = "http://h:1" }, "http://h:1/v1/p1"},
		{func(c *keystone.Credentials) { c.EndpointOverride = "http://h:1/v1/" }, "http://h:1/v1/p1"},
		{func(c *keystone.Credentials) { c.EndpointOverride = "http://h:1/v1/other" }, "http://h:1/v1/other"},
		{func(c *keystone.Credentials) { c.Region = "three" }, ""},
	} {
		c := s.credentials()
		test.change(&c)
		session, err := keystone.Login(t.Context(), c, s.Client())
		if err != nil {
			t.Fatal(err)
		}
		got, err := session.Endpoint()
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("endpoint %q, error %v; want %q", got, err, test.want)
		}
	}
}

func TestRenewLogsInOnceForOneRefusedToken(t *testing.T) {
	s := newServer(t)
	session, err := keystone.Login(t.Context(), s.credentials(), s.Client())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		token, err := session.Renew(t.Context(), "token-1")
		if err != nil || token.Reveal() != "token-2" {
			t.Errorf("token %s, error %v", token.Reveal(), err)
		}
	}
	if s.logins != 2 {
		t.Errorf("%d logins", s.logins)
	}
}

func TestEachWayToLogInSendsItsOwnBody(t *testing.T) {
	s := newServer(t)
	for name, test := range map[string]struct {
		c    keystone.Credentials
		want string
	}{
		"password": {s.credentials(), `{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"id":"default"},"name":"u","password":"s3cr3t"}}},` +
			`"scope":{"project":{"domain":{"id":"default"},"name":"p"}}}}`},
		"domains by name": {keystone.Credentials{Username: "u", UserDomainName: "d1", Password: "s3cr3t", ProjectName: "p", ProjectDomainName: "d2"},
			`{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"name":"d1"},"name":"u","password":"s3cr3t"}}},` +
				`"scope":{"project":{"domain":{"name":"d2"},"name":"p"}}}}`},
		"ids": {keystone.Credentials{UserID: "uid", Password: "s3cr3t", ProjectID: "pid"},
			`{"auth":{"identity":{"methods":["password"],"password":{"user":{"id":"uid","password":"s3cr3t"}}},"scope":{"project":{"id":"pid"}}}}`},
		"token": {keystone.Credentials{Token: "tok", ProjectID: "pid"},
			`{"auth":{"identity":{"methods":["token"],"token":{"id":"tok"}},"scope":{"project":{"id":"pid"}}}}`},
		"application credential": {keystone.Credentials{ApplicationCredentialID: "a", ApplicationCredentialSecret: "s"},
			`{"auth":{"identity":{"application_credential":{"id":"a","secret":"s"},"methods":["application_credential"]}}}`},
		"trust": {keystone.Credentials{UserID: "uid", Password: "s3cr3t", TrustID: "t"},
			`{"auth":{"identity":{"methods":["password"],"password":{"user":{"id":"uid","password":"s3cr3t"}}},"scope":{"OS-TRUST:trust":{"id":"t"}}}}`},
	} {
		test.c.AuthURL = s.URL + "/v3"
		if _, err := keystone.Login(t.Context(), test.c, s.Client()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, s.body); diff != "" {
			t.Errorf("%s: body (-want +got):\n%s", name, diff)
		}
	}
}

func TestLoginsThatCantBeAreUnauthorizedAndShowNoSecret(t *testing.T) {
	s := newServer(t)
	s.status = http.StatusUnauthorized
	whole := s.credentials()
	noUser, noProject, noPassword, noURL := whole, whole, whole, whole
	noUser.Username, noProject.ProjectName, noPassword.Password, noURL.AuthURL = "", "", "", ""
	for _, c := range []keystone.Credentials{whole, noUser, noProject, noPassword, noURL} {
		_, err := keystone.Login(t.Context(), c, s.Client())
		if karbor.KindOf(err) != karbor.Unauthorized {
			t.Errorf("error %v", err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v", err, c), "s3cr3t") {
			t.Errorf("the password is shown: %v", err)
		}
	}
	s.status = http.StatusServiceUnavailable
	if _, err := keystone.Login(t.Context(), whole, s.Client()); !karbor.IsTransient(err) {
		t.Errorf("error %v", err)
	}
}

func TestCloudsYAMLIsReadWithItsSecrets(t *testing.T) {
	const open = `
clouds:
  a:
    profile: x
    auth: {auth_url: "http://a/v3", username: u, project_name: p, user_domain_id: default}
    region_name: one
    interface: internal
    verify: false
    cacert: /ca
    data_protect_endpoint_override: http://o
    identity_api_version: 3
    networks:
      - name: n
`
	const hidden = "clouds: {a: {auth: {password: 12345}}}"
	want := keystone.Credentials{AuthURL: "http://a/v3", Username: "u", ProjectName: "p", UserDomainID: "default", Region: "one",
		Interface: "internal", Insecure: true, CACert: "/ca", EndpointOverride: "http://o", Password: "12345"}
	got, err := keystone.ParseClouds("a", []byte(open), []byte(hidden))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if _, err := keystone.ParseClouds("b", []byte(open), nil); karbor.KindOf(err) != karbor.Unauthorized || !strings.Contains(err.Error(), "there are: a") {
		t.Errorf("error %v", err)
	}
	if _, err := keystone.ParseClouds("a", []byte("clouds: ["), nil); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("error %v", err)
	}
}

func TestCloudsYAMLIsFoundWhereOpenStackClientsLook(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".config", "openstack", "clouds.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("clouds: {a: {auth: {username: u}}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": home}
	c, err := keystone.FromClouds("a", func(name string) string { return env[name] })
	if err != nil || c.Username != "u" {
		t.Errorf("%+v, error %v", c, err)
	}
	env["OS_CLIENT_CONFIG_FILE"] = filepath.Join(home, "nothing.yaml")
	if _, err := keystone.FromClouds("a", func(name string) string { return env[name] }); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("error %v", err)
	}
}

func TestVariablesHaveTheirOldNamesToo(t *testing.T) {
	env := map[string]string{"OS_AUTH_URL": "a", "OS_TENANT_NAME": "p", "OS_ENDPOINT_TYPE": "admin", "OS_INSECURE": "True",
		"OS_DATA_PROTECT_ENDPOINT_OVERRIDE": "http://o"}
	got := keystone.FromEnvironment(func(name string) string { return env[name] })
	want := keystone.Credentials{AuthURL: "a", ProjectName: "p", Interface: "admin", Insecure: true, EndpointOverride: "http://o"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
