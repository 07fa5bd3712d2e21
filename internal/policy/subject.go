package policy

import (
	"github.com/karbor/karbor"
)

// subject is the caller, as rules see it.
type subject struct {
	identity *karbor.Identity
	// rules has context_is_admin, by which is_admin is decided when a check asks.
	rules *set
	admin verdict
}

// verdict is a decision that may not have been made yet.
type verdict uint8

const (
	open verdict = iota
	yes
	no
)

// attribute implements attributes: what may stand before the colon of a check.
func (s *subject) attribute(name string) (any, bool) {
	switch name {
	case "roles":
		return s.identity.Roles, true
	case "service_roles":
		if s.identity.FromService {
			return []string{"service"}, true
		}
		return []string(nil), true
	}
	return s.word(name)
}

// word is attribute for what is a text or a truth, written as Python writes it.
func (s *subject) word(name string) (string, bool) {
	id := s.identity
	switch name {
	case "project_id", "tenant_id", "tenant":
		return id.ProjectID, id.ProjectID != ""
	case "user_id", "user":
		return id.UserID, id.UserID != ""
	case "project_name":
		return id.ProjectName, id.ProjectName != ""
	case "user_name":
		return id.UserName, id.UserName != ""
	case "is_admin":
		return truth(s.isAdmin()), true
	case "is_admin_project":
		return truth(!id.OutsideAdminProject), true
	}
	return "", false
}

// credentialNames are the attributes of a caller.
func credentialNames() []string {
	return []string{
		"roles", "project_id", "tenant_id", "tenant", "user_id", "user", "project_name", "user_name",
		"is_admin", "is_admin_project", "service_roles",
	}
}

// isAdmin asks context_is_admin, once. While that is being asked it is false.
func (s *subject) isAdmin() bool {
	if s.admin == open {
		s.admin = no
		if s.rules.admin != nil && ask(s.rules.admin.check, s, &Target{ProjectID: s.identity.ProjectID}) {
			s.admin = yes
		}
	}
	return s.admin == yes
}
