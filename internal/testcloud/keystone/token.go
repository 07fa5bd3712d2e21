package keystone

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// token is a token as it is kept: under the hash of its text.
type token struct {
	UserID       string    `json:"user_id"`
	ProjectID    string    `json:"project_id"`
	RoleIDs      []string  `json:"role_ids"`
	Methods      []string  `json:"methods"`
	TrustID      string    `json:"trust_id"`
	CredentialID string    `json:"credential_id"`
	AuditID      string    `json:"audit_id"`
	IssuedAt     time.Time `json:"issued_at"`
	ExpiresAt    time.Time `json:"expires_at"`
}

// purgeEvery is after how many new tokens the expired ones are dropped.
const purgeEvery = 256

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// issue keeps the token and gives its text.
func (k *Keystone) issue(t *token) string {
	b := make([]byte, 33)
	_, _ = rand.Read(b) // never fails
	text := "tc" + base64.RawURLEncoding.EncodeToString(b)
	t.AuditID = base64.RawURLEncoding.EncodeToString(b[:8])
	t.IssuedAt = k.fab.Clock.Now()
	if latest := t.IssuedAt.Add(k.opts.TokenTTL).Truncate(time.Second); t.ExpiresAt.IsZero() || latest.Before(t.ExpiresAt) {
		t.ExpiresAt = latest
	}
	k.tokens.Put(hash(text), *t)
	if k.issued.Add(1)%purgeEvery == 0 {
		k.dropExpired()
	}
	return text
}

// EndTokens ends all tokens that were issued, as their time would: who had one must log in again.
func (k *Keystone) EndTokens() { k.tokens.Drop(func(token) bool { return true }) }

func (k *Keystone) dropExpired() {
	now := k.fab.Clock.Now()
	k.tokens.Drop(func(t token) bool { return t.ExpiresAt.Before(now) })
	k.ends.Drop(func(end time.Time) bool { return end.Before(now) })
}

// find gives a token that is good now: not expired or revoked, its user and
// project enabled, its trust or application credential still there. Its roles
// are those of now.
func (k *Keystone) find(text string) (token, User, bool) {
	t, ok := k.tokens.Get(hash(text))
	if !ok || !k.fab.Clock.Now().Before(t.ExpiresAt) {
		return token{}, User{}, false
	}
	u, ok := k.users.Get(t.UserID)
	if !ok || !u.Enabled || t.ProjectID != "" && !k.standing(&t) {
		return token{}, User{}, false
	}
	return t, u, true
}

// standing finds the roles that a token for a project has by now. Without any it
// is good for nothing; so is one of a trust that lacks a single one.
func (k *Keystone) standing(t *token) bool {
	if p, ok := k.projects.Get(t.ProjectID); !ok || !p.Enabled {
		return false
	}
	now := k.fab.Clock.Now()
	switch {
	case t.TrustID != "":
		tr, ok := k.trusts.Get(t.TrustID)
		return ok && !tr.expired(now) && k.trustorRefuses(tr) == nil
	case t.CredentialID != "":
		c, ok := k.credentials.Get(t.CredentialID)
		if !ok || c.expired(now) {
			return false
		}
		t.RoleIDs = k.credentialRoles(c)
	default:
		t.RoleIDs = nil
		for _, r := range k.rolesOf(t.UserID, t.ProjectID) {
			t.RoleIDs = append(t.RoleIDs, r.ID)
		}
	}
	return len(t.RoleIDs) > 0
}

// Authenticate tells who a token stands for.
func (k *Keystone) Authenticate(text string) (fabric.Identity, bool) {
	t, u, ok := k.find(text)
	if !ok {
		return fabric.Identity{}, false
	}
	who := fabric.Identity{UserID: u.ID, UserName: u.Name, ProjectID: t.ProjectID, TrustID: t.TrustID,
		AppCredentialID: t.CredentialID, ExpiresAt: t.ExpiresAt}
	if p, ok := k.projects.Get(t.ProjectID); ok {
		who.ProjectName = p.Name
	}
	for _, id := range t.RoleIDs {
		if r, ok := k.roles.Get(id); ok {
			who.Roles = append(who.Roles, r.Name)
		}
	}
	if t.CredentialID != "" {
		c, _ := k.credentials.Get(t.CredentialID)
		who.Unrestricted = c.Unrestricted
	}
	return who, true
}

