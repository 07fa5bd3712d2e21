package restores

import (
	"net/url"
	"strings"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/api"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice"
)

// request is what a body asks for.
type request struct {
	ProviderID   string            `json:"provider_id"`
	CheckpointID string            `json:"checkpoint_id"`
	Target       string            `json:"restore_target"`
	Auth         *auth             `json:"restore_auth"`
	Parameters   karbor.Parameters `json:"parameters"`
	// Keep is there from api.FiguresVersion on.
	Keep *bool `json:"keep_on_failure"`
	// These are there from api.ControlVersion on.
	DryRun     *bool                   `json:"dry_run"`
	Resources  []string                `json:"resources"`
	Dependents karbor.DependentsChoice `json:"dependents"`
	Mapping    map[string]any          `json:"mapping"`
	Stages     []karbor.RestoreStage   `json:"stages"`
	// InPlace is there from api.ProofVersion on.
	InPlace *bool   `json:"in_place"`
	Profile *string `json:"profile"`
}

// unknown is the error for a member that came with a later version.
func unknown(member string, asked, since api.Version) error {
	return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute restore.%s. This member is not known in version %s; it came with %s.",
		member, asked, since)
}

// check refuses what is not known in a version.
func (q *request) check(v api.Version) error {
	if q.Keep != nil && v < api.FiguresVersion {
		return unknown("keep_on_failure", v, api.FiguresVersion)
	}
	if q.InPlace != nil && v < api.ProofVersion {
		return unknown("in_place", v, api.ProofVersion)
	}
	if q.Profile != nil && v < api.ProofVersion {
		return unknown("profile", v, api.ProofVersion)
	}
	if v >= api.ControlVersion {
		return nil
	}
	for _, m := range []struct {
		name  string
		given bool
	}{
		{"dry_run", q.DryRun != nil}, {"resources", q.Resources != nil}, {"dependents", q.Dependents != ""}, {"mapping", q.Mapping != nil}, {"stages", q.Stages != nil},
	} {
		if m.given {
			return unknown(m.name, v, api.ControlVersion)
		}
	}
	return nil
}

// service gives the request as the service takes it.
func (q *request) service(v api.Version) (protectionservice.RestoreRequest, error) {
	out := protectionservice.RestoreRequest{
		ProviderID: strings.ToLower(q.ProviderID), CheckpointID: strings.ToLower(q.CheckpointID),
		Target: q.Target, Parameters: q.Parameters, KeepOnFailure: q.Keep != nil && *q.Keep,
		Choices: karbor.RestoreChoices{Resources: q.Resources, Dependents: q.Dependents, Mapping: q.Mapping, Stages: q.Stages, InPlace: q.InPlace != nil && *q.InPlace},
	}
	if q.Auth != nil {
		if err := q.Auth.check(v); err != nil {
			return out, err
		}
	}
	// Without a target it is the caller's own cloud, as the caller: what restore_auth
	// says is not needed, and goes no further.
	if q.Target == "" {
		return out, nil
	}
	if err := checkTarget(q.Target); err != nil {
		return out, err
	}
	if q.Auth == nil {
		return out, karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute restore.restore_auth. It is required with restore_target.")
	}
	out.Auth = q.Auth.login()
	return out, nil
}

// auth is restore_auth on the wire: who to be in the target.
type auth struct {
	Type              string `json:"type"`
	Username          string `json:"username"`
	UserID            string `json:"user_id"`
	Password          string `json:"password"`
	UserDomainName    string `json:"user_domain_name"`
	ProjectName       string `json:"project_name"`
	ProjectID         string `json:"project_id"`
	ProjectDomainName string `json:"project_domain_name"`
	RegionName        string `json:"region_name"`
	// ID and Secret are those of an application credential.
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// byCredential is the type of a login with an application credential.
const byCredential = "application_credential"

func (a *auth) check(v api.Version) error {
	fault := func(member, what string) error {
		return karbor.Errorf(karbor.Invalid, "Invalid input for field/attribute restore.restore_auth.%s. %s", member, what)
	}
	if a.Type == byCredential {
		switch {
		case v < api.ControlVersion:
			return fault("type", "This value is not known in version "+v.String()+"; it came with "+api.ControlVersion.String()+".")
		case a.ID == "":
			return fault("id", "It is required.")
		case a.Secret == "":
			return fault("secret", "It is required.")
		case a.Username != "" || a.UserID != "" || a.Password != "" || a.ProjectName != "" || a.ProjectID != "":
			return fault("type", "An application credential names its user and project itself.")
		}
		return nil
	}
	switch {
	case a.ID != "" || a.Secret != "":
		return fault("id", "It is for the type application_credential.")
	case a.Password == "":
		return fault("password", "It is required.")
	case (a.Username == "") == (a.UserID == ""):
		return fault("username", "One of username and user_id is required.")
	}
	return nil
}

func (a *auth) login() *openstack.PasswordAuth {
	return &openstack.PasswordAuth{
		Username: a.Username, UserID: a.UserID, Password: karbor.Secret(a.Password),
		UserDomain: a.UserDomainName, Project: a.ProjectName, ProjectID: a.ProjectID,
		ProjectDomain: a.ProjectDomainName, Region: a.RegionName,
		CredentialID: a.ID, CredentialSecret: karbor.Secret(a.Secret),
	}
}

// checkTarget refuses what can't be the address of a Keystone. A password in it is
// not repeated.
func checkTarget(target string) error {
	const where = "Invalid input for field/attribute restore.restore_target."
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return karbor.Errorf(karbor.Invalid, where+" It is not a URL.")
	case u.User != nil:
		return karbor.Errorf(karbor.Invalid, where+" Value: %q. It must not name a user: send restore_auth.", u.Redacted())
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return karbor.Errorf(karbor.Invalid, where+" Value: %q. It is not the http or https URL of a Keystone.", target)
	}
	return nil
}
