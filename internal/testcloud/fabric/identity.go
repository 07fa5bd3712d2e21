package fabric

import (
	"slices"
	"time"
)

// Identity is who a token stands for.
type Identity struct {
	UserID      string
	UserName    string
	ProjectID   string // empty for an unscoped token
	ProjectName string
	Roles       []string // names
	TrustID     string   // the trust that the token was made with, or empty
	// AppCredentialID is the application credential that the token was made
	// with, or empty. Unrestricted says that it may make others.
	AppCredentialID string
	Unrestricted    bool
	ExpiresAt       time.Time
}

// Has tells whether the identity has a role of that name.
func (i Identity) Has(role string) bool { return slices.Contains(i.Roles, role) }

// Admin tells whether the identity has the role admin.
func (i Identity) Admin() bool { return i.Has("admin") }

// Writer tells whether the identity may change a project's things: a reader
// may not.
func (i Identity) Writer() bool { return i.Has("member") || i.Has("admin") || i.Has("service") }

// Sees tells whether things of the project are visible to the identity.
func (i Identity) Sees(projectID string) bool { return i.ProjectID == projectID || i.Admin() }

// Authenticator tells who a token stands for. It gives false for a token that
// is unknown, expired or revoked.
type Authenticator interface {
	Authenticate(token string) (Identity, bool)
}

// Forbidder is an Authenticator that tells which of the tokens that it does not know Keystone
// forbids to look up: those of trusts that are of no use at present. The services can't tell that from
// a Keystone that is away.
type Forbidder interface {
	Forbids(token string) bool
}
