package openstack

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

// grants is where a session's tokens come from: the one that it has, and, if
// there is an issuer, new ones. Several sessions may share it.
type grants struct {
	issuer func(context.Context) (*grant, error)
	// shared, if any, are those that the issuer takes from before it asks Keystone.
	shared *grants
	flight flights[struct{}, *grant]

	mu  sync.Mutex
	now *grant
	// answer is what Keystone said last when a service doubted a token.
	answer answer
}

// newGrants starts with a token, or with none; issuer may be nil.
func newGrants(first *grant, issuer func(context.Context) (*grant, error)) *grants {
	return &grants{now: first, issuer: issuer}
}

func (g *grants) held() *grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

// current gives the token held, or gets the first.
func (g *grants) current(ctx context.Context) (*grant, error) {
	if held := g.held(); held != nil {
		return held, nil
	}
	return g.renew(ctx, nil)
}

// renew replaces old, unless somebody else has done so already.
func (g *grants) renew(ctx context.Context, old *grant) (*grant, error) {
	if held := g.held(); held != old && held != nil {
		return held, nil
	}
	if g.issuer == nil {
		return nil, karbor.Errorf(karbor.Unauthorized, "the token has ended, and nothing was delegated that could take its place")
	}
	return g.flight.do(ctx, struct{}{}, func(ctx context.Context) (*grant, error) {
		if held := g.held(); held != old && held != nil {
			return held, nil
		}
		fresh, err := g.issuer(ctx)
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		g.now = fresh
		g.mu.Unlock()
		return fresh, nil
	})
}

// session is a karbor.Cloud. It is safe for concurrent use.
type session struct {
	site      *site
	grants    *grants
	userID    string
	projectID string
	provider  *gophercloud.ProviderClient
	// voucher, if there is one, gives the tokens that go along as service tokens:
	// the session's own has ended, and is taken only from a service.
	voucher *grants
}

// newSession makes a session of a user in a project. Empty ids are those of the
// first token.
func newSession(s *site, userID, projectID string, g *grants) *session {
	c := &session{site: s, grants: g, userID: userID, projectID: projectID}
	c.provider = &gophercloud.ProviderClient{
		IdentityBase: s.url[:len(s.url)-len("v3")],
		// Tokens are the round tripper's business: gophercloud never sees one.
		HTTPClient: http.Client{Transport: c, CheckRedirect: noForeignRedirect},
	}
	return c
}

// ProjectID implements karbor.Cloud.
func (c *session) ProjectID() string {
	if g := c.grants.held(); c.projectID == "" && g != nil {
		return g.projectID
	}
	return c.projectID
}

// UserID implements karbor.Cloud.
func (c *session) UserID() string {
	if g := c.grants.held(); c.userID == "" && g != nil {
		return g.userID
	}
	return c.userID
}

// grant gives a token that will not end at once, if there is any way to one.
func (c *session) grant(ctx context.Context) (*grant, error) {
	g, err := c.grants.current(ctx)
	if err != nil {
		return nil, err
	}
	if g.left(c.site.now(), tokenMargin) {
		return g, nil
	}
	if c.grants.issuer == nil {
		// It may last for this request; else the service says so.
		return g, nil
	}
	return c.grants.renew(ctx, g)
}

// RoundTrip implements http.RoundTripper: it sends the request with the session's
// token, and once more with a new one if the service no longer takes the first.
func (c *session) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	g, err := c.grant(ctx)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := c.send(req, g)
	if err == nil && doubted(resp) {
		if err = c.refusal(ctx, g); err != nil {
			drain(resp)
			return nil, err
		}
		return resp, nil
	}
	if err != nil || resp.StatusCode != http.StatusUnauthorized || c.grants.issuer == nil {
		return resp, err
	}
	fresh, err := c.grants.renew(ctx, g)
	if err != nil {
		drain(resp)
		return nil, err
	}
	again := req.Clone(ctx)
	switch {
	case req.Body == nil || req.Body == http.NoBody:
	case req.GetBody != nil:
		if again.Body, err = req.GetBody(); err != nil {
			drain(resp)
			return nil, err
		}
	default:
		// Half of the stream is gone. Who has the source may begin anew.
		drain(resp)
		return nil, karbor.Transientf("the token ended before the transfer")
	}
	drain(resp)
	return c.send(again, fresh)
}

func (c *session) send(req *http.Request, g *grant) (*http.Response, error) {
	with := req.Clone(req.Context())
	with.Header.Set(tokenHeader, g.token.Reveal())
	if c.voucher != nil {
		own, err := c.voucher.current(req.Context())
		if err != nil {
			closeBody(req)
			return nil, err
		}
		with.Header.Set(serviceTokenHeader, own.token.Reveal())
	}
	return c.site.transport.RoundTrip(with)
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// Session gives a session with the tenant's own token. It ends with the token; one
// that a service handed on after its end goes on with Karbor's own service token
// beside it.
func (a *Authority) Session(identity *karbor.Identity) karbor.Cloud {
	s := newSession(a.site, identity.UserID, identity.ProjectID, newGrants(grantOf(identity), nil))
	if identity.FromService && !a.site.now().Before(identity.ExpiresAt) {
		s.voucher = a.service.grants
	}
	return s
}

func grantOf(identity *karbor.Identity) *grant {
	return &grant{
		token: identity.Token, expires: identity.ExpiresAt,
		userID: identity.UserID, userName: identity.UserName,
		projectID: identity.ProjectID, projectName: identity.ProjectName,
		roles: identity.Roles, delegated: !identity.CanDelegate,
	}
}

// ProjectName gives the name of the session's project.
func ProjectName(ctx context.Context, c karbor.Cloud) (string, error) {
	s, err := sessionOf(c)
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("asking for the name of the project: %w", err)
	}
	g, err := s.grant(ctx)
	if err != nil {
		return "", explain(err, "asking for the name of the project")
	}
	return g.projectName, nil
}

// sessionOf gives the session behind a karbor.Cloud of this package.
func sessionOf(c karbor.Cloud) (*session, error) {
	switch s := c.(type) {
	case *session:
		if s != nil {
			return s, nil
		}
	case *CredentialSession:
		if s != nil {
			return s.session, nil
		}
	}
	return nil, karbor.Errorf(karbor.Internal, "the cloud session was not opened by internal/openstack")
}
