package protectionservice

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/protection"
)

// authorization is what lets an operation go on as the tenant when the request is
// long over. It is stored sealed, and erased when the operation ends.
type authorization struct {
	// Delegation is for the tenant's own cloud.
	Delegation json.RawMessage `json:"delegation,omitempty"`
	// Lent says that the delegation is a scheduled operation's, and stays.
	Lent bool `json:"lent,omitempty"`
	// Target is for a restore into another cloud.
	Target *targetDocument `json:"target,omitempty"`
}

// targetDocument is target as it is sealed: it holds the password in clear.
type targetDocument struct {
	URL           string `json:"url"`
	Username      string `json:"username,omitempty"`
	UserID        string `json:"user_id,omitempty"`
	Password      string `json:"password"`
	UserDomain    string `json:"user_domain,omitempty"`
	Project       string `json:"project,omitempty"`
	ProjectID     string `json:"project_id,omitempty"`
	ProjectDomain string `json:"project_domain,omitempty"`
	Region        string `json:"region,omitempty"`
	// Of an application credential.
	CredentialID     string `json:"credential_id,omitempty"`
	CredentialSecret string `json:"credential_secret,omitempty"`
}

func (t target) document() *targetDocument {
	a := t.auth
	return &targetDocument{
		URL: t.url, Username: a.Username, UserID: a.UserID, Password: a.Password.Reveal(), UserDomain: a.UserDomain,
		Project: a.Project, ProjectID: a.ProjectID, ProjectDomain: a.ProjectDomain, Region: a.Region,
		CredentialID: a.CredentialID, CredentialSecret: a.CredentialSecret.Reveal(),
	}
}

func (d *targetDocument) auth() openstack.PasswordAuth {
	return openstack.PasswordAuth{
		Username: d.Username, UserID: d.UserID, Password: karbor.Secret(d.Password), UserDomain: d.UserDomain,
		Project: d.Project, ProjectID: d.ProjectID, ProjectDomain: d.ProjectDomain, Region: d.Region,
		CredentialID: d.CredentialID, CredentialSecret: karbor.Secret(d.CredentialSecret),
	}
}

// needsCloud reports whether any hook of the operation will run that needs the cloud.
func needsCloud(g *karbor.Graph, hooks func(karbor.ResourceType) protection.Hooks) bool {
	for _, n := range g.Nodes() {
		h := hooks(n.Type)
		if h.Offline {
			continue
		}
		for p := range phases {
			if hookOf(h, p) != nil {
				return true
			}
		}
	}
	return false
}

// authorize gets what op needs to act as the caller, and seals it into op. An
// operation none of whose hooks does anything needs nothing.
func (s *Service) authorize(ctx context.Context, c Caller, op *store.Operation, hooks func(karbor.ResourceType) protection.Hooks, to *target) (*openstack.Delegation, error) {
	if !needsCloud(op.Graph, hooks) {
		return nil, nil
	}
	if c.crosses() {
		return nil, karbor.Errorf(karbor.Forbidden, "this needs the cloud of the project itself, which only its own people can give")
	}
	var auth authorization
	var granted *openstack.Delegation
	switch {
	case to != nil:
		auth.Target = to.document()
	case c.lent != nil:
		auth.Delegation, auth.Lent = c.lent.Encode(), true
		s.keepSession(op.ID, c.Cloud)
	default:
		d, err := s.delegate(ctx, c.Identity)
		if err != nil {
			return nil, err
		}
		granted = &d
		auth.Delegation = d.Encode()
		s.keepSession(op.ID, s.authority.Prefer(d, c.Identity))
	}
	text, err := json.Marshal(auth)
	if err != nil {
		return nil, fmt.Errorf("encoding the authorization: %w", err)
	}
	op.Delegation = s.seal.seal(op.ID, text)
	return granted, nil
}

// withdraw takes back what authorize got, for an operation that is not accepted.
func (s *Service) withdraw(ctx context.Context, operation string, d *openstack.Delegation) {
	s.drop(operation)
	if d != nil {
		s.revoke(ctx, *d)
	}
}

const revokeTimeout = 10 * time.Second

// revoke gives a delegation back. It ends by itself, so failing is no harm.
func (s *Service) revoke(ctx context.Context, d openstack.Delegation) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if err := s.authority.Revoke(ctx, d); err != nil {
		s.log.WarnContext(ctx, "a delegation could not be revoked; it ends by itself", "expires", d.ExpiresAt, "error", err)
	}
}

// keepSession keeps the session of an operation in memory. A process that only accepts
// operations never hears of their ends, and has no use for it. Others may carry an
// operation out that was accepted here: when there are more than maxRunning, all are
// forgotten, and made again from what is sealed.
func (s *Service) keepSession(operation string, cloud karbor.Cloud) {
	if s.front {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) >= maxRunning {
		clear(s.sessions)
	}
	s.sessions[operation] = cloud
}

// session gives the session that op acts through: the one from its request while
// this process lives, else one from what is sealed in op.
func (s *Service) session(ctx context.Context, op store.Operation) (karbor.Cloud, error) {
	s.mu.Lock()
	cloud := s.sessions[op.ID]
	s.mu.Unlock()
	if cloud != nil || op.Delegation == nil {
		return cloud, nil
	}
	auth, err := s.authorization(op)
	if err != nil {
		return nil, err
	}
	switch {
	case auth.Target != nil:
		cloud, err = s.authority.Password(ctx, auth.Target.URL, auth.Target.auth())
	default:
		var d openstack.Delegation
		if d, err = openstack.DecodeDelegation(auth.Delegation); err == nil {
			cloud, err = s.authority.Resume(ctx, d)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("logging in for operation %s: %w", op.ID, err)
	}
	s.keepSession(op.ID, cloud)
	return cloud, nil
}

func (s *Service) authorization(op store.Operation) (authorization, error) {
	var auth authorization
	text, err := s.seal.open(op.ID, op.Delegation)
	if err != nil {
		return auth, err
	}
	if err := json.Unmarshal(text, &auth); err != nil {
		return auth, fmt.Errorf("reading the authorization of operation %s: %w", op.ID, err)
	}
	return auth, nil
}
