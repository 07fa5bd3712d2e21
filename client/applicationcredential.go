package client

import (
	"context"
	"net/http"

	"github.com/karbor/karbor"
)

// ApplicationCredential is the one that the caller has registered in the project.
// Karbor works with it where Keystone lets it have no trust. Its secret is never
// shown.
type ApplicationCredential struct {
	ID        string    `json:"id"`
	CreatedAt Timestamp `json:"created_at"`
}

// ApplicationCredentials are the registered application credentials of the API;
// each user has at most one in a project. Microversion 1.1.
type ApplicationCredentials struct{ c *Client }

const credentialPath = "/application_credential"

// Register keeps an application credential of the caller's, in place of the one
// that was registered before. The service tries it first: one that Keystone
// refuses, or that is another user's or another project's, is an error.
func (p *ApplicationCredentials) Register(ctx context.Context, id string, secret karbor.Secret) (ApplicationCredential, error) {
	body := map[string]any{"application_credential": map[string]any{"id": id, "secret": secret.Reveal()}}
	return one[ApplicationCredential](ctx, p.c, call{method: http.MethodPut, path: credentialPath, body: body,
		what: "registering the application credential " + id}, "application_credential")
}

// Show gets the registered one; there being none is a NotFound error.
func (p *ApplicationCredentials) Show(ctx context.Context) (ApplicationCredential, error) {
	return one[ApplicationCredential](ctx, p.c, call{method: http.MethodGet, path: credentialPath,
		what: "getting the application credential"}, "application_credential")
}

// Delete makes the service forget the registered one. The application credential
// itself stays in Keystone.
func (p *ApplicationCredentials) Delete(ctx context.Context) error {
	return p.c.do(ctx, call{method: http.MethodDelete, path: credentialPath,
		what: "deleting the registered application credential"}, nil)
}
