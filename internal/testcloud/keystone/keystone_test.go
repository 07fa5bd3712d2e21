package keystone_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/applicationcredentials"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/trusts"

	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
)

// shown is the part of a token's body that tests look at.
type shown struct {
	Token struct {
		User    struct{ ID, Name string }
		Project struct{ ID, Name string }
		Roles   []struct{ Name string }
		Methods []string
		Trust   *struct {
			ID            string
			Impersonation bool
			Trustor       struct{ ID string } `json:"trustor_user"`
			Trustee       struct{ ID string } `json:"trustee_user"`
		} `json:"OS-TRUST:trust"`
		Credential *struct {
			ID         string
			Restricted bool
		} `json:"application_credential"`
		Catalog []struct{ Type string }
	}
}

func (s shown) roles() string {
	var names []string
	for _, r := range s.Token.Roles {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// validate asks for the token's body as the service user does.
func validate(t *testing.T, c *testcloudtest.Cloud, token string) (shown, int) {
	t.Helper()
	a := c.Do(t, c.Client(t, "karbor").TokenID, "GET", "/v3/auth/tokens", nil, "X-Subject-Token", token)
	var s shown
	if a.Status == 200 {
		if err := json.Unmarshal(a.Body, &s); err != nil {
			t.Fatal(err)
		}
	}
	return s, a.Status
}

func user(t *testing.T, c *testcloudtest.Cloud, name string) testcloud.User {
	t.Helper()
	u, ok := c.User(name)
	if !ok {
		t.Fatalf("there is no user %s", name)
	}
	return u
}

func TestPasswordGivesAScopedToken(t *testing.T) {
	c := testcloudtest.Start(t, func(o *testcloud.Options) { o.DataProtectURL = "http://127.0.0.1:8799/v1/%(project_id)s" })
	demo := user(t, c, "demo")
	p := c.Client(t, "demo")
	s, status := validate(t, c, p.TokenID)
	if status != 200 || s.Token.User.Name != "demo" || s.Token.Project.ID != demo.ProjectID || s.roles() != "member reader" {
		t.Errorf("%d %+v", status, s)
	}
	url, err := p.EndpointLocator(gophercloud.EndpointOpts{Type: "data-protect", Availability: gophercloud.AvailabilityPublic, Region: "RegionOne"})
	if err != nil || url != "http://127.0.0.1:8799/v1/"+demo.ProjectID+"/" {
		t.Errorf("the data-protect endpoint is %q: %v", url, err)
	}
}

func TestBadProofsAreAllTheSame401(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := user(t, c, "demo")
	other := user(t, c, "other")
	login := func(name, password, project string) any {
		return map[string]any{"auth": map[string]any{
			"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{"user": map[string]any{
				"name": name, "password": password, "domain": map[string]string{"name": "Default"}}}},
			"scope": map[string]any{"project": map[string]any{"id": project}}}}
	}
	if a := c.Do(t, "", "POST", "/v3/auth/tokens", login("demo", demo.Password, demo.ProjectID)); a.Status != 201 {
		t.Fatalf("the right proof: %d %s", a.Status, a.Body)
	}
	for _, body := range []any{
		login("demo", "wrong", demo.ProjectID), login("nobody", demo.Password, demo.ProjectID),
		login("demo", demo.Password, other.ProjectID), login("demo", demo.Password, "none"),
	} {
		a := c.Do(t, "", "POST", "/v3/auth/tokens", body)
		want := `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`
		if a.Status != 401 || string(a.Body) != want {
			t.Errorf("%v: %d %s", body, a.Status, a.Body)
		}
	}
}

