package contract

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"
)

// keystoneTime is how Keystone writes a time.
const keystoneTime = "2006-01-02T15:04:05.000000Z"

func testIdentity(t *testing.T, c *cloud) {
	t.Run("login", func(t *testing.T) { testLogin(t, c) })
	t.Run("token", func(t *testing.T) { testToken(t, c) })
	t.Run("application credential", func(t *testing.T) { testApplicationCredential(t, c) })
	t.Run("trust", func(t *testing.T) { testTrust(t, c) })
	t.Run("trusts alike", func(t *testing.T) { testTrustsAlike(t, c) })
	t.Run("trust is refused", func(t *testing.T) { testTrustRefused(t, c) })
	t.Run("disabled user", func(t *testing.T) { testDisabledUser(t, c) })
	t.Run("removed role", func(t *testing.T) { testRemovedRole(t, c) })
	t.Run("deleted user", func(t *testing.T) { testDeletedUser(t, c) })
}

func testLogin(t *testing.T, c *cloud) {
	a := c.authenticate(t, passwordLogin(c.Member, projectScope(c.Member))).want(t, http.StatusCreated)
	a.equals(t, c.Member.UserName, "token", "user", "name")
	a.equals(t, c.Member.ProjectName, "token", "project", "name")
	a.equals(t, "default", "token", "project", "domain", "id")
	a.equals(t, "password", "token", "methods", 0)
	a.dated(t, keystoneTime, "token", "issued_at")
	a.dated(t, keystoneTime, "token", "expires_at")
	a.has(t, []any{"token"}, "audit_ids", "is_domain")
	if roles := roleNames(a.list("token", "roles")); !slices.Contains(roles, "member") || !slices.Contains(roles, "reader") {
		t.Errorf("the member's roles are %q, want member and the reader that it implies", roles)
	}
	for _, kind := range []string{"image", "volumev3", "network", "compute"} {
		if c.member.endpoints[kind] == "" {
			t.Errorf("the catalog has no public %s in %s", kind, c.Region)
		}
	}
	wrong := c.Member
	wrong.Password += "-wrong"
	c.authenticate(t, passwordLogin(wrong, projectScope(c.Member))).refusedByKeystone(t, http.StatusUnauthorized)
	c.authenticate(t, passwordLogin(c.Member, projectScope(c.Other))).refusedByKeystone(t, http.StatusUnauthorized)
	unknown := c.Member
	unknown.UserName = c.name("nobody")
	c.authenticate(t, passwordLogin(unknown, projectScope(c.Member))).refusedByKeystone(t, http.StatusUnauthorized)
	c.authenticate(t, object{}).refusedByKeystone(t, http.StatusBadRequest)
}

func testToken(t *testing.T, c *cloud) {
	mine := c.login(t, c.Member)
	own := mine.with("X-Subject-Token", mine.token)
	a := own.get(t, "identity", "/auth/tokens").want(t, http.StatusOK)
	a.equals(t, mine.userID, "token", "user", "id")
	a.equals(t, mine.projectID, "token", "project", "id")
	own.call(t, http.MethodHead, "identity", "/auth/tokens", nil).want(t, http.StatusOK)
	// The service user, an administrator, may look at anyone's token; another
	// member may not.
	service := c.login(t, c.Trustee)
	service.with("X-Subject-Token", mine.token).get(t, "identity", "/auth/tokens").want(t, http.StatusOK).
		equals(t, mine.userID, "token", "user", "id")
	service.with("X-Subject-Token", "nonsense").get(t, "identity", "/auth/tokens").refusedByKeystone(t, http.StatusNotFound)
	c.other.with("X-Subject-Token", mine.token).get(t, "identity", "/auth/tokens").refusedByKeystone(t, http.StatusForbidden)
	projects := mine.get(t, "identity", "/auth/projects").want(t, http.StatusOK)
	if got := ids(projects.list("projects")); !slices.Equal(got, []string{mine.projectID}) {
		t.Errorf("the member's projects are %q, want only %q", got, mine.projectID)
	}
	mine.get(t, "identity", "/users").refusedByKeystone(t, http.StatusForbidden)
	// A revoked token is of no use any more.
	own.delete(t, "identity", "/auth/tokens").want(t, http.StatusNoContent)
	service.with("X-Subject-Token", mine.token).get(t, "identity", "/auth/tokens").refusedByKeystone(t, http.StatusNotFound)
	mine.get(t, "identity", "/auth/projects").refusedByKeystone(t, http.StatusUnauthorized)
}