// Forbids reports whether a token is of a trust that is of no use at present. Keystone says so
// to who looks it up, where it does not know others that are no good.
func (k *Keystone) Forbids(text string) bool { return k.forbids(text) != nil }

func (k *Keystone) forbids(text string) error {
	t, ok := k.tokens.Get(hash(text))
	if !ok || t.TrustID == "" || !k.fab.Clock.Now().Before(t.ExpiresAt) {
		return nil
	}
	tr, ok := k.trusts.Get(t.TrustID)
	if !ok || tr.expired(k.fab.Clock.Now()) {
		return nil
	}
	return k.trustorRefuses(tr)
}

// showToken gives the token's body as the real service writes it.
func (k *Keystone) showToken(r *fabric.Request, t token, u User) map[string]any {
	body := map[string]any{
		"methods": t.Methods, "audit_ids": []string{t.AuditID},
		"issued_at": stamp(t.IssuedAt), "expires_at": stamp(t.ExpiresAt),
		"user": map[string]any{"id": u.ID, "name": u.Name, "domain": k.domainRef(), "password_expires_at": nil},
	}
	if p, ok := k.projects.Get(t.ProjectID); ok {
		body["project"] = map[string]any{"id": p.ID, "name": p.Name, "domain": k.domainRef()}
		body["is_domain"] = false
		roles := []any{}
		for _, id := range t.RoleIDs {
			if role, ok := k.roles.Get(id); ok {
				roles = append(roles, map[string]string{"id": role.ID, "name": role.Name})
			}
		}
		body["roles"] = roles
		if !r.URL.Query().Has("nocatalog") {
			body["catalog"] = k.catalog(t.ProjectID, r.Base())
		}
	}
	if tr, ok := k.trusts.Get(t.TrustID); ok {
		body["OS-TRUST:trust"] = map[string]any{"id": tr.ID, "impersonation": tr.Impersonation,
			"trustee_user": map[string]string{"id": tr.TrusteeID}, "trustor_user": map[string]string{"id": tr.TrustorID}}
	}
	if c, ok := k.credentials.Get(t.CredentialID); ok {
		body["application_credential"] = map[string]any{"id": c.ID, "name": c.Name, "restricted": !c.Unrestricted}
	}
	return map[string]any{"token": body}
}

func (k *Keystone) tokenRoutes() {
	k.HandleOpen("POST /v3/auth/tokens", k.authenticate)
	k.Handle("GET /v3/auth/tokens", func(r *fabric.Request) error {
		text := r.Header.Get("X-Subject-Token")
		t, u, err := k.subject(r, text, "identity:validate_token")
		if err != nil {
			return err
		}
		r.W.Header().Set("X-Subject-Token", text)
		return r.JSON(http.StatusOK, k.showToken(r, t, u))
	})
	k.Handle("DELETE /v3/auth/tokens", func(r *fabric.Request) error {
		text := r.Header.Get("X-Subject-Token")
		if _, _, err := k.subject(r, text, "identity:revoke_token"); err != nil {
			return err
		}
		k.tokens.Delete(hash(text))
		return r.Empty(http.StatusNoContent)
	})
}

// subject finds the token that a request is about, if the request's own token
// may know of it.
func (k *Keystone) subject(r *fabric.Request, text, action string) (token, User, error) {
	if text != r.Header.Get("X-Auth-Token") && !r.Admin() && !r.Has("service") {
		return token{}, User{}, notAllowed(action)
	}
	t, u, ok := k.find(text)
	if err := k.forbids(text); !ok && err != nil {
		return token{}, User{}, err
	}
	if !ok {
		return token{}, User{}, fabric.NotFound("Could not find token.")
	}
	return t, u, nil
}