func TestUnscopedTokenIsRescopedToAProject(t *testing.T) {
	c := testcloudtest.Start(t)
	auth := c.Auth(t, "demo")
	project := auth.Scope.ProjectID
	auth.Scope = nil
	p, err := openstack.NewClient(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := openstack.Authenticate(t.Context(), p, auth); err != nil {
		t.Fatal(err)
	}
	if s, _ := validate(t, c, p.TokenID); s.Token.Project.ID != "" || len(s.Token.Roles) != 0 {
		t.Errorf("the token is scoped: %+v", s)
	}
	again, err := openstack.NewClient(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	err = openstack.Authenticate(t.Context(), again, gophercloud.AuthOptions{IdentityEndpoint: c.URL(), TokenID: p.TokenID,
		Scope: &gophercloud.AuthScope{ProjectID: project}})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := validate(t, c, again.TokenID)
	if s.Token.Project.ID != project || !slices.Equal(s.Token.Methods, []string{"token", "password"}) {
		t.Errorf("%+v", s)
	}
}

func TestTokenEndsByRevocationAndByTime(t *testing.T) {
	now := time.Now()
	c := testcloudtest.Start(t, func(o *testcloud.Options) {
		o.TokenTTL = time.Hour
		o.Now = func() time.Time { return now }
	})
	id := c.Identity(t, "demo")
	token := id.TokenID
	if err := tokens.Revoke(t.Context(), id, token).Err; err != nil {
		t.Fatal(err)
	}
	if _, status := validate(t, c, token); status != 404 {
		t.Errorf("a revoked token validates with %d", status)
	}
	if a := c.Do(t, token, "GET", "/v3/auth/projects", nil); a.Status != 401 {
		t.Errorf("a revoked token is answered with %d", a.Status)
	}
	token = c.Client(t, "demo").TokenID
	now = now.Add(59 * time.Minute)
	if a := c.Do(t, token, "GET", "/v3/auth/projects", nil); a.Status != 200 {
		t.Errorf("a good token is answered with %d", a.Status)
	}
	now = now.Add(2 * time.Minute)
	if a := c.Do(t, token, "GET", "/v3/auth/projects", nil); a.Status != 401 {
		t.Errorf("an expired token is answered with %d", a.Status)
	}
}

func TestOnlyServicesAndTheOwnerValidate(t *testing.T) {
	c := testcloudtest.Start(t)
	demo, other := c.Client(t, "demo").TokenID, c.Client(t, "other").TokenID
	if a := c.Do(t, other, "GET", "/v3/auth/tokens", nil, "X-Subject-Token", demo); a.Status != 403 {
		t.Errorf("a stranger: %d", a.Status)
	}
	if a := c.Do(t, demo, "HEAD", "/v3/auth/tokens", nil, "X-Subject-Token", demo); a.Status != 200 {
		t.Errorf("the owner: %d", a.Status)
	}
	if a := c.Do(t, demo, "GET", "/v3/auth/tokens", nil, "X-Subject-Token", "none"); a.Status != 403 {
		t.Errorf("no token: %d", a.Status)
	}
}

// createTrust makes a trust of demo for karbor.
func createTrust(t *testing.T, c *testcloudtest.Cloud, opts trusts.CreateOpts) (*trusts.Trust, error) {
	t.Helper()
	demo := user(t, c, "demo")
	opts.TrustorUserID, opts.TrusteeUserID, opts.ProjectID = demo.ID, user(t, c, "karbor").ID, demo.ProjectID
	if opts.Roles == nil {
		opts.Roles = []trusts.Role{{Name: "member"}}
	}
	return trusts.Create(t.Context(), c.Identity(t, "demo"), opts).Extract()
}

// withTrust logs karbor in through a trust.
func withTrust(t *testing.T, c *testcloudtest.Cloud, trust string) (*gophercloud.ProviderClient, error) {
	t.Helper()
	auth := c.Auth(t, "karbor")
	auth.Scope = &gophercloud.AuthScope{TrustID: trust}
	return openstack.AuthenticatedClient(t.Context(), auth)
}

func TestTrustLetsTheTrusteeActForTheTrustor(t *testing.T) {
	c := testcloudtest.Start(t)
	trust, err := createTrust(t, c, trusts.CreateOpts{Impersonation: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := withTrust(t, c, trust.ID)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := validate(t, c, p.TokenID)
	demo := user(t, c, "demo")
	if s.Token.User.ID != demo.ID || s.Token.Project.ID != demo.ProjectID || s.roles() != "member" ||
		s.Token.Trust == nil || s.Token.Trust.ID != trust.ID || !s.Token.Trust.Impersonation || s.Token.Trust.Trustee.ID != user(t, c, "karbor").ID {
		t.Errorf("%+v", s)
	}
	auth := c.Auth(t, "other")
	auth.Scope = &gophercloud.AuthScope{TrustID: trust.ID}
	if _, err := openstack.AuthenticatedClient(t.Context(), auth); !gophercloud.ResponseCodeIs(err, http.StatusForbidden) {
		t.Errorf("a stranger used the trust: %v", err)
	}
	if a := c.Do(t, p.TokenID, "POST", "/v3/OS-TRUST/trusts", map[string]any{"trust": map[string]any{
		"trustor_user_id": demo.ID, "trustee_user_id": demo.ID, "impersonation": true, "project_id": demo.ProjectID,
		"roles": []any{map[string]string{"name": "member"}}}}); a.Status != 403 {
		t.Errorf("a trust was made with a trust: %d", a.Status)
	}
	if a := c.Do(t, c.Client(t, "other").TokenID, "DELETE", "/v3/OS-TRUST/trusts/"+trust.ID, nil); a.Status != 403 {
		t.Errorf("a stranger's delete: %d", a.Status)
	}
	if err := trusts.Delete(t.Context(), c.Identity(t, "demo"), trust.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	if _, status := validate(t, c, p.TokenID); status != 404 {
		t.Errorf("a token of a deleted trust validates with %d", status)
	}
	if _, err := withTrust(t, c, trust.ID); !gophercloud.ResponseCodeIs(err, http.StatusUnauthorized) {
		t.Errorf("a deleted trust was used, or refused in another way than with 401: %v", err)
	}
}

func TestTrustNeedsTheTrustorsOwnRoles(t *testing.T) {
	c := testcloudtest.Start(t)
	_, err := createTrust(t, c, trusts.CreateOpts{Roles: []trusts.Role{{Name: "admin"}}})
	if !gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		t.Errorf("a role that the trustor hasn't: %v", err)
	}
	trust, err := createTrust(t, c, trusts.CreateOpts{})
	if err != nil {
		t.Fatal(err)
	}
	demo := user(t, c, "demo")
	if err := c.Keystone().Revoke(demo.ID, demo.ProjectID, "member"); err != nil {
		t.Fatal(err)
	}
	if _, err := withTrust(t, c, trust.ID); !gophercloud.ResponseCodeIs(err, http.StatusForbidden) {
		t.Errorf("the trustor has lost the role: %v", err)
	}
}

func TestTrustEndsByUsesAndByTime(t *testing.T) {
	now := time.Now()
	c := testcloudtest.Start(t, func(o *testcloud.Options) { o.Now = func() time.Time { return now } })
	soon := now.Add(time.Hour)
	trust, err := createTrust(t, c, trusts.CreateOpts{RemainingUses: 1, ExpiresAt: &soon})
	if err != nil {
		t.Fatal(err)
	}
	p, err := withTrust(t, c, trust.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := withTrust(t, c, trust.ID); !gophercloud.ResponseCodeIs(err, http.StatusForbidden) {
		t.Errorf("a second use: %v", err)
	}
	now = now.Add(61 * time.Minute)
	if _, status := validate(t, c, p.TokenID); status != 404 {
		t.Errorf("a token of an expired trust validates with %d", status)
	}
	past := now.Add(-time.Minute)
	if _, err := createTrust(t, c, trusts.CreateOpts{ExpiresAt: &past}); !gophercloud.ResponseCodeIs(err, http.StatusBadRequest) {
		t.Errorf("a trust that has ended: %v", err)
	}
}

func TestApplicationCredentialIsForItsProjectOnly(t *testing.T) {
	c := testcloudtest.Start(t)
	demo, id := user(t, c, "demo"), c.Identity(t, "demo")
	made, err := applicationcredentials.Create(t.Context(), id, demo.ID, applicationcredentials.CreateOpts{
		Name: "mine", Roles: []applicationcredentials.Role{{Name: "reader"}}}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	for _, auth := range []gophercloud.AuthOptions{
		{ApplicationCredentialID: made.ID, ApplicationCredentialSecret: made.Secret},
		{ApplicationCredentialName: "mine", Username: "demo", DomainID: "default", ApplicationCredentialSecret: made.Secret},
	} {
		auth.IdentityEndpoint = c.URL()
		p, err := openstack.AuthenticatedClient(t.Context(), auth)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := validate(t, c, p.TokenID)
		if s.Token.Project.ID != demo.ProjectID || s.roles() != "reader" || s.Token.Credential == nil || !s.Token.Credential.Restricted {
			t.Errorf("%+v", s)
		}
		for path, body := range map[string]any{
			"/v3/users/" + demo.ID + "/application_credentials": map[string]any{"application_credential": map[string]string{"name": "more"}},
			"/v3/OS-TRUST/trusts": map[string]any{"trust": map[string]any{"trustor_user_id": demo.ID, "trustee_user_id": demo.ID,
				"impersonation": true, "project_id": demo.ProjectID, "roles": []any{map[string]string{"name": "reader"}}}},
		} {
			if a := c.Do(t, p.TokenID, "POST", path, body); a.Status != 403 {
				t.Errorf("%s with a restricted credential: %d %s", path, a.Status, a.Body)
			}
		}
	}
	_, err = applicationcredentials.Create(t.Context(), id, demo.ID, applicationcredentials.CreateOpts{Name: "mine"}).Extract()
	if !gophercloud.ResponseCodeIs(err, http.StatusConflict) {
		t.Errorf("a second one of the same name: %v", err)
	}
	if err := applicationcredentials.Delete(t.Context(), id, demo.ID, made.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	_, err = openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{IdentityEndpoint: c.URL(),
		ApplicationCredentialID: made.ID, ApplicationCredentialSecret: made.Secret})
	if !gophercloud.ResponseCodeIs(err, http.StatusUnauthorized) {
		t.Errorf("a deleted credential: %v", err)
	}
}

func TestUnrestrictedCredentialMayDelegate(t *testing.T) {
	c := testcloudtest.Start(t)
	demo := user(t, c, "demo")
	made, err := applicationcredentials.Create(t.Context(), c.Identity(t, "demo"), demo.ID,
		applicationcredentials.CreateOpts{Name: "mine", Unrestricted: true}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	p, err := openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{IdentityEndpoint: c.URL(),
		ApplicationCredentialID: made.ID, ApplicationCredentialSecret: made.Secret})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Do(t, p.TokenID, "POST", "/v3/OS-TRUST/trusts", map[string]any{"trust": map[string]any{
		"trustor_user_id": demo.ID, "trustee_user_id": user(t, c, "karbor").ID, "impersonation": true,
		"project_id": demo.ProjectID, "roles": []any{map[string]string{"name": "member"}}}})
	if a.Status != 201 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestDirectoryIsForAdministrators(t *testing.T) {
	c := testcloudtest.Start(t)
	pages, err := projects.List(c.Identity(t, "admin"), projects.ListOpts{Name: "demo"}).AllPages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := projects.ExtractProjects(pages)
	if err != nil || len(list) != 1 || list[0].ID != c.Projects().Demo {
		t.Errorf("%+v %v", list, err)
	}
	demo := c.Client(t, "demo").TokenID
	for path, want := range map[string]int{
		"/v3/projects": 403, "/v3/users": 403, "/v3/projects/" + c.Projects().Demo: 200, "/v3/projects/" + c.Projects().Other: 403,
		"/v3/auth/projects": 200, "/v3/auth/catalog": 200, "/v3/nothing": 404,
	} {
		if a := c.Do(t, demo, "GET", path, nil); a.Status != want {
			t.Errorf("%s: %d, not %d", path, a.Status, want)
		}
	}
	if a := c.Do(t, "", "GET", "/", nil); a.Status != 300 {
		t.Errorf("GET /: %d", a.Status)
	}
	if a := c.Do(t, "", "GET", "/v3/", nil); a.Status != 200 {
		t.Errorf("GET /v3/: %d", a.Status)
	}
}