func testApplicationCredential(t *testing.T, c *cloud) {
	path := "/users/" + c.member.userID + "/application_credentials"
	a := c.member.post(t, "identity", path, object{"application_credential": object{
		"name": c.name("credential"), "roles": []object{{"name": "member"}},
	}}).want(t, http.StatusCreated)
	id, secret := a.text("application_credential", "id"), a.text("application_credential", "secret")
	c.member.forget(t, "identity", path+"/"+id)
	a.equals(t, c.member.projectID, "application_credential", "project_id")
	shown := c.member.get(t, "identity", path+"/"+id).want(t, http.StatusOK)
	if shown.at("application_credential", "secret") != nil {
		t.Error("the secret of an application credential is shown again")
	}
	login := func(secret string) object {
		return object{"auth": object{"identity": object{
			"methods":                []string{"application_credential"},
			"application_credential": object{"id": id, "secret": secret},
		}}}
	}
	in := c.open(t, "the application credential", c.authenticate(t, login(secret)).want(t, http.StatusCreated))
	if in.userID != c.member.userID || in.projectID != c.member.projectID {
		t.Errorf("the credential is of user %s in %s, want %s in %s", in.userID, in.projectID, c.member.userID, c.member.projectID)
	}
	c.authenticate(t, login("wrong")).refusedByKeystone(t, http.StatusUnauthorized)
	in.get(t, "volumev3", "/volumes").want(t, http.StatusOK)
	// It must not delegate any further.
	trustee := c.login(t, c.Trustee)
	in.post(t, "identity", "/OS-TRUST/trusts", trustOf(c.member, trustee)).refusedByKeystone(t, http.StatusForbidden)
	in.post(t, "identity", path, object{"application_credential": object{"name": c.name("second")}}).
		refusedByKeystone(t, http.StatusForbidden)
	c.other.delete(t, "identity", path+"/"+id).refusedByKeystone(t, http.StatusForbidden)
	c.member.delete(t, "identity", path+"/"+id).want(t, http.StatusNoContent)
	c.authenticate(t, login(secret)).want(t, http.StatusUnauthorized, http.StatusNotFound)
}

func trustOf(trustor, trustee *session) object {
	return object{"trust": object{
		"trustor_user_id": trustor.userID, "trustee_user_id": trustee.userID, "project_id": trustor.projectID,
		"impersonation": true, "roles": []object{{"name": "member"}},
		"expires_at": soon().Format(keystoneTime),
	}}
}

// soon gives a time within some months, another one each time: no two trusts of a user for a
// trustee end in one second.
func soon() time.Time {
	const fewMonths = 100 * 24 * time.Hour
	return time.Now().Add(time.Hour + rand.N(fewMonths)).UTC().Truncate(time.Second)
}

