// Package keystone logs a user of the client in: it reads the settings that
// every OpenStack client reads (OS_* variables and clouds.yaml), gets tokens
// from Keystone and finds Karbor's endpoint in the catalogue.
package keystone

import (
	"fmt"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

// Credentials say who logs in, where, and into which project.
type Credentials struct {
	AuthURL                     string
	Username                    string
	UserID                      string
	Password                    karbor.Secret
	UserDomainName              string
	UserDomainID                string
	ProjectName                 string
	ProjectID                   string
	ProjectDomainName           string
	ProjectDomainID             string
	Token                       karbor.Secret
	TrustID                     string
	ApplicationCredentialID     string
	ApplicationCredentialName   string
	ApplicationCredentialSecret karbor.Secret
	Region                      string
	// Interface is public, internal or admin; public if empty.
	Interface string
	// CACert is the path of a file with the certificates to trust.
	CACert string
	// Insecure switches the check of certificates off.
	Insecure bool
	// EndpointOverride is used in place of the catalogue's endpoint.
	EndpointOverride string
}

// setting is one field, with its name in clouds.yaml. Its flag is "--os-" and
// its variable "OS_" before that name.
type setting struct {
	name  string
	help  string
	field func(*Credentials) *string
}

// settings lists the fields that are texts.
func settings() []setting {
	secret := func(s *karbor.Secret) *string { return (*string)(s) }
	return []setting{
		{"auth-url", "Keystone's URL", func(c *Credentials) *string { return &c.AuthURL }},
		{"username", "user name", func(c *Credentials) *string { return &c.Username }},
		{"user-id", "user id", func(c *Credentials) *string { return &c.UserID }},
		{"password", "password", func(c *Credentials) *string { return secret(&c.Password) }},
		{"user-domain-name", "domain of the user, by name", func(c *Credentials) *string { return &c.UserDomainName }},
		{"user-domain-id", "domain of the user, by id", func(c *Credentials) *string { return &c.UserDomainID }},
		{"project-name", "project, by name", func(c *Credentials) *string { return &c.ProjectName }},
		{"project-id", "project, by id", func(c *Credentials) *string { return &c.ProjectID }},
		{"project-domain-name", "domain of the project, by name", func(c *Credentials) *string { return &c.ProjectDomainName }},
		{"project-domain-id", "domain of the project, by id", func(c *Credentials) *string { return &c.ProjectDomainID }},
		{"token", "token to log in with", func(c *Credentials) *string { return secret(&c.Token) }},
		{"trust-id", "trust to log in through", func(c *Credentials) *string { return &c.TrustID }},
		{"application-credential-id", "application credential, by id", func(c *Credentials) *string { return &c.ApplicationCredentialID }},
		{"application-credential-name", "application credential, by name", func(c *Credentials) *string { return &c.ApplicationCredentialName }},
		{"application-credential-secret", "secret of the application credential", func(c *Credentials) *string { return secret(&c.ApplicationCredentialSecret) }},
		{"region-name", "region", func(c *Credentials) *string { return &c.Region }},
		{"interface", "public, internal or admin", func(c *Credentials) *string { return &c.Interface }},
		{"cacert", "file with the certificates to trust", func(c *Credentials) *string { return &c.CACert }},
		{"endpoint-override", "URL of the data-protect service in place of the catalogue's", func(c *Credentials) *string { return &c.EndpointOverride }},
	}
}

// Flags calls add for each setting that has a flag, with the flag's name
// (without dashes), its help and where its value goes.
func (c *Credentials) Flags(add func(into *string, name, help string)) {
	for _, s := range settings() {
		add(s.field(c), "os-"+s.name, s.help)
	}
}

// aliases are further names of variables, the first that is set counts.
var aliases = map[string][]string{
	"project-name":      {"OS_TENANT_NAME"},
	"project-id":        {"OS_TENANT_ID"},
	"interface":         {"OS_ENDPOINT_TYPE"},
	"endpoint-override": {"OS_DATA_PROTECT_ENDPOINT_OVERRIDE"},
}

// FromEnvironment reads the OS_* variables.
func FromEnvironment(env func(string) string) Credentials {
	var c Credentials
	for _, s := range settings() {
		names := append([]string{"OS_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))}, aliases[s.name]...)
		for _, name := range names {
			if v := env(name); v != "" {
				*s.field(&c) = v
				break
			}
		}
	}
	c.Insecure = isTrue(env("OS_INSECURE"))
	return c
}

func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}

// Or gives c with what it leaves empty filled in from other.
func (c Credentials) Or(other Credentials) Credentials {
	for _, s := range settings() {
		if field := s.field(&c); *field == "" {
			*field = *s.field(&other)
		}
	}
	c.Insecure = c.Insecure || other.Insecure
	return c
}

// authOptions checks the credentials and gives them as gophercloud wants them.
func (c Credentials) authOptions() (gophercloud.AuthOptions, error) {
	o := gophercloud.AuthOptions{IdentityEndpoint: c.AuthURL}
	scope := &gophercloud.AuthScope{ProjectID: c.ProjectID}
	if c.ProjectID == "" {
		scope.ProjectName, scope.DomainID, scope.DomainName = c.ProjectName, c.ProjectDomainID, c.ProjectDomainName
		if scope.DomainID == "" && scope.DomainName == "" {
			scope.DomainID = "default"
		}
	}
	switch {
	case c.AuthURL == "":
		return o, missing("auth-url")
	case c.ApplicationCredentialSecret != "":
		// An application credential is for one project, so it takes no scope.
		o.ApplicationCredentialID, o.ApplicationCredentialName = c.ApplicationCredentialID, c.ApplicationCredentialName
		o.ApplicationCredentialSecret = c.ApplicationCredentialSecret.Reveal()
		if o.ApplicationCredentialID == "" {
			c.setUser(&o)
		}
		return o, nil
	case c.Token != "":
		o.TokenID = c.Token.Reveal()
	case c.Username == "" && c.UserID == "":
		return o, missing("username")
	case c.Password == "":
		return o, missing("password")
	default:
		o.Password = c.Password.Reveal()
		c.setUser(&o)
	}
	if c.TrustID != "" {
		o.Scope = &gophercloud.AuthScope{TrustID: c.TrustID}
		return o, nil
	}
	if c.ProjectID == "" && c.ProjectName == "" {
		return o, missing("project-name")
	}
	o.Scope = scope
	return o, nil
}

func (c Credentials) setUser(o *gophercloud.AuthOptions) {
	if o.UserID = c.UserID; c.UserID != "" {
		return
	}
	o.Username, o.DomainID, o.DomainName = c.Username, c.UserDomainID, c.UserDomainName
	if o.DomainID != "" {
		o.DomainName = ""
	} else if o.DomainName == "" {
		o.DomainID = "default"
	}
}

func missing(name string) error {
	return karbor.Errorf(karbor.Unauthorized, "no login: set %s, --os-%s or a cloud of clouds.yaml (--os-cloud)",
		"OS_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), name)
}

// String never shows a secret.
func (c Credentials) String() string {
	return fmt.Sprintf("%s%s at %s", c.Username, c.UserID, c.AuthURL)
}
