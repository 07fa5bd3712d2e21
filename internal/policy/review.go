package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is what is doubtful about a rule.
type Finding struct {
	// Line is where the rule stands in the policy file; 0 for a default.
	Line int
	// Rule is the rule's name.
	Rule string
	Text string
	// Error says that the rule can't mean what was meant; else it may.
	Error bool
}

// String gives the finding as one line.
func (f Finding) String() string {
	kind := "note"
	if f.Error {
		kind = "error"
	}
	return fmt.Sprintf("line %d: %s: rule %s: %s", f.Line, kind, f.Rule, f.Text)
}

// Review reads a policy file and gives what is doubtful about its rules: names that
// nothing asks for, references to rules that are not there, attributes that no caller
// or target has. The error is that of a file which would stop the start.
func Review(path string) ([]Finding, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	entries, s, err := read(path, text, false)
	if err != nil {
		return nil, err
	}
	return review(s, entries), nil
}

func review(s *set, file []*entry) []Finding {
	used := map[string]bool{defaultRule: true}
	byName := map[string]Rule{}
	for _, r := range Rules() {
		used[r.Name] = true
		byName[r.Name] = r
		for _, former := range r.Former {
			used[former] = true
		}
	}
	for _, e := range s.entries {
		for _, name := range references(e.check) {
			used[name] = true
		}
	}
	var out []Finding
	for _, e := range file {
		found := func(isError bool, format string, args ...any) {
			out = append(out, Finding{Line: e.line, Rule: e.name, Text: fmt.Sprintf(format, args...), Error: isError})
		}
		if !used[e.name] {
			found(true, "there is no such rule, and no other rule leads to it")
		}
		if byName[e.name].Check == e.text && e.text != "" {
			found(false, "it says what the default says")
		}
		for _, r := range Rules() {
			if slices.Contains(r.Former, e.name) {
				found(false, "the rule is named %s now", r.Name)
			}
		}
		for _, text := range doubts(s, e.check) {
			found(strings.Contains(text, "rule:"), "%s", text)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return out
}

// references gives the names of the rules that a check leads to.
func references(c check) []string {
	var out []string
	walk(c, func(c check) {
		if r, ok := c.(*reference); ok {
			out = append(out, r.name)
		}
	})
	return out
}

// doubts tells of a rule's checks that can never be passed.
func doubts(s *set, of check) []string {
	var out []string
	add := func(text string) {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	targets := func(t template) {
		for _, name := range t.names() {
			if !slices.Contains(targetNames(), name) {
				add("no target has %(" + name + ")s; the check is never passed")
			}
		}
	}
	walk(of, func(c check) {
		switch c := c.(type) {
		case *reference:
			if s.entries[c.name] == nil {
				add("it leads to rule:" + c.name + ", which is not there; nobody passes that")
			}
		case role:
			targets(c.name)
		case literal:
			targets(c.match)
		case credential:
			targets(c.match)
			if name := strings.Join(c.path, "."); !slices.Contains(credentialNames(), name) {
				add("no caller has the attribute " + name + "; the check is never passed")
			}
		}
	})
	return out
}
