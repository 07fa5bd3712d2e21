package policy

import (
	"slices"
	"strings"
)

// Access is the persona that a rule is for by default. Each one has the rights of
// those before it.
type Access int

// The defaults of rules.
const (
	// Base is for rules that other rules lead to; each has a text of its own.
	Base Access = iota
	// Read is for readers in the target's project, and for administrators. Unless
	// the new defaults are enforced, every other role in the project will do too.
	Read
	// Write is for members in the target's project, and for administrators. Unless
	// the new defaults are enforced, every role in the project but reader will do
	// too, as the old service had it.
	Write
	// Manage is for managers in the target's project, and for administrators.
	Manage
	// AdminOnly is for administrators.
	AdminOnly
)

// Operation is a call of the API that a rule guards.
type Operation struct {
	// Method is GET, POST, PUT or DELETE.
	Method string
	// Path is what follows /v1/{project_id}.
	Path string
}

// Rule is one rule, as it is without a policy file.
type Rule struct {
	Name        string
	Description string
	Default     Access
	// Check is the rule in oslo.policy's language.
	Check string
	// Legacy allows what Check does not, unless the new defaults are enforced or the
	// policy file has the rule. "" allows nothing.
	Legacy string
	// Operations are the calls that the rule guards. A rule that other rules lead to
	// has none.
	Operations []Operation
	// Scope is the scope that a token must have: always project, as every path has
	// a project in it.
	Scope string
	// Former are names that a policy file may use instead of Name.
	Former []string
}

// The names of the rules that other rules lead to.
const (
	contextIsAdmin   = "context_is_admin"
	contextIsService = "context_is_service"
	adminAPI         = "admin_api"
	adminOrOwner     = "admin_or_owner"
	readerOrAdmin    = "project_reader_or_admin"
	memberOrAdmin    = "project_member_or_admin"
	managerOrAdmin   = "project_manager_or_admin"
	owner            = "project_id:%(project_id)s"
)

// tenants is what the name of a list's rule has more where the list is of all
// projects.
const tenants = "_tenants"

// checkString gives the check of a rule that is for a persona.
func (a Access) checkString() string {
	switch a {
	case Read:
		return "rule:" + readerOrAdmin
	case Write:
		return "rule:" + memberOrAdmin
	case Manage:
		return "rule:" + managerOrAdmin
	case AdminOnly:
		return "rule:" + adminAPI
	case Base:
	}
	return "!"
}

// bases gives the rules that the others lead to: the personas.
func bases() []Rule {
	return []Rule{
		{
			Name: contextIsAdmin, Check: "role:admin and is_admin_project:True",
			Description: "Who is an administrator: is_admin is True for them. They reach the things of all projects.",
		},
		{
			Name: contextIsService, Check: "role:service or service_roles:service",
			Description: "Which caller is another service of the cloud. No default leads here; it is for rules of your own.",
		},
		{
			Name: adminAPI, Check: "is_admin:True",
			Description: "Administrators.",
		},
		{
			Name: adminOrOwner, Check: "is_admin:True or " + owner,
			Description: "Administrators, and everybody with a role in the project.",
		},
		{
			Name: readerOrAdmin, Check: "is_admin:True or " + owner + " and (role:reader or role:member or role:manager)",
			Legacy:      "rule:" + adminOrOwner,
			Description: "Who lists and shows.",
		},
		{
			Name: memberOrAdmin, Check: "is_admin:True or " + owner + " and (role:member or role:manager)",
			Legacy:      owner + " and not role:reader",
			Description: "Who creates, changes and deletes.",
		},
		{
			Name: managerOrAdmin, Check: "is_admin:True or " + owner + " and role:manager",
			Description: "Who forces, holds, and overrides retention.",
		},
	}
}

// Rules gives all rules with their defaults, in the order in which an operator reads
// them: first those that others lead to.
func Rules() []Rule {
	out := bases()
	for _, r := range defaults() {
		out = append(out, r)
		if strings.HasSuffix(r.Name, "get_all") && r.Default == Read && listsThings(r.Name) {
			out = append(out, r.allTenants())
		}
	}
	for i := range out {
		out[i].Scope = "project"
	}
	return out
}

// listsThings is false for the lists of what belongs to no project.
func listsThings(name string) bool {
	return !slices.Contains([]string{"provider:get_all", "protectable:get_all", "protectable:instance_get_all"}, name)
}

// allTenants gives the rule of the same list with the things of all projects.
func (r Rule) allTenants() Rule {
	out := newRule(r.Name+tenants, strings.TrimSuffix(r.Description, ".")+" of all projects.", AdminOnly)
	for _, o := range r.Operations {
		out.Operations = append(out.Operations, Operation{o.Method, o.Path + "?all_tenants=1"})
	}
	return out
}

// newRule makes a rule for a persona; operations are written "METHOD /path".
func newRule(name, description string, access Access, operations ...string) Rule {
	r := Rule{Name: name, Description: description, Default: access, Check: access.checkString()}
	for _, o := range operations {
		method, path, _ := strings.Cut(o, " ")
		r.Operations = append(r.Operations, Operation{method, path})
	}
	return r
}

// formerly gives the rule with names that it had once.
func (r Rule) formerly(names ...string) Rule {
	r.Former = names
	return r
}
