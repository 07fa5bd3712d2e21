package contract

import (
	"net/http"
	"testing"
)

// visitor is a user that a test makes, who has given a trust to the service user.
type visitor struct {
	Credentials
	*session
	// admin is who may change the user, path and role where.
	admin      *session
	path, role string
	// trust is the path of the trust, scope asks for its token.
	trust string
	scope object
	// through is a session by the trust.
	through *session
}

// visit makes a user with the role member in the project of Member, and their trust.
func (c *cloud) visit(t *testing.T) *visitor {
	t.Helper()
	v := &visitor{Credentials: Credentials{UserName: c.name("visitor"), Password: c.name("secret"), ProjectName: c.Member.ProjectName}}
	v.admin = c.login(t, c.Trustee)
	made := v.admin.post(t, "identity", "/users", object{"user": object{
		"name": v.UserName, "password": v.Password, "domain_id": "default", "enabled": true,
	}}).want(t, http.StatusCreated)
	made.equals(t, true, "user", "enabled")
	v.path = "/users/" + made.text("user", "id")
	v.admin.forget(t, "identity", v.path)
	roles := v.admin.get(t, "identity", "/roles?name=member").want(t, http.StatusOK)
	v.role = "/projects/" + c.member.projectID + v.path + "/roles/" + roles.text("roles", 0, "id")
	v.admin.put(t, "identity", v.role, nil).want(t, http.StatusNoContent)
	v.session = c.login(t, v.Credentials)
	a := v.post(t, "identity", "/OS-TRUST/trusts", trustOf(v.session, v.admin)).want(t, http.StatusCreated)
	v.trust = "/OS-TRUST/trusts/" + a.text("trust", "id")
	v.scope = object{"OS-TRUST:trust": object{"id": a.text("trust", "id")}}
	v.through = c.open(t, "the visitor's trustee", v.borrow(t).want(t, http.StatusCreated))
	return v
}

// borrow asks for a token by the visitor's trust, enter for one by their password.
func (v *visitor) borrow(t *testing.T) *answer {
	t.Helper()
	return v.authenticate(t, passwordLogin(v.Trustee, v.scope))
}

func (v *visitor) enter(t *testing.T) *answer {
	t.Helper()
	return v.authenticate(t, passwordLogin(v.Credentials, projectScope(v.Credentials)))
}

// useless checks that a session's token is of no use. How Keystone says so depends on what
// is missing: the token, the user, or what the trust was made with. A Keystone of several
// processes looks at tokens in a cache, of which all learn a moment later.
func (v *visitor) useless(t *testing.T, s *session) {
	t.Helper()
	v.eventually(t, "the token is of no use", func() bool {
		mine := v.stranger().with("X-Auth-Token", s.token).get(t, "identity", "/auth/projects")
		shown := v.admin.with("X-Subject-Token", s.token).get(t, "identity", "/auth/tokens")
		mine.want(t, http.StatusOK, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
		shown.want(t, http.StatusOK, http.StatusForbidden, http.StatusNotFound)
		return mine.status != http.StatusOK && shown.status != http.StatusOK
	})
}

// enable lets the visitor in or keeps them out.
func (v *visitor) enable(t *testing.T, enabled bool) {
	t.Helper()
	v.admin.call(t, http.MethodPatch, "identity", v.path, object{"user": object{"enabled": enabled}}).want(t, http.StatusOK).
		equals(t, enabled, "user", "enabled")
}

// A user who is disabled is nobody, and nobody acts for them, until they are enabled again.
// Their trust outlives that, tokens don't.
func testDisabledUser(t *testing.T, c *cloud) {
	v := c.visit(t)
	c.other.call(t, http.MethodPatch, "identity", v.path, object{"user": object{"enabled": false}}).refusedByKeystone(t, http.StatusForbidden)
	v.enable(t, false)
	v.useless(t, v.session)
	v.useless(t, v.through)
	v.enter(t).refusedByKeystone(t, http.StatusUnauthorized)
	v.borrow(t).refusedByKeystone(t, http.StatusForbidden)
	v.admin.get(t, "identity", v.trust).want(t, http.StatusOK)
	v.enable(t, true)
	v.useless(t, v.session)
	v.useless(t, v.through)
	v.enter(t).want(t, http.StatusCreated)
	v.borrow(t).want(t, http.StatusCreated)
}

// A role that is taken away is gone from the tokens that were given out, too (a real
// Keystone's cache may know that later), and a trust of it is of no use until it is given
// again.
func testRemovedRole(t *testing.T, c *cloud) {
	v := c.visit(t)
	c.other.delete(t, "identity", v.role).refusedByKeystone(t, http.StatusForbidden)
	v.admin.delete(t, "identity", v.role).want(t, http.StatusNoContent)
	if c.Difference("no-cached-tokens") {
		v.useless(t, v.session)
	}
	v.useless(t, v.through)
	v.enter(t).refusedByKeystone(t, http.StatusUnauthorized)
	v.borrow(t).refusedByKeystone(t, http.StatusForbidden)
	v.admin.delete(t, "identity", v.role).refusedByKeystone(t, http.StatusNotFound)
	v.admin.put(t, "identity", v.role, nil).want(t, http.StatusNoContent)
	if c.Difference("no-cached-tokens") { // the tokens are as good as before
		for _, s := range []*session{v.session, v.through} {
			v.stranger().with("X-Auth-Token", s.token).get(t, "identity", "/auth/projects").want(t, http.StatusOK)
		}
	}
	v.enter(t).want(t, http.StatusCreated)
	v.borrow(t).want(t, http.StatusCreated)
}

// A user who is deleted takes the trusts along.
func testDeletedUser(t *testing.T, c *cloud) {
	v := c.visit(t)
	c.other.delete(t, "identity", v.path).refusedByKeystone(t, http.StatusForbidden)
	v.admin.delete(t, "identity", v.path).want(t, http.StatusNoContent)
	v.useless(t, v.session)
	v.useless(t, v.through)
	v.enter(t).refusedByKeystone(t, http.StatusUnauthorized)
	v.borrow(t).refusedByKeystone(t, http.StatusUnauthorized)
	v.admin.get(t, "identity", v.trust).refusedByKeystone(t, http.StatusNotFound)
	v.admin.get(t, "identity", v.path).refusedByKeystone(t, http.StatusNotFound)
	v.admin.delete(t, "identity", v.path).refusedByKeystone(t, http.StatusNotFound)
	v.admin.call(t, http.MethodPatch, "identity", v.path, object{"user": object{"enabled": false}}).refusedByKeystone(t, http.StatusNotFound)
	left := v.admin.get(t, "identity", "/role_assignments?scope.project.id="+c.member.projectID).want(t, http.StatusOK)
	for _, g := range left.list("role_assignments") {
		if user, _ := g["user"].(object); "/users/"+textOf(user["id"]) == v.path {
			t.Errorf("the deleted user still has %v", g)
		}
	}
}

func textOf(v any) string {
	text, _ := v.(string)
	return text
}
