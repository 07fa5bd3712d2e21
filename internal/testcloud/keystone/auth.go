package keystone

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// reference names a thing by id, or by name (in the default domain).
type reference struct {
	ID     string     `json:"id"`
	Name   string     `json:"name"`
	Domain *reference `json:"domain"`
}

// inDefault tells whether the reference's domain is the only one there is.
func (r reference) inDefault() bool {
	return r.Domain != nil && (r.Domain.ID == DefaultDomain || r.Domain.Name == "Default")
}

// authRequest is the body of POST /v3/auth/tokens.
type authRequest struct {
	Auth struct {
		Identity struct {
			Methods  []string `json:"methods"`
			Password struct {
				User struct {
					reference
					Password string `json:"password"`
				} `json:"user"`
			} `json:"password"`
			Token struct {
				ID string `json:"id"`
			} `json:"token"`
			Credential struct {
				ID     string    `json:"id"`
				Name   string    `json:"name"`
				Secret string    `json:"secret"`
				User   reference `json:"user"`
			} `json:"application_credential"`
		} `json:"identity"`
		Scope json.RawMessage `json:"scope"`
	} `json:"auth"`
}

// scope is what a token is asked for; all nil: an unscoped one.
type scope struct {
	Project *reference `json:"project"`
	Trust   *struct {
		ID string `json:"id"`
	} `json:"OS-TRUST:trust"`
	Domain *reference      `json:"domain"`
	System json.RawMessage `json:"system"`
}

func (a authRequest) scope() (scope, error) {
	var s scope
	var text string
	if len(a.Auth.Scope) == 0 || json.Unmarshal(a.Auth.Scope, &text) == nil {
		return s, nil
	}
	if err := json.Unmarshal(a.Auth.Scope, &s); err != nil {
		return s, fabric.BadRequest("Invalid input for field 'scope': %v", err)
	}
	if s.Domain != nil || s.System != nil {
		return s, notAuthenticated()
	}
	return s, nil
}

func (k *Keystone) authenticate(r *fabric.Request) error {
	var body authRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	want, err := body.scope()
	if err != nil {
		return err
	}
	t, u, err := k.proof(body)
	if err != nil {
		return err
	}
	switch {
	case t.CredentialID != "":
		// An application credential is for its own project and nothing else.
		if want.Trust != nil || want.Project != nil && want.Project.ID != t.ProjectID {
			return notAuthenticated()
		}
	case want.Trust != nil:
		u, err = k.scopeToTrust(&t, u, want.Trust.ID)
	case want.Project != nil:
		err = k.scopeToProject(&t, u, *want.Project)
	}
	if err != nil {
		return err
	}
	text := k.issue(&t)
	r.W.Header().Set("X-Subject-Token", text)
	return r.JSON(http.StatusCreated, k.showToken(r, t, u))
}

// proof checks who asks. What it gives is unscoped, but for an application
// credential.
func (k *Keystone) proof(body authRequest) (token, User, error) {
	id := body.Auth.Identity
	t := token{Methods: id.Methods}
	if len(id.Methods) == 0 {
		return t, User{}, fabric.BadRequest("Invalid input for field 'identity': 'methods' is a required property")
	}
	switch id.Methods[0] {
	case "password":
		u, ok := k.user(id.Password.User.reference)
		if !ok || !u.Enabled || subtle.ConstantTimeCompare([]byte(u.Password), []byte(id.Password.User.Password)) != 1 {
			return t, u, notAuthenticated()
		}
		t.UserID = u.ID
		return t, u, nil
	case "token":
		old, u, ok := k.find(id.Token.ID)
		switch {
		case !ok:
			return t, u, notAuthenticated()
		case old.TrustID != "":
			return t, u, fabric.Forbidden("You are not authorized to perform the requested action: rescope a scoped token.")
		case old.CredentialID != "":
			t.ProjectID, t.RoleIDs, t.CredentialID = old.ProjectID, old.RoleIDs, old.CredentialID
		}
		// A token made from a token lives no longer.
		t.UserID, t.ExpiresAt = u.ID, old.ExpiresAt
		for _, method := range old.Methods {
			if method != "token" {
				t.Methods = append(t.Methods, method)
			}
		}
		return t, u, nil
	case "application_credential":
		c := id.Credential
		return k.credentialProof(t, c.ID, c.Name, c.Secret, c.User)
	default:
		return t, User{}, notAuthenticated()
	}
}

// user finds a user by id, or by name and domain.
func (k *Keystone) user(ref reference) (User, bool) {
	if ref.ID != "" {
		return k.users.Get(ref.ID)
	}
	if !ref.inDefault() {
		return User{}, false
	}
	return k.userNamed(ref.Name)
}

func (k *Keystone) scopeToProject(t *token, u User, ref reference) error {
	p, ok := k.projects.Get(ref.ID)
	if ref.ID == "" && ref.inDefault() {
		p, ok = k.projectNamed(ref.Name)
	}
	if !ok || !p.Enabled {
		return notAuthenticated()
	}
	roles := k.rolesOf(u.ID, p.ID)
	if len(roles) == 0 {
		return notAuthenticated()
	}
	t.ProjectID, t.RoleIDs = p.ID, nil
	for _, r := range roles {
		t.RoleIDs = append(t.RoleIDs, r.ID)
	}
	return nil
}
