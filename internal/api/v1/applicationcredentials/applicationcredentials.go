// Package applicationcredentials serves the application credential that a user
// has registered, for operations that Keystone gives no trust for.
package applicationcredentials

import (
	"context"
	_ "embed"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/store"
)

// Delegations keeps credentials; delegation.Registry does.
type Delegations interface {
	RegisterCredential(ctx context.Context, who *karbor.Identity, id string, secret karbor.Secret) (store.ApplicationCredential, error)
	Credential(ctx context.Context, who *karbor.Identity) (store.ApplicationCredential, error)
	ForgetCredential(ctx context.Context, who *karbor.Identity) error
}

// Deps are what the room needs.
type Deps struct {
	Delegations Delegations
}

//go:embed register.json
var registerSchema []byte

// Routes gives what the room serves. Each user has one credential in a project, so
// the path names none.
func Routes(d Deps) []api.Route {
	const path = "/application_credential"
	return []api.Route{
		{
			Method: "PUT", Pattern: path, Rule: "application_credential:update", Since: api.ProgressVersion, Body: registerSchema, Handle: d.register,
			Summary:     "Register the caller's application credential",
			Description: "It must log in as the caller, in the caller's project; it takes the place of an earlier one.", Answer: answer{},
		},
		{
			Method: "GET", Pattern: path, Rule: "application_credential:get", Since: api.ProgressVersion, Handle: d.show,
			Summary: "Show the caller's application credential", Description: "The secret is never shown.", Answer: answer{},
		},
		{
			Method: "DELETE", Pattern: path, Rule: "application_credential:delete", Since: api.ProgressVersion, Handle: d.remove,
			Summary: "Forget the caller's application credential", Description: "Operations that run keep what they were accepted with.",
		},
	}
}

// view is the credential on the wire. The secret is never shown.
type view struct {
	ID        string  `json:"id"`
	CreatedAt *string `json:"created_at" format:"date-time"`
}

type answer struct {
	ApplicationCredential view `json:"application_credential"`
}

func answerOf(c store.ApplicationCredential) answer {
	return answer{view{ID: c.ID, CreatedAt: api.Time(c.CreatedAt)}}
}

func (d Deps) register(ctx context.Context, r *api.Request) (any, error) {
	var body struct {
		ApplicationCredential struct {
			ID     string `json:"id"`
			Secret string `json:"secret"`
		} `json:"application_credential"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	c, err := d.Delegations.RegisterCredential(ctx, r.Identity, body.ApplicationCredential.ID, karbor.Secret(body.ApplicationCredential.Secret))
	if err != nil {
		return nil, err
	}
	return answerOf(c), nil
}

func (d Deps) show(ctx context.Context, r *api.Request) (any, error) {
	c, err := d.Delegations.Credential(ctx, r.Identity)
	if karbor.KindOf(err) == karbor.NotFound {
		return nil, karbor.Errorf(karbor.NotFound, "You have registered no application credential in this project.")
	}
	if err != nil {
		return nil, err
	}
	return answerOf(c), nil
}

func (d Deps) remove(ctx context.Context, r *api.Request) (any, error) {
	return nil, d.Delegations.ForgetCredential(ctx, r.Identity)
}
