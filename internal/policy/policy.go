// Package policy says who may do what. Each operation of the API has a rule, such as
// plan:create, with a default in code; a policy file overrides rules in oslo.policy's
// language (https://docs.openstack.org/oslo.policy/latest/), and is read again while
// the service runs. docs/operators/policy.md is the operators' page.
package policy

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/karbor/karbor"
)

// Target is what a request is about.
type Target struct {
	// ProjectID is the project that the thing lies in.
	ProjectID string
	// UserID is the user that the thing is of, or "" where it is the whole project's.
	UserID string
}

// Elsewhere is a thing of a project that the caller has no token for: who passes
// a rule for it reaches the things of all projects.
func Elsewhere() Target { return Target{ProjectID: "(another project)"} }

// attribute implements attributes: what stands between %( and )s.
func (t *Target) attribute(name string) (any, bool) { return t.word(name) }

// word is attribute for who knows that it is a text.
func (t *Target) word(name string) (string, bool) {
	switch name {
	case "project_id", "tenant_id", "target.project_id", "target.project.id":
		return t.ProjectID, true
	case "user_id", "target.user_id", "target.user.id":
		return t.UserID, t.UserID != ""
	}
	return "", false
}

// targetNames are the attributes of a target.
func targetNames() []string {
	return []string{"project_id", "tenant_id", "target.project_id", "target.project.id", "user_id", "target.user_id", "target.user.id"}
}

// Options are what an Enforcer is made of. The zero value gives the default rules.
type Options struct {
	// Files are where a policy file may lie; the first that exists is read. None is
	// no file.
	Files []string
	// Required says that one of Files must exist.
	Required bool
	// EnforceNewDefaults ends what the old service allowed: that a role which is
	// none of Karbor's reads and writes in its project.
	EnforceNewDefaults bool
	// Interval is how often Run looks whether the file has changed. 0 is
	// DefaultInterval.
	Interval time.Duration
	// Logger gets a line when rules change, and for what is wrong with them. It is
	// required where Files are given.
	Logger *slog.Logger
}

// DefaultInterval is how often a policy file is looked at.
const DefaultInterval = 10 * time.Second

// Enforcer decides by the rules. It is safe for concurrent use: a decision is made
// by one set of rules, while another may take its place.
type Enforcer struct {
	options Options
	known   map[string]bool
	set     atomic.Pointer[set]

	// mu is held while a file is read; seen is the file of the rules that hold or
	// that were refused last.
	mu   sync.Mutex
	seen fileState
}

// New makes an enforcer of the default rules.
func New() *Enforcer { return newEnforcer(Options{}) }

// Open makes an enforcer, and reads the policy file. The error says at which line the
// file is wrong, and how.
func Open(o Options) (*Enforcer, error) {
	e := newEnforcer(o)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e, e.load(o.Required)
}

func newEnforcer(o Options) *Enforcer {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	e := &Enforcer{options: o, known: map[string]bool{}}
	for _, r := range Rules() {
		e.known[r.Name] = r.Default != Base
	}
	// A test makes sure that the defaults compile.
	s, _ := compile(nil, o.EnforceNewDefaults)
	e.set.Store(s)
	return e
}

// Known reports whether there is a rule of that name which guards operations.
func (e *Enforcer) Known(rule string) bool { return e.known[rule] }

// Allowed reports whether the rule lets the identity act on the target. An unknown
// rule lets nobody, and no rule lets a token without roles.
func (e *Enforcer) Allowed(rule string, id *karbor.Identity, target Target) bool {
	if !e.known[rule] || id == nil || len(id.Roles) == 0 {
		return false
	}
	return e.set.Load().allows(rule, id, target, open)
}

// Check is Allowed with an error: karbor.Forbidden, which names the rule.
func (e *Enforcer) Check(_ context.Context, rule string, id *karbor.Identity, target Target) error {
	if e.Allowed(rule, id, target) {
		return nil
	}
	return karbor.Errorf(karbor.Forbidden, "Policy doesn't allow %s to be performed with the roles of this token.", rule)
}

// Crosses reports whether the rule lets the identity act on the things of every
// project.
func (e *Enforcer) Crosses(rule string, id *karbor.Identity) bool {
	return e.Allowed(rule, id, Elsewhere())
}

// ListsAll reports whether the identity may see the things of all projects in the
// list that the rule guards: the rule of the same name with _tenants says so.
func (e *Enforcer) ListsAll(rule string, id *karbor.Identity) bool {
	return e.Allowed(rule+tenants, id, Elsewhere())
}

// allows makes a decision by this set. admin may say beforehand what is_admin is.
func (s *set) allows(rule string, id *karbor.Identity, target Target, admin verdict) bool {
	found := s.entries[rule]
	if found == nil {
		return false
	}
	// One piece of memory for all that a decision needs.
	d := struct {
		question
		subject
		target Target
	}{subject: subject{identity: id, rules: s, admin: admin}, target: target}
	d.credentials, d.question.target = &d.subject, &d.target
	return d.ask(found.check)
}

// compile makes a set of the defaults and the rules of a file.
func compile(file []*entry, newDefaults bool) (*set, error) {
	s := &set{entries: map[string]*entry{}}
	for _, e := range file {
		s.entries[e.name] = e
	}
	for _, r := range Rules() {
		if s.entries[r.Name] != nil {
			continue
		}
		if e := s.former(r); e != nil {
			// The former name stays too: other rules of the file may lead to it.
			s.entries[r.Name] = &entry{name: r.Name, check: e.check, text: e.text, file: true, line: e.line}
			continue
		}
		c, err := parseRule(r.Check)
		if err != nil {
			return nil, err
		}
		e := &entry{name: r.Name, check: c, text: r.Check}
		if r.Legacy != "" && !newDefaults {
			legacy, err := parseRule(r.Legacy)
			if err != nil {
				return nil, err
			}
			e.check = anyOf{c, legacy}
		}
		s.entries[r.Name] = e
	}
	return s, s.link()
}

// former gives the rule that the file has under a former name of r, or nil.
func (s *set) former(r Rule) *entry {
	for _, name := range r.Former {
		if e := s.entries[name]; e != nil {
			return e
		}
	}
	return nil
}
