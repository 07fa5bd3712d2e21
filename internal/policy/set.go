package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of a whole set of rules.
const (
	// MaxRules is the most rules of a policy file.
	MaxRules = 10_000
	// MaxWork is the most checks that one decision may come to, with those of the
	// rules that it leads to.
	MaxWork = 10_000
	// MaxChain is how many rules may lead to each other, one behind the other.
	MaxChain = 64
)

// defaultRule is the name that Python's oslo.policy falls back to where a rule leads
// to one that is not there.
const defaultRule = "default"

// entry is one rule of a set.
type entry struct {
	name  string
	check check
	// text is the rule as it was written, for people.
	text string
	// file says that the rule comes from the policy file, at line.
	file bool
	line int
	// chain and work are how long and how dear a decision can get.
	chain, work int
	state       walkState
}

// walkState is how far the walk that looks for cycles has come.
type walkState uint8

const (
	unseen walkState = iota
	underway
	walked
)

// set is all the rules that hold at one time. It does not change once it is linked.
type set struct {
	entries map[string]*entry
	// admin is context_is_admin: who is_admin is True for.
	admin *entry
}

// link leads each reference to its rule, and refuses cycles and what would take too
// long. All faults are told, each with the rule and its line.
func (s *set) link() error {
	for _, e := range s.entries {
		walk(e.check, func(c check) {
			if r, ok := c.(*reference); ok {
				r.to = s.find(r.name)
			}
		})
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(s.entries)) {
		if err := s.entries[name].weigh(nil); err != nil {
			faults = append(faults, err)
		}
	}
	s.admin = s.entries[contextIsAdmin]
	return errors.Join(faults...)
}

// find gives the rule of a name, or the fallback, or nil.
func (s *set) find(name string) *entry {
	if e := s.entries[name]; e != nil {
		return e
	}
	return s.entries[defaultRule]
}

// weigh computes chain and work of a rule. above are the rules that led here.
func (e *entry) weigh(above []string) error {
	switch e.state {
	case walked:
		return nil
	case underway:
		at := slices.Index(above, e.name)
		return e.fault("it leads back to itself: %s", strings.Join(append(above[at:], e.name), " -> "))
	case unseen:
	}
	e.state = underway
	defer func() { e.state = walked }()
	above = append(above, e.name)
	var faults []error
	walk(e.check, func(c check) {
		e.work++
		if r, ok := c.(*reference); ok && r.to != nil {
			if err := r.to.weigh(above); err != nil {
				faults = append(faults, err)
				return
			}
			e.chain = max(e.chain, r.to.chain+1)
			e.work = min(e.work+r.to.work, MaxWork+1)
		}
	})
	switch {
	case len(faults) > 0:
		// One cycle is told once, at the rule where it closes.
		return faults[0]
	case e.chain > MaxChain:
		e.chain = 0
		return e.fault("it leads through more than %d rules", MaxChain)
	case e.work > MaxWork:
		e.work = 0
		return e.fault("with the rules that it leads to it has more than %d checks", MaxWork)
	}
	return nil
}

// fault is an error of a rule, with the line that it stands at.
func (e *entry) fault(format string, args ...any) error {
	text := fmt.Sprintf("rule %s: %s", e.name, fmt.Sprintf(format, args...))
	if e.file {
		return &lineError{e.line, text}
	}
	return errors.New(text)
}

// walk calls visit for a check and for each one in it.
func walk(c check, visit func(check)) {
	visit(c)
	switch c := c.(type) {
	case not:
		walk(c.of, visit)
	case all:
		for _, inner := range c {
			walk(inner, visit)
		}
	case anyOf:
		for _, inner := range c {
			walk(inner, visit)
		}
	}
}
