package keystone

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/karbor/karbor"
)

// ServiceType is Karbor's type in the catalogue.
const ServiceType = "data-protect"

// Session gives the tokens of one login. It is safe for concurrent use.
type Session struct {
	credentials Credentials
	options     gophercloud.AuthOptions
	http        http.Client

	mu       sync.Mutex
	provider *gophercloud.ProviderClient
}

// Login gets the first token. A refusal is an Unauthorized error, as is an answer of more than 16 MiB; an answer
// that does not come is a transient Unavailable one.
func Login(ctx context.Context, c Credentials, client *http.Client) (*Session, error) {
	o, err := c.authOptions()
	if err != nil {
		return nil, err
	}
	s := &Session{credentials: c, options: o, http: *client}
	if s.http.Transport == nil {
		s.http.Transport = http.DefaultTransport
	}
	s.http.Transport = bounded{s.http.Transport}
	if err := s.login(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// login replaces the provider by one with a new token; s.mu is held, or nobody
// else has s yet.
func (s *Session) login(ctx context.Context) error {
	provider, err := openstack.NewClient(s.options.IdentityEndpoint)
	if err != nil {
		return karbor.Errorf(karbor.Invalid, "Keystone's URL %q is no use: %w", s.options.IdentityEndpoint, err)
	}
	provider.HTTPClient = s.http
	if err := openstack.Authenticate(ctx, provider, s.options); err != nil {
		return s.explain(err)
	}
	s.provider = provider
	return nil
}

func (s *Session) explain(err error) error {
	host := s.options.IdentityEndpoint
	if u, parseErr := url.Parse(host); parseErr == nil {
		host = u.Host
	}
	status := 0
	var code gophercloud.ErrUnexpectedResponseCode
	var netErr net.Error
	switch {
	case errors.As(err, &code):
		status = code.Actual
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &netErr), errors.Is(err, context.DeadlineExceeded):
		return karbor.Transientf("Keystone at %s can't be reached: %w", host, err)
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return karbor.Errorf(karbor.Unauthorized, "Keystone at %s refuses the login of %s", host, s.credentials)
	case status == http.StatusNotFound:
		return karbor.Errorf(karbor.Unauthorized, "there is no Keystone v3 at %s", s.options.IdentityEndpoint)
	case status >= 500:
		return karbor.Transientf("Keystone at %s answered %d", host, status)
	}
	return karbor.Errorf(karbor.Unauthorized, "logging in at %s: %w", host, err)
}

// Token gives the token of the last login.
func (s *Session) Token(context.Context) (karbor.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return karbor.Secret(s.provider.Token()), nil
}

// Renew logs in again, unless somebody did so since refused was given out.
func (s *Session) Renew(ctx context.Context, refused karbor.Secret) (karbor.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token := karbor.Secret(s.provider.Token()); token != refused {
		return token, nil
	}
	if err := s.login(ctx); err != nil {
		return "", err
	}
	return karbor.Secret(s.provider.Token()), nil
}

// ProjectID gives the id of the project that the token is for.
func (s *Session) ProjectID() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, ok := s.provider.GetAuthResult().(tokens.CreateResult)
	if !ok {
		return "", karbor.Errorf(karbor.Unauthorized, "the login is not one of Keystone v3")
	}
	project, err := result.ExtractProject()
	if err != nil {
		return "", karbor.Errorf(karbor.Unauthorized, "reading Keystone's answer: %w", err)
	}
	if project == nil || project.ID == "" {
		return "", karbor.Errorf(karbor.Unauthorized, "the token is for no project: set OS_PROJECT_NAME or OS_PROJECT_ID")
	}
	return project.ID, nil
}

// ProjectName gives the name of the project that the token is for; "" where Keystone does
// not tell it.
func (s *Session) ProjectName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, ok := s.provider.GetAuthResult().(tokens.CreateResult)
	if !ok {
		return ""
	}
	project, err := result.ExtractProject()
	if err != nil || project == nil {
		return "" // ProjectID says what is wrong
	}
	return project.Name
}

// Endpoint gives the service's URL with version and project: the override of
// the credentials, or what the catalogue has. An override without a path gets
// "/v1/PROJECT" added; so does one that ends in "/v1".
func (s *Session) Endpoint() (string, error) {
	project, err := s.ProjectID()
	if err != nil {
		return "", err
	}
	if s.credentials.EndpointOverride != "" {
		return complete(s.credentials.EndpointOverride, project), nil
	}
	availability := gophercloud.Availability(s.credentials.Interface)
	if availability == "" {
		availability = gophercloud.AvailabilityPublic
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	endpoint, err := s.provider.EndpointLocator(gophercloud.EndpointOpts{
		Type: ServiceType, Region: s.credentials.Region, Availability: availability})
	if err != nil {
		return "", karbor.Errorf(karbor.Unavailable,
			"the catalogue of this cloud has no %s service for you; set OS_ENDPOINT_OVERRIDE if you know its URL", ServiceType)
	}
	return complete(endpoint, project), nil
}

func complete(endpoint, project string) string {
	endpoint = strings.TrimRight(endpoint, "/")
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint
	}
	switch {
	case u.Path == "":
		return endpoint + "/v1/" + project
	case strings.HasSuffix(u.Path, "/v1"):
		return endpoint + "/" + project
	}
	return endpoint
}