func testTrust(t *testing.T, c *cloud) {
	trustee := c.login(t, c.Trustee)
	a := c.member.post(t, "identity", "/OS-TRUST/trusts", trustOf(c.member, trustee)).want(t, http.StatusCreated)
	id := a.text("trust", "id")
	c.member.forget(t, "identity", "/OS-TRUST/trusts/"+id)
	a.equals(t, true, "trust", "impersonation")
	a.equals(t, "member", "trust", "roles", 0, "name")
	a.equals(t, nil, "trust", "deleted_at")
	scope := object{"OS-TRUST:trust": object{"id": id}}
	login := c.authenticate(t, passwordLogin(c.Trustee, scope)).want(t, http.StatusCreated)
	login.equals(t, c.member.userID, "token", "user", "id")
	login.equals(t, c.member.projectID, "token", "project", "id")
	login.equals(t, id, "token", "OS-TRUST:trust", "id")
	login.equals(t, trustee.userID, "token", "OS-TRUST:trust", "trustee_user", "id")
	if roles := roleNames(login.list("token", "roles")); !slices.Contains(roles, "member") || slices.Contains(roles, "admin") {
		t.Errorf("a trust for member gives the roles %q", roles)
	}
	in := c.open(t, "the trustee", login)
	in.get(t, "volumev3", "/volumes").want(t, http.StatusOK)
	in.post(t, "identity", "/OS-TRUST/trusts", trustOf(c.member, c.other)).refusedByKeystone(t, http.StatusForbidden)
	c.authenticate(t, passwordLogin(c.Other, scope)).refusedByKeystone(t, http.StatusForbidden)

	path := "/OS-TRUST/trusts/" + id
	c.member.get(t, "identity", path).want(t, http.StatusOK).equals(t, id, "trust", "id")
	trustee.get(t, "identity", path).want(t, http.StatusOK)
	c.other.get(t, "identity", path).refusedByKeystone(t, http.StatusForbidden)
	roles := c.member.get(t, "identity", path+"/roles").want(t, http.StatusOK)
	roles.equals(t, "member", "roles", 0, "name")
	list := c.member.get(t, "identity", "/OS-TRUST/trusts?trustor_user_id="+c.member.userID).want(t, http.StatusOK)
	if !slices.Contains(ids(list.list("trusts")), id) {
		t.Errorf("the trustor's trusts do not name %s", id)
	}
	c.other.delete(t, "identity", path).refusedByKeystone(t, http.StatusForbidden)
	c.member.delete(t, "identity", path).want(t, http.StatusNoContent)
	c.member.get(t, "identity", path).refusedByKeystone(t, http.StatusNotFound)
	c.authenticate(t, passwordLogin(c.Trustee, scope)).refusedByKeystone(t, http.StatusUnauthorized)
}

// Two trusts of one user for one trustee and project can't end in the same second, nor can
// one end when another did that is deleted. Those that don't end may be many.
func testTrustsAlike(t *testing.T, c *cloud) {
	trustee := c.login(t, c.Trustee)
	ask := trustOf(c.member, trustee)
	trust, _ := ask["trust"].(object)
	create := func(status int) string {
		t.Helper()
		a := c.member.post(t, "identity", "/OS-TRUST/trusts", ask).want(t, status)
		if status != http.StatusCreated {
			return ""
		}
		path := "/OS-TRUST/trusts/" + a.text("trust", "id")
		c.member.forget(t, "identity", path)
		return path
	}
	first := create(http.StatusCreated)
	create(http.StatusConflict)
	c.member.delete(t, "identity", first).want(t, http.StatusNoContent)
	create(http.StatusConflict)
	trust["impersonation"] = false
	create(http.StatusCreated)
	trust["expires_at"] = nil
	create(http.StatusCreated)
	create(http.StatusCreated)
}

func testTrustRefused(t *testing.T, c *cloud) {
	trustee := c.login(t, c.Trustee)
	foreign := trustOf(c.member, trustee)
	c.other.post(t, "identity", "/OS-TRUST/trusts", foreign).refusedByKeystone(t, http.StatusForbidden)
	if c.reader != nil {
		// A role that the trustor hasn't got can't be given on.
		c.reader.post(t, "identity", "/OS-TRUST/trusts", trustOf(c.reader, trustee)).
			refusedByKeystone(t, http.StatusNotFound)
	}
}

func roleNames(roles []object) []string {
	var names []string
	for _, r := range roles {
		name, _ := r["name"].(string)
		names = append(names, name)
	}
	return names
}
