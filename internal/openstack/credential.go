package openstack

import (
	"context"
	"net/http"

	"github.com/karbor/karbor"
)

// CredentialSession is a session that stands for itself: it has an application
// credential, and no Authority.
type CredentialSession struct {
	*session
}

// NewCredentialSession makes the session of an application credential in the cloud of
// o, of which Username, Password and Project are not used. It does not contact
// Keystone; when Keystone refuses the credential, requests fail with
// karbor.Unauthorized.
func NewCredentialSession(o Options, id string, secret karbor.Secret) (*CredentialSession, error) {
	if o.Now == nil {
		return nil, karbor.Errorf(karbor.Invalid, "the clock of the OpenStack connection is missing")
	}
	if id == "" || secret == "" {
		return nil, karbor.Errorf(karbor.Invalid, "the application credential's id and secret are needed")
	}
	t, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	s, err := newSite(o.AuthURL, t, o)
	if err != nil {
		return nil, err
	}
	return &CredentialSession{newSession(s, "", "", newGrants(nil, func(ctx context.Context) (*grant, error) {
		return s.issue(ctx, applicationCredentialAuth(id, secret))
	}))}, nil
}

// Close ends the idle connections.
func (c *CredentialSession) Close() {
	if own := c.site.transport.own; own != nil {
		own.CloseIdleConnections()
	}
}

// EC2Keys gives the EC2 keys of a session's user in its project, as the store's S3
// interface takes them, and has Keystone make them if there are none.
func EC2Keys(ctx context.Context, c karbor.Cloud) (access string, secret karbor.Secret, err error) {
	s, err := sessionOf(c)
	if err != nil {
		return "", "", err
	}
	g, err := s.grant(ctx)
	if err != nil {
		return "", "", explain(err, "logging in")
	}
	type keys struct {
		Access  string `json:"access"`
		Secret  string `json:"secret"`
		Project string `json:"tenant_id"`
	}
	var list struct {
		Credentials []keys `json:"credentials"`
	}
	path := "/users/" + g.userID + "/credentials/OS-EC2"
	if _, err := s.site.call(ctx, http.MethodGet, path, g.token, nil, nil, &list, http.StatusOK); err != nil {
		return "", "", explain(err, "looking for EC2 keys")
	}
	for _, k := range list.Credentials {
		if k.Project == g.projectID && k.Access != "" && k.Secret != "" {
			return k.Access, karbor.Secret(k.Secret), nil
		}
	}
	var made struct {
		Credential keys `json:"credential"`
	}
	body := map[string]string{"tenant_id": g.projectID}
	if _, err := s.site.call(ctx, http.MethodPost, path, g.token, nil, body, &made, http.StatusCreated); err != nil {
		return "", "", explain(err, "making EC2 keys")
	}
	if made.Credential.Access == "" || made.Credential.Secret == "" {
		return "", "", karbor.Errorf(karbor.Unavailable, "making EC2 keys: Keystone's answer holds none")
	}
	return made.Credential.Access, karbor.Secret(made.Credential.Secret), nil
}
