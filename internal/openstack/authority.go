// Package openstack is the only way from Karbor to a cloud: it validates tokens,
// opens sessions in the name of a tenant, and gives typed clients for the
// services in a session's catalogue.
//
// A session acts with the rights of the user it was opened for, and with no
// others. A session whose token ends, and which has no delegation to go on with,
// fails; it never goes on as Karbor's service user.
//
// Every request has a time-out, is sent again when that is harmless and can help
// (a GET that met a broken connection, 429, 502, 503 or 504), and carries the
// global request id of its context. Errors of this package never hold a token, a
// password, or a body that was sent.
package openstack

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// Options says where Keystone is, and who Karbor is there.
type Options struct {
	// AuthURL is Keystone's address, with or without /v3 at its end. Required.
	AuthURL string
	// Username and Password are those of Karbor's own service user.
	Username string
	Password karbor.Secret
	// UserDomain and ProjectDomain are names of domains, or their ids (32
	// hexadecimal digits, or "default"). Empty stands for "default".
	UserDomain string
	// Project is the name of the service user's project.
	Project       string
	ProjectDomain string
	// Region narrows the endpoints of the catalogue; empty takes the first.
	Region string
	// Interface is "public" (the default), "internal" or "admin".
	Interface string
	// CACert holds more certificates to trust, as PEM. It is not used if HTTP is
	// given.
	CACert []byte
	// HTTP replaces the package's own HTTP client. Its Transport is used; its
	// time-out is not, as transfers may take as long as they move.
	HTTP *http.Client
	// Timeout is for one API request with its answer; 60 s if 0.
	Timeout time.Duration
	// IdleTimeout is how long a transfer may stand still; 60 s if 0.
	IdleTimeout time.Duration
	// Now tells the time. Required.
	Now func() time.Time
	// ServiceRoles are the roles of which a service token must have one; "service"
	// if there are none.
	ServiceRoles []string
	// Reach says where requests to other clouds may go; nil for nowhere.
	Reach *Reach
	// Resolver looks up the names of other clouds; nil for the system's.
	Resolver *net.Resolver
}

// Limits of what an Authority keeps in memory.
const (
	maxTokens      = 4096
	maxGrants      = 1024
	maxCatalogs    = 512
	maxDiscoveries = 256
)

// How long things are believed without asking again.
const (
	// A token that is revoked is refused at the latest after tokenTTL.
	tokenTTL     = 300 * time.Second
	refusalTTL   = 10 * time.Second
	catalogTTL   = 300 * time.Second
	discoveryTTL = time.Hour
	// A token this near to its end is renewed where it can be.
	tokenMargin = 30 * time.Second
)

// Authority knows Keystone, validates tokens, and opens sessions. All its methods
// may be called concurrently. Make one per process.
type Authority struct {
	site    *site
	user    passwordUser
	service *session
	tokens  *cache[fingerprint, validation]
	grants  *cache[fingerprint, *grants]
	flights flights[fingerprint, *karbor.Identity]
	// abroad is the way to other clouds; nil if there is none.
	abroad *transport
	// serviceRoles are those that make a token a service token.
	serviceRoles []string
}

// NewAuthority makes the authority of the cloud that o names. It does not contact
// Keystone. The error is karbor.Invalid for options that can't be used.
func NewAuthority(_ context.Context, o Options) (*Authority, error) {
	if o.Now == nil {
		return nil, karbor.Errorf(karbor.Invalid, "the clock of the OpenStack connection is missing")
	}
	if o.Username == "" || o.Project == "" {
		return nil, karbor.Errorf(karbor.Invalid, "the service user's name and project are needed")
	}
	t, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	s, err := newSite(o.AuthURL, t, o)
	if err != nil {
		return nil, err
	}
	user := passwordUser{Name: o.Username, Domain: o.UserDomain, Password: o.Password}
	a := &Authority{
		site: s, user: user,
		tokens: newCache[fingerprint, validation](maxTokens, o.Now),
		grants: newCache[fingerprint, *grants](maxGrants, o.Now),

		abroad:       t.abroad(o.Reach, o.Resolver),
		serviceRoles: slices.Clone(o.ServiceRoles),
	}
	if len(a.serviceRoles) == 0 {
		a.serviceRoles = []string{"service"}
	}
	scope := projectScope(o.Project, "", o.ProjectDomain)
	a.service = newSession(s, "", "", newGrants(nil, func(ctx context.Context) (*grant, error) {
		g, err := s.issue(ctx, user.auth(scope))
		if karbor.KindOf(err) == karbor.Unauthorized || karbor.KindOf(err) == karbor.Forbidden {
			return nil, &karbor.Error{Kind: karbor.Unavailable, Message: "Keystone refuses Karbor's own service user", Cause: err}
		}
		return g, err
	}))
	return a, nil
}

// AuthURL is Keystone's address, with /v3 at its end.
func (a *Authority) AuthURL() string { return a.site.url }

// Ping reports whether Keystone answers. It needs no token.
func (a *Authority) Ping(ctx context.Context) error {
	_, err := a.site.call(ctx, http.MethodGet, "", "", nil, nil, nil, http.StatusOK)
	return err
}

// Close ends the idle connections. Sessions can still be used; Authority owns no
// goroutine.
func (a *Authority) Close() {
	for _, t := range []*transport{a.site.transport, a.abroad} {
		if t != nil && t.own != nil {
			t.own.CloseIdleConnections()
		}
	}
}

// Service is the service user's own session. Its ProjectID and UserID are empty
// until it has made its first request.
func (a *Authority) Service() karbor.Cloud { return a.service }

// site is one cloud: a Keystone, how to reach it, and which of its endpoints to
// take.
type site struct {
	url       string
	transport *transport
	region    string
	iface     string
	now       func() time.Time
	catalogs  *cache[string, catalog]
	versions  *cache[string, versionRange]
}

func newSite(authURL string, t *transport, o Options) (*site, error) {
	address, err := keystoneURL(authURL)
	if err != nil {
		return nil, err
	}
	iface := o.Interface
	switch iface {
	case "":
		iface = "public"
	case "public", "internal", "admin":
	default:
		return nil, karbor.Errorf(karbor.Invalid, "the interface %q is none of public, internal and admin", iface)
	}
	return &site{
		url: address, transport: t, region: o.Region, iface: iface, now: o.Now,
		catalogs: newCache[string, catalog](maxCatalogs, o.Now),
		versions: newCache[string, versionRange](maxDiscoveries, o.Now),
	}, nil
}

// keystoneURL gives Keystone's address with /v3 at its end, and no slash.
func keystoneURL(s string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", karbor.Errorf(karbor.Invalid, "the address of Keystone is not an http or https URL")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", karbor.Errorf(karbor.Invalid, "the address of Keystone must have neither a user, a query nor a fragment")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.Path = strings.TrimSuffix(u.Path, "/v2.0")
	if !strings.HasSuffix(u.Path, "/v3") {
		u.Path += "/v3"
	}
	return u.String(), nil
}
