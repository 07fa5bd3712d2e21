package provider

import (
	"fmt"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Limits are what a provider's file says of how much may be at work with it at a time; 0 is no
// limit.
type Limits struct {
	// Operations are those that are not over, in all processes together, and Transfers what moves
	// bulk data, in each process.
	Operations, Transfers int
}

// limitsSection is the part of a provider's file about limits.
type limitsSection struct {
	Operations located `yaml:"operations"`
	Transfers  located `yaml:"transfers"`
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *limitsSection) UnmarshalYAML(node ast.Node) error {
	type plain limitsSection
	return yaml.NodeToValue(node, (*plain)(s), yaml.Strict())
}

// read gives what the section says in the place of the defaults, or what is wrong with it, with
// the line.
func (s *limitsSection) read(defaults Limits) (Limits, error) {
	l := defaults
	if s == nil {
		return l, nil
	}
	for _, member := range []struct {
		name string
		located
		into *int
	}{{"operations", s.Operations, &l.Operations}, {"transfers", s.Transfers, &l.Transfers}} {
		if member.line == 0 {
			continue
		}
		n, err := strconv.Atoi(member.text)
		if err != nil || n < 0 {
			return l, fmt.Errorf("line %d: limits.%s: %q is no number from 0 on", member.line, member.name, member.text)
		}
		*member.into = n
	}
	return l, nil
}

// Limits says how much may be at work with the provider at a time.
func (p *Provider) Limits() Limits { return p.limits }
