package keystone

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// trust lets the trustee act on the trustor's project with some of the
// trustor's roles.
type trust struct {
	ID            string    `json:"id"`
	TrustorID     string    `json:"trustor_user_id"`
	TrusteeID     string    `json:"trustee_user_id"`
	ProjectID     string    `json:"project_id"`
	RoleIDs       []string  `json:"role_ids"`
	Impersonation bool      `json:"impersonation"`
	ExpiresAt     time.Time `json:"expires_at"`     // zero: never
	RemainingUses *int      `json:"remaining_uses"` // nil: without end
}

func (t trust) expired(now time.Time) bool { return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) }

func (k *Keystone) trustRoutes() {
	k.Handle("POST /v3/OS-TRUST/trusts", k.createTrust)
	k.Handle("GET /v3/OS-TRUST/trusts", k.listTrusts)
	k.Handle("GET /v3/OS-TRUST/trusts/{id}", func(r *fabric.Request) error {
		t, err := k.trustFor(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"trust": k.showTrust(t, true)})
	})
	k.Handle("GET /v3/OS-TRUST/trusts/{id}/roles", func(r *fabric.Request) error {
		t, err := k.trustFor(r)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, collection(r, "roles", k.showRoles(t.RoleIDs)))
	})
	k.Handle("DELETE /v3/OS-TRUST/trusts/{id}", func(r *fabric.Request) error {
		t, err := k.trustFor(r)
		if err != nil {
			return err
		}
		if err := k.mayDelegate(r, "trusts"); err != nil {
			return err
		}
		if t.TrustorID != r.UserID && !r.Admin() {
			return notAllowed("identity:delete_trust")
		}
		k.trusts.Delete(t.ID)
		return r.Empty(http.StatusNoContent)
	})
}

// trustFor finds the trust of the path, for those whom it concerns.
func (k *Keystone) trustFor(r *fabric.Request) (trust, error) {
	id := r.PathValue("id")
	t, ok := k.trusts.Get(id)
	if !ok || t.expired(k.fab.Clock.Now()) {
		return t, missing("trust", id)
	}
	if t.TrustorID != r.UserID && t.TrusteeID != r.UserID && !r.Admin() {
		return t, notAllowed("identity:get_trust")
	}
	return t, nil
}

// mayDelegate refuses what a token from a delegation must not do.
func (k *Keystone) mayDelegate(r *fabric.Request, what string) error {
	if r.AppCredentialID != "" && !r.Unrestricted {
		return fabric.Forbidden("You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing %s..", what)
	}
	return nil
}

type trustRequest struct {
	Trust struct {
		TrustorID     string      `json:"trustor_user_id"`
		TrusteeID     string      `json:"trustee_user_id"`
		ProjectID     string      `json:"project_id"`
		Impersonation *bool       `json:"impersonation"`
		Roles         []reference `json:"roles"`
		ExpiresAt     *string     `json:"expires_at"`
		RemainingUses *int        `json:"remaining_uses"`
	} `json:"trust"`
}

func (k *Keystone) createTrust(r *fabric.Request) error {
	var body trustRequest
	if err := r.Decode(&body); err != nil {
		return err
	}
	if err := k.mayDelegate(r, "trusts"); err != nil {
		return err
	}
	ask := body.Trust
	switch {
	case r.TrustID != "" || ask.TrustorID != r.UserID:
		return notAllowed("identity:create_trust")
	case ask.Impersonation == nil:
		return fabric.BadRequest("Invalid input for field 'trust': 'impersonation' is a required property")
	case ask.RemainingUses != nil && *ask.RemainingUses < 1:
		return fabric.BadRequest("Invalid input for field 'remaining_uses': %d is less than the minimum of 1", *ask.RemainingUses)
	case ask.ProjectID == "" || len(ask.Roles) == 0:
		return notAllowed("At least one role should be specified")
	}
	if _, ok := k.users.Get(ask.TrusteeID); !ok {
		return missing("user", ask.TrusteeID)
	}
	if _, ok := k.projects.Get(ask.ProjectID); !ok {
		return missing("project", ask.ProjectID)
	}
	t := trust{ID: newID(), TrustorID: ask.TrustorID, TrusteeID: ask.TrusteeID, ProjectID: ask.ProjectID,
		Impersonation: *ask.Impersonation, RemainingUses: ask.RemainingUses}
	var err error
	if t.RoleIDs, err = k.ownedRoles(ask.Roles, k.rolesOf(r.UserID, ask.ProjectID)); err != nil {
		return err
	}
	if t.ExpiresAt, err = k.expiry(ask.ExpiresAt); err != nil {
		return err
	}
	if err := k.reserve(t); err != nil {
		return err
	}
	k.trusts.Put(t.ID, t)
	return r.JSON(http.StatusCreated, map[string]any{"trust": k.showTrust(t, true)})
}

// reserve takes a trust's end: there are no two trusts alike that end in one second, as
// Keystone's table has it, even if one of them is deleted. Those without an end may be many.
func (k *Keystone) reserve(t trust) error {
	if t.ExpiresAt.IsZero() {
		return nil
	}
	key := fmt.Sprint(t.TrustorID, " ", t.TrusteeID, " ", t.ProjectID, " ", t.Impersonation, " ", t.ExpiresAt.Round(time.Second).Unix())
	if !k.ends.Add(key, t.ExpiresAt) {
		return fabric.Conflict("Conflict occurred attempting to store trust - Duplicate entry found with ID %s.", t.ID)
	}
	return nil
}

