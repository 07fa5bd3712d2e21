package keystone

import (
	"net/http"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

// UserChange is what is to be changed of a user; nil stays as it is.
type UserChange struct {
	Enabled  *bool   `json:"enabled"`
	Password *string `json:"password"`
}

// ChangeUser changes a user. One who is disabled, or gets another password, loses all tokens
// for good. One who is disabled keeps trusts and application credentials, which are of no
// use meanwhile.
func (k *Keystone) ChangeUser(id string, c UserChange) (User, error) {
	disabled := false
	u, ok, err := k.users.Update(id, func(u *User) error {
		if c.Password != nil {
			u.Password = *c.Password
		}
		if c.Enabled != nil {
			disabled = u.Enabled && !*c.Enabled
			u.Enabled = *c.Enabled
		}
		return nil
	})
	switch {
	case err != nil:
		return u, err
	case !ok:
		return u, missing("user", id)
	}
	if disabled || c.Password != nil {
		k.tokens.Drop(func(t token) bool { return t.UserID == id })
	}
	return u, nil
}

// DeleteUser deletes a user with their roles, tokens, trusts (which they gave and which they
// got) and application credentials.
func (k *Keystone) DeleteUser(id string) error {
	if !k.users.Delete(id) {
		return missing("user", id)
	}
	k.grants.Drop(func(g Grant) bool { return g.UserID == id })
	k.tokens.Drop(func(t token) bool { return t.UserID == id })
	k.trusts.Drop(func(t trust) bool { return t.TrustorID == id || t.TrusteeID == id })
	k.credentials.Drop(func(c credential) bool { return c.UserID == id })
	return nil
}

func (k *Keystone) userRoutes() {
	k.listing("users", "user", func() []any { return shown(k.users.List(nil), k.showUser) })
	k.Handle("POST /v3/users", func(r *fabric.Request) error {
		var body struct {
			User struct {
				Name, Password string
				Project        string `json:"default_project_id"`
			}
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if !r.Admin() {
			return notAllowed("identity:create_user")
		}
		if body.User.Name == "" {
			return fabric.BadRequest("Invalid input for field 'name': '' is too short")
		}
		u, err := k.AddUser(body.User.Name, body.User.Password, body.User.Project)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusCreated, map[string]any{"user": k.showUser(u)})
	})
	k.Handle("PATCH /v3/users/{id}", func(r *fabric.Request) error {
		var body struct {
			User UserChange `json:"user"`
		}
		if err := r.Decode(&body); err != nil {
			return err
		}
		if !r.Admin() {
			return notAllowed("identity:update_user")
		}
		u, err := k.ChangeUser(r.PathValue("id"), body.User)
		if err != nil {
			return err
		}
		return r.JSON(http.StatusOK, map[string]any{"user": k.showUser(u)})
	})
	k.Handle("DELETE /v3/users/{id}", func(r *fabric.Request) error {
		if !r.Admin() {
			return notAllowed("identity:delete_user")
		}
		if err := k.DeleteUser(r.PathValue("id")); err != nil {
			return err
		}
		return r.Empty(http.StatusNoContent)
	})
}
