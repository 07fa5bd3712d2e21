// Package policy says who may do what: each rule has a name, such as
// plan:create, and a default in code. A reader lists and shows, every other role
// in a project writes too, and an administrator crosses projects.
package policy

import (
	"context"
	"slices"

	"github.com/karbor/karbor"
)

// The roles that rules know.
const (
	Admin   = "admin"
	Manager = "manager"
	Member  = "member"
	Reader  = "reader"
)

// Access is what a rule asks for by default.
type Access int

// The defaults of rules.
const (
	// Read is for every role in the target's project, and for administrators.
	Read Access = iota
	// Write is Read without those who are readers and nothing more. A user with a
	// role in the project that is none of ours writes too, as the old service had it.
	Write
	// AdminOnly is for administrators.
	AdminOnly
)

// Rule is one rule.
type Rule struct {
	Name        string
	Description string
	Default     Access
}

// Target is what a request is about.
type Target struct {
	// ProjectID is the project that the thing lies in.
	ProjectID string
}

// Enforcer decides by the rules. It is safe for concurrent use.
type Enforcer struct {
	rules map[string]Rule
}

// New makes an enforcer of the default rules.
func New() *Enforcer {
	e := &Enforcer{rules: map[string]Rule{}}
	for _, r := range Rules() {
		e.rules[r.Name] = r
	}
	return e
}

// Known reports whether there is a rule of that name.
func (e *Enforcer) Known(rule string) bool {
	_, ok := e.rules[rule]
	return ok
}

// Allowed reports whether the rule lets the identity act on the target. An
// unknown rule lets nobody.
func (e *Enforcer) Allowed(rule string, id *karbor.Identity, target Target) bool {
	r, ok := e.rules[rule]
	switch {
	case !ok || id == nil || len(id.Roles) == 0:
		return false
	case IsAdmin(id):
		return true
	case id.ProjectID == "" || id.ProjectID != target.ProjectID:
		return false
	case r.Default == Read:
		return true
	case r.Default == Write:
		return !onlyReads(id)
	default:
		return false
	}
}

// Check is Allowed with an error: karbor.Forbidden, which names the rule.
func (e *Enforcer) Check(_ context.Context, rule string, id *karbor.Identity, target Target) error {
	if e.Allowed(rule, id, target) {
		return nil
	}
	return karbor.Errorf(karbor.Forbidden, "Policy doesn't allow %s to be performed with the roles of this token.", rule)
}

// IsAdmin reports whether the identity crosses projects.
func IsAdmin(id *karbor.Identity) bool { return id != nil && id.HasRole(Admin) }

// onlyReads is for one whose only role that we know is reader: Keystone's
// implied roles give a member that role, too.
func onlyReads(id *karbor.Identity) bool {
	return id.HasRole(Reader) && !slices.ContainsFunc(id.Roles, func(role string) bool {
		return role == Member || role == Manager || role == Admin
	})
}