// ownedRoles gives the ids of the wanted roles, which must be among owned.
func (k *Keystone) ownedRoles(wanted []reference, owned []Role) ([]string, error) {
	var ids []string
	for _, ref := range wanted {
		name := ref.ID
		if name == "" {
			name = ref.Name
		}
		role, ok := k.role(name)
		if !ok || !slices.ContainsFunc(owned, func(o Role) bool { return o.ID == role.ID }) {
			return nil, missing("role", name)
		}
		ids = append(ids, role.ID)
	}
	return ids, nil
}

// expiry reads a time that must lie ahead; nil is none.
func (k *Keystone) expiry(text *string) (time.Time, error) {
	if text == nil {
		return time.Time{}, nil
	}
	t, err := parseStamp(*text)
	if err == nil && !k.fab.Clock.Now().Before(t) {
		err = fabric.BadRequest("The 'expires_at' must not be before now. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.")
	}
	return t, err
}

func (k *Keystone) listTrusts(r *fabric.Request) error {
	trustor, trustee := r.URL.Query().Get("trustor_user_id"), r.URL.Query().Get("trustee_user_id")
	if !r.Admin() && trustor != r.UserID && trustee != r.UserID {
		return notAllowed("identity:list_trusts")
	}
	now := k.fab.Clock.Now()
	found := k.trusts.List(func(t trust) bool {
		return !t.expired(now) && !differs(trustor, t.TrustorID) && !differs(trustee, t.TrusteeID)
	})
	return r.JSON(http.StatusOK, collection(r, "trusts", shown(found, func(t trust) map[string]any {
		return k.showTrust(t, false)
	})))
}

func (k *Keystone) showTrust(t trust, roles bool) map[string]any {
	body := map[string]any{
		"id": t.ID, "trustor_user_id": t.TrustorID, "trustee_user_id": t.TrusteeID, "project_id": t.ProjectID,
		"impersonation": t.Impersonation, "expires_at": optional(t.ExpiresAt), "remaining_uses": t.RemainingUses,
		"deleted_at": nil, "redelegation_count": 0, "links": k.self("OS-TRUST/trusts", t.ID),
	}
	if roles {
		body["roles"] = k.showRoles(t.RoleIDs)
		body["roles_links"] = map[string]any{"next": nil, "previous": nil,
			"self": k.fab.Base() + "/v3/OS-TRUST/trusts/" + t.ID + "/roles"}
	}
	return body
}

func (k *Keystone) showRoles(ids []string) []any {
	list := []any{}
	for _, id := range ids {
		if r, ok := k.roles.Get(id); ok {
			list = append(list, k.showRole(r))
		}
	}
	return list
}

// optional writes a time, or null for the zero one.
func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

// scopeToTrust makes a token of a trust. It gives the user that the token
// stands for: the trustor if the trust impersonates.
func (k *Keystone) scopeToTrust(t *token, trustee User, id string) (User, error) {
	tr, ok := k.trusts.Get(id)
	if !ok || tr.expired(k.fab.Clock.Now()) {
		// As the real one: the login fails, and does not tell why.
		return trustee, notAuthenticated()
	}
	if tr.TrusteeID != trustee.ID {
		return trustee, fabric.Forbidden("You are not authorized to perform the requested action: identity:get_trust.")
	}
	if err := k.trustorRefuses(tr); err != nil {
		return trustee, err
	}
	_, _, err := k.trusts.Update(id, func(tr *trust) error {
		if tr.RemainingUses == nil {
			return nil
		}
		if *tr.RemainingUses <= 0 {
			return fabric.Forbidden("No remaining uses for trust: %s.", id)
		}
		*tr.RemainingUses--
		return nil
	})
	if err != nil {
		return trustee, err
	}
	t.ProjectID, t.RoleIDs, t.TrustID = tr.ProjectID, tr.RoleIDs, tr.ID
	if !tr.ExpiresAt.IsZero() && (t.ExpiresAt.IsZero() || tr.ExpiresAt.Before(t.ExpiresAt)) {
		t.ExpiresAt = tr.ExpiresAt
	}
	if tr.Impersonation {
		trustor, _ := k.users.Get(tr.TrustorID)
		t.UserID = trustor.ID
		return trustor, nil
	}
	return trustee, nil
}

// trustorRefuses tells why a trust is of no use at present: its trustor is
// disabled, or has not all of its roles any more.
func (k *Keystone) trustorRefuses(tr trust) error {
	if trustor, ok := k.users.Get(tr.TrustorID); !ok || !trustor.Enabled {
		return fabric.Forbidden("You are not authorized to perform the requested action: the trustor is disabled.")
	}
	owned := k.rolesOf(tr.TrustorID, tr.ProjectID)
	for _, role := range tr.RoleIDs {
		if !slices.ContainsFunc(owned, func(o Role) bool { return o.ID == role }) {
			return fabric.Forbidden("You are not authorized to perform the requested action: the trustor has lost a role of the trust.")
		}
	}
	return nil
}
