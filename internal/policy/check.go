package policy

import (
	"slices"
	"strings"
)

// attributes is what a check looks things up in: the caller's credentials, or the
// target of the request.
type attributes interface {
	attribute(name string) (any, bool)
}

// bag is attributes in a map.
type bag map[string]any

func (b bag) attribute(name string) (any, bool) {
	v, ok := b[name]
	return v, ok
}

// question is one decision that is being made.
type question struct {
	credentials, target attributes
	// fault says that a check could not be made: a dotted name that leads into a
	// text, for example. Python's oslo.policy ends such a request with an error, so
	// the answer is no, whatever the rest of the rule says.
	fault bool
}

// ask makes a decision.
func ask(c check, credentials, target attributes) bool {
	q := question{credentials: credentials, target: target}
	return q.ask(c)
}

func (q *question) ask(c check) bool { return c.eval(q) && !q.fault }

// check is a node of a rule.
type check interface {
	eval(q *question) bool
}

type constant bool

func (c constant) eval(*question) bool { return bool(c) }

type not struct{ of check }

func (n not) eval(q *question) bool { return !n.of.eval(q) }

type all []check

func (a all) eval(q *question) bool {
	for _, c := range a {
		if !c.eval(q) {
			return false
		}
	}
	return true
}

type anyOf []check

func (a anyOf) eval(q *question) bool {
	for _, c := range a {
		if c.eval(q) {
			return true
		}
	}
	return false
}

// reference is rule:name. Linking sets what it leads to; nothing is no.
type reference struct {
	name string
	to   *entry
}

func (r *reference) eval(q *question) bool { return r.to != nil && r.to.check.eval(q) }

// role is role:name. Upper and lower case are the same.
type role struct{ name template }

func (r role) eval(q *question) bool {
	name, ok := r.name.text(q.target)
	if !ok {
		return false
	}
	if !r.name.fixed {
		name = lower(name)
	}
	if who, ok := q.credentials.(*subject); ok {
		return slices.ContainsFunc(who.identity.Roles, func(have string) bool { return lower(have) == name })
	}
	v, _ := q.credentials.attribute("roles")
	roles, _ := v.([]any)
	return slices.ContainsFunc(roles, func(have any) bool {
		s, ok := have.(string)
		return ok && lower(s) == name
	})
}

// literal is 'text':match, True:match and the like: the target decides alone.
type literal struct {
	value string
	match template
}

func (l literal) eval(q *question) bool {
	match, ok := l.match.text(q.target)
	return ok && match == l.value
}

// credential is name:match: an attribute of the caller's, which a dotted name finds
// inside another one.
type credential struct {
	path  []string
	match template
}

func (c credential) eval(q *question) bool {
	match, ok := c.match.text(q.target)
	if !ok {
		return false
	}
	if who, ok := q.credentials.(*subject); ok && len(c.path) == 1 {
		if s, ok := who.word(c.path[0]); ok {
			return s == match
		}
	}
	v, ok := q.credentials.attribute(c.path[0])
	return ok && q.find(v, c.path[1:], match)
}

// find looks for a value below v. A list is as good as each of its members.
func (q *question) find(v any, path []string, match string) bool {
	switch list := v.(type) {
	case []string:
		for _, s := range list {
			if len(path) > 0 {
				q.fault = true
				return false
			}
			if s == match {
				return true
			}
		}
		return false
	case []any:
		for _, member := range list {
			if q.findMember(member, path, match) {
				return true
			}
		}
		return false
	}
	return q.findMember(v, path, match)
}

func (q *question) findMember(v any, path []string, match string) bool {
	if len(path) == 0 {
		s, ok := pythonText(v)
		return ok && s == match
	}
	var inner attributes
	switch m := v.(type) {
	case map[string]any:
		inner = bag(m)
	case attributes:
		inner = m
	default:
		q.fault = true
		return false
	}
	next, ok := inner.attribute(path[0])
	return ok && q.find(next, path[1:], match)
}

// lower is Python's lower, which has for one letter what Go does not have.
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.ToLower(strings.ReplaceAll(s, "İ", "i̇"))
		}
	}
	return strings.ToLower(s)
}
