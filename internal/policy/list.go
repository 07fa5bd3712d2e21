package policy

import (
	"fmt"
	"strings"

	"github.com/karbor/karbor"
)

// Grant is one rule, and whether a caller passes it.
type Grant struct {
	Rule    Rule
	Allowed bool
	// Text is the rule as it holds, and File says that it comes from the policy file.
	Text string
	File bool
}

// Grants gives every rule that guards operations, and whether the identity passes it
// for the target. isAdmin makes the caller an administrator, whatever context_is_admin
// says.
func (e *Enforcer) Grants(id *karbor.Identity, target Target, isAdmin bool) []Grant {
	s := e.set.Load()
	admin := open
	if isAdmin {
		admin = yes
	}
	var out []Grant
	for _, r := range Rules() {
		if r.Default == Base {
			continue
		}
		found := s.entries[r.Name]
		out = append(out, Grant{
			Rule: r, Text: found.text, File: found.file,
			Allowed: (isAdmin || len(id.Roles) > 0) && s.allows(r.Name, id, target, admin),
		})
	}
	return out
}

// Sample gives a policy file with every rule at its default, all of it as comments.
func Sample() string {
	var out strings.Builder
	out.WriteString(`# Rules of Karbor, with their defaults. To change one, copy its last line without the
# leading #. What is not in this file keeps its default. The language is oslo.policy's.
# A running karbord reads a changed file within seconds, or at once on SIGHUP;
# "karbord policy check" says what is wrong with a file.
`)
	for _, r := range Rules() {
		fmt.Fprintf(&out, "\n# %s\n", r.Description)
		if r.Legacy != "" {
			fmt.Fprintf(&out, "# Unless policy.enforce_new_defaults is set, this is enough too:\n#   %s\n", r.Legacy)
		}
		for _, o := range r.Operations {
			fmt.Fprintf(&out, "# %s /v1/{project_id}%s\n", o.Method, o.Path)
		}
		if r.Default != Base && len(r.Operations) == 0 {
			out.WriteString("# No operation of the API asks for it yet.\n")
		}
		fmt.Fprintf(&out, "# Scope: %s\n#%q: %q\n", r.Scope, r.Name, r.Check)
	}
	return out.String()
}
