package openstack

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

// grant is a token with what Keystone says of it.
type grant struct {
	token       karbor.Secret
	expires     time.Time
	userID      string
	userName    string
	projectID   string
	projectName string
	roles       []string
	delegated   bool
	catalog     catalog
	rules       []karbor.AccessRule
	// outside says that Keystone has an admin project, and the token is of another.
	outside bool
}

// left reports whether the token is good for at least margin more.
func (g *grant) left(now time.Time, margin time.Duration) bool {
	return g != nil && now.Add(margin).Before(g.expires)
}

// tokenDocument is the token of Identity API v3, "Password authentication with
// scoped authorization" and "Validate and show information for token".
type tokenDocument struct {
	Token struct {
		Methods   []string  `json:"methods"`
		ExpiresAt time.Time `json:"expires_at"`
		User      named     `json:"user"`
		Project   named     `json:"project"`
		Roles     []named   `json:"roles"`
		Catalog   catalog   `json:"catalog"`
		Trust     *named    `json:"OS-TRUST:trust"`
		AppCred   *struct {
			// Rules is null or not there where nothing is restricted.
			Rules []karbor.AccessRule `json:"access_rules"`
		} `json:"application_credential"`
		// AdminProject is not there in a cloud without an admin project.
		AdminProject *bool `json:"is_admin_project"`
	} `json:"token"`
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (d *tokenDocument) grant(token karbor.Secret) *grant {
	t := d.Token
	g := &grant{
		token: token, expires: t.ExpiresAt, catalog: t.Catalog,
		userID: t.User.ID, userName: t.User.Name,
		projectID: t.Project.ID, projectName: t.Project.Name,
		// Keystone refuses trusts to every token that is itself delegated, an
		// unrestricted application credential's included.
		delegated: t.Trust != nil || t.AppCred != nil,
		outside:   t.AdminProject != nil && !*t.AdminProject,
	}
	if t.AppCred != nil {
		g.rules = t.AppCred.Rules
	}
	for _, m := range t.Methods {
		g.delegated = g.delegated || m == "application_credential" || m == "oauth1"
	}
	for _, r := range t.Roles {
		g.roles = append(g.roles, r.Name)
	}
	return g
}

// auth is the body of a request for a token.
type auth map[string]any

// passwordUser is a user who has a password.
type passwordUser struct {
	ID, Name, Domain string
	Password         karbor.Secret
}

func (u passwordUser) auth(scope map[string]any) auth {
	user := map[string]any{"password": u.Password.Reveal()}
	if u.ID != "" {
		user["id"] = u.ID
	} else {
		user["name"] = u.Name
		user["domain"] = domainRef(u.Domain)
	}
	return withScope(map[string]any{
		"methods":  []string{"password"},
		"password": map[string]any{"user": user},
	}, scope)
}

func applicationCredentialAuth(id string, secret karbor.Secret) auth {
	return withScope(map[string]any{
		"methods":                []string{"application_credential"},
		"application_credential": map[string]any{"id": id, "secret": secret.Reveal()},
	}, nil)
}

func withScope(identity, scope map[string]any) auth {
	body := map[string]any{"identity": identity}
	if scope != nil {
		body["scope"] = scope
	}
	return auth{"auth": body}
}

func projectScope(name, id, domain string) map[string]any {
	if id != "" {
		return map[string]any{"project": map[string]any{"id": id}}
	}
	return map[string]any{"project": map[string]any{"name": name, "domain": domainRef(domain)}}
}

func trustScope(id string) map[string]any {
	return map[string]any{"OS-TRUST:trust": map[string]any{"id": id}}
}

var keystoneID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// domainRef names a domain by id if s looks like one, else by name. "default" is
// the id of the domain that every Keystone starts with.
func domainRef(s string) map[string]any {
	switch {
	case s == "" || s == "default":
		return map[string]any{"id": "default"}
	case keystoneID.MatchString(s):
		return map[string]any{"id": s}
	default:
		return map[string]any{"name": s}
	}
}

// call sends a request to Keystone with a token, or with none. Keystone's own
// text goes into no error, as it may repeat what was sent to it.
func (s *site) call(ctx context.Context, method, path string, token karbor.Secret, headers map[string]string, body, out any, ok ...int) (http.Header, error) {
	p := &gophercloud.ProviderClient{HTTPClient: http.Client{Transport: s.transport, CheckRedirect: noForeignRedirect}}
	h := map[string]string{}
	if token != "" {
		h[tokenHeader] = token.Reveal()
	}
	maps.Copy(h, headers)
	opts := &gophercloud.RequestOpts{JSONBody: body, JSONResponse: out, MoreHeaders: h, OkCodes: ok}
	resp, err := p.Request(ctx, method, s.url+path, opts)
	if err != nil {
		return nil, keystoneError(err)
	}
	return resp.Header, nil
}

// keystoneError says in our own words what Keystone answered.
func keystoneError(err error) error {
	var code gophercloud.ErrUnexpectedResponseCode
	if !errors.As(err, &code) {
		return explain(err, "asking Keystone")
	}
	cause := newFault(code)
	switch code.Actual {
	case http.StatusUnauthorized:
		return &karbor.Error{Kind: karbor.Unauthorized, Message: "Keystone does not accept the credentials", Cause: cause}
	case http.StatusForbidden:
		return &karbor.Error{Kind: karbor.Forbidden, Message: "Keystone does not allow it", Cause: cause}
	case http.StatusNotFound:
		return &karbor.Error{Kind: karbor.NotFound, Message: "Keystone does not know it", Cause: cause}
	case http.StatusBadRequest:
		return &karbor.Error{Kind: karbor.Invalid, Message: "Keystone does not understand the credentials", Cause: cause}
	case http.StatusConflict:
		return &karbor.Error{Kind: karbor.Conflict, Message: "Keystone has it already", Cause: cause}
	}
	passes := code.Actual >= 500 || code.Actual == http.StatusTooManyRequests
	return &karbor.Error{Kind: karbor.Unavailable, Message: "Keystone does not answer properly", Transient: passes, Cause: cause}
}

// issue gets a token.
func (s *site) issue(ctx context.Context, body auth) (*grant, error) {
	var doc tokenDocument
	// Two tokens for one request do no harm.
	header, err := s.call(replayable(ctx), http.MethodPost, "/auth/tokens", "", nil, body, &doc, http.StatusCreated)
	if err != nil {
		return nil, err
	}
	token := karbor.Secret(header.Get("X-Subject-Token"))
	if token == "" || doc.Token.User.ID == "" {
		return nil, karbor.Errorf(karbor.Unavailable, "Keystone's answer holds no token")
	}
	g := doc.grant(token)
	if g.projectID != "" && len(g.catalog) > 0 {
		s.catalogs.put(g.projectID, g.catalog, s.now().Add(catalogTTL))
	}
	return g, nil
}

// lookup asks what a token is, with another token that may ask so. With expired, a
// token that has ended is looked up too, for as long as Keystone knows it; then its
// catalogue comes with it, as it can't ask for that itself.
func (s *site) lookup(ctx context.Context, asking, subject karbor.Secret, expired bool) (*grant, error) {
	path := "/auth/tokens?nocatalog"
	if expired {
		path = "/auth/tokens?allow_expired=1"
	}
	headers := map[string]string{
		"X-Subject-Token": subject.Reveal(),
		// Without it, Keystone tells nothing of a token that is bound by rules.
		"OpenStack-Identity-Access-Rules": "1.0",
	}
	var doc tokenDocument
	if _, err := s.call(ctx, http.MethodGet, path, asking, headers, nil, &doc, http.StatusOK); err != nil {
		return nil, err
	}
	g := doc.grant(subject)
	if g.projectID != "" && len(g.catalog) > 0 {
		s.catalogs.put(g.projectID, g.catalog, s.now().Add(catalogTTL))
	}
	return g, nil
}

// isHeaderSafe reports whether a token can be sent in a header at all.
func isHeaderSafe(token karbor.Secret) bool {
	text := token.Reveal()
	return text != "" && len(text) <= 16<<10 && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
