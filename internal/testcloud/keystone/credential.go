package keystone

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// credential is an application credential. Only the hash of its secret is
// kept.
type credential struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Description  *string   `json:"description"`
	UserID       string    `json:"user_id"`
	ProjectID    string    `json:"project_id"`
	RoleIDs      []string  `json:"role_ids"`
	Unrestricted bool      `json:"unrestricted"`
	ExpiresAt    time.Time `json:"expires_at"` // zero: never
	SecretHash   string    `json:"secret_hash"`
}

func (c credential) expired(now time.Time) bool {
	return !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt)
}

func (k *Keystone) credentialRoutes() {
	const path = "/v3/users/{user}/application_credentials"
	k.Handle("POST "+path, k.createCredential)
	k.Handle("GET "+path, func(r *fabric.Request) error {
		if err := ownUser(r, "identity:list_application_credentials"); err != nil {
			return err
		}
		name := r.URL.Query().Get("name")
		found := k.credentials.List(func(c credential) bool {
			return c.UserID == r.PathValue("user") && !differs(name, c.Name)
		})
		return r.JSON(http.StatusOK, collection(r, "application_credentials", shown(found, k.showCredential)))
	})
	k.Handle("GET "+path+"/{id}", func(r *fabric.Request) error {
		c, err := k.credentialFor(r, "identity:get_application_credential")
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"application_credential": k.showCredential(c)})
	})
	k.Handle("DELETE "+path+"/{id}", func(r *fabric.Request) error {
		c, err := k.credentialFor(r, "identity:delete_application_credential")
		if err == nil {
			err = k.mayDelegate(r, "application credentials")
		}
		if err != nil {
			return err
		}
		k.credentials.Delete(c.ID)
		return r.Empty(http.StatusNoContent)
	})
}

func ownUser(r *fabric.Request, action string) error {
	if r.PathValue("user") != r.UserID && !r.Admin() {
		return notAllowed(action)
	}
	return nil
}

func (k *Keystone) credentialFor(r *fabric.Request, action string) (credential, error) {
	if err := ownUser(r, action); err != nil {
		return credential{}, err
	}
	c, ok := k.credentials.Get(r.PathValue("id"))
	if !ok || c.UserID != r.PathValue("user") {
		return c, missing("Application Credential", r.PathValue("id"))
	}
	return c, nil
}

type credentialRequest struct {
	Credential struct {
		Name         string      `json:"name"`
		Description  *string     `json:"description"`
		Secret       string      `json:"secret"`
		Roles        []reference `json:"roles"`
		ExpiresAt    *string     `json:"expires_at"`
		Unrestricted bool        `json:"unrestricted"`
	} `json:"application_credential"`
}

func (k *Keystone) createCredential(r *fabric.Request) error {
	var body credentialRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if r.PathValue("user") != r.UserID || r.ProjectID == "" || r.TrustID != "" {
		return notAllowed("identity:create_application_credential")
	}
	if err := k.mayDelegate(r, "application credentials"); err != nil {
		return err
	}
	ask := body.Credential
	if ask.Name == "" {
		return fabric.BadRequest("Invalid input for field 'name': '' is too short")
	}
	owned := k.rolesOf(r.UserID, r.ProjectID)
	c := credential{ID: newID(), Name: ask.Name, Description: ask.Description, UserID: r.UserID,
		ProjectID: r.ProjectID, Unrestricted: ask.Unrestricted}
	var err error
	if c.RoleIDs, err = k.ownedRoles(ask.Roles, owned); err != nil {
		return err
	}
	if len(ask.Roles) == 0 {
		for _, role := range owned {
			c.RoleIDs = append(c.RoleIDs, role.ID)
		}
	}
	if c.ExpiresAt, err = k.expiry(ask.ExpiresAt); err != nil {
		return err
	}
	secret := ask.Secret
	if secret == "" {
		b := make([]byte, 64)
		_, _ = rand.Read(b) // never fails
		secret = base64.RawURLEncoding.EncodeToString(b)
	}
	c.SecretHash = hash(secret)
	err = k.fab.Atomic(func() error {
		if _, ok := k.credentialNamed(c.UserID, c.Name); ok {
			return fabric.Conflict("Conflict occurred attempting to store application_credential - Duplicate entry found with name %s.", c.Name)
		}
		k.credentials.Put(c.ID, c)
		return nil
	})
	if err != nil {
		return err
	}
	shown := k.showCredential(c)
	shown["secret"] = secret
	return r.JSON(http.StatusCreated, map[string]any{"application_credential": shown})
}

func (k *Keystone) credentialNamed(userID, name string) (credential, bool) {
	return first(k.credentials, func(c credential) bool { return c.UserID == userID && c.Name == name })
}

func (k *Keystone) showCredential(c credential) map[string]any {
	return map[string]any{
		"id": c.ID, "name": c.Name, "description": c.Description, "user_id": c.UserID, "project_id": c.ProjectID,
		"system": nil, "expires_at": optional(c.ExpiresAt), "unrestricted": c.Unrestricted,
		"roles": k.showRoles(c.RoleIDs), "links": k.self("application_credentials", c.ID),
	}
}

// credentialProof completes a token of an application credential, which is
// named by its id, or by its name and user. The token has those of the
// credential's roles that its user still has.
func (k *Keystone) credentialProof(t token, id, name, secret string, user reference) (token, User, error) {
	c, ok := k.credentials.Get(id)
	if id == "" {
		owner, known := k.user(user)
		if !known {
			return t, owner, notAuthenticated()
		}
		c, ok = k.credentialNamed(owner.ID, name)
	}
	if !ok || c.expired(k.fab.Clock.Now()) || subtle.ConstantTimeCompare([]byte(c.SecretHash), []byte(hash(secret))) != 1 {
		return t, User{}, notAuthenticated()
	}
	u, ok := k.users.Get(c.UserID)
	if !ok || !u.Enabled {
		return t, u, notAuthenticated()
	}
	t.UserID, t.ProjectID, t.CredentialID, t.ExpiresAt = u.ID, c.ProjectID, c.ID, c.ExpiresAt
	if t.RoleIDs = k.credentialRoles(c); len(t.RoleIDs) == 0 {
		return t, u, notAuthenticated()
	}
	return t, u, nil
}

// credentialRoles gives those of a credential's roles that its user still has.
func (k *Keystone) credentialRoles(c credential) (ids []string) {
	owned := k.rolesOf(c.UserID, c.ProjectID)
	for _, role := range c.RoleIDs {
		if slices.ContainsFunc(owned, func(o Role) bool { return o.ID == role }) {
			ids = append(ids, role)
		}
	}
	return ids
}
