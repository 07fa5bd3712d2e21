// Package plugin is how a plug-in is named, described, configured and opened.
// Banks, protectables and protection plug-ins are all defined with it, and
// listed, one line each, by the program that links them; nothing registers
// itself.
package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/karbor/karbor"
)

// Definition describes one plug-in whose open form is a P, such as bank.Bank.
type Definition[P any] struct {
	name    string
	summary string
	// defaults gives a fresh value of the plug-in's options, for the reference
	// of options.
	defaults func() any
	open     func(ctx context.Context, options ast.Node) (P, error)
}

// Name is the name by which provider files refer to the plug-in.
func (d Definition[P]) Name() string { return d.name }

// Summary says in one sentence what the plug-in does.
func (d Definition[P]) Summary() string { return d.summary }

// Defaults gives a fresh value of its options struct with the defaults set.
func (d Definition[P]) Defaults() any { return d.defaults() }

// Open makes the plug-in from its options in a provider file; nil stands for
// none. An unknown or ill-typed option is an error that shows line and column.
func (d Definition[P]) Open(ctx context.Context, options ast.Node) (P, error) {
	return d.open(ctx, options)
}

// Define makes a definition. O is the options struct, with yaml tags; defaults
// gives it as it is without any setting; open checks the options and makes the
// plug-in. An O with a method Validate() error is checked with it first.
func Define[O, P any](name, summary string, defaults func() O, open func(context.Context, O) (P, error)) Definition[P] {
	return Definition[P]{
		name:     name,
		summary:  summary,
		defaults: func() any { return defaults() },
		open: func(ctx context.Context, node ast.Node) (P, error) {
			var none P
			options := defaults()
			if node != nil {
				if err := yaml.NodeToValue(node, &options, yaml.Strict()); err != nil {
					return none, fmt.Errorf("options of plug-in %s: %w", name, err)
				}
			}
			if v, ok := any(&options).(interface{ Validate() error }); ok {
				if err := v.Validate(); err != nil {
					return none, fmt.Errorf("options of plug-in %s: %w", name, err)
				}
			}
			p, err := open(ctx, options)
			if err != nil {
				return none, &OpenError{Plugin: name, Err: err}
			}
			return p, nil
		},
	}
}

// OpenError says that a plug-in whose options are in order could not be opened.
type OpenError struct {
	Plugin string
	Err    error
}

// Error implements error.
func (e *OpenError) Error() string { return fmt.Sprintf("opening plug-in %s: %v", e.Plugin, e.Err) }

// Unwrap gives the plug-in's own error.
func (e *OpenError) Unwrap() error { return e.Err }

// Through gives the same plug-in, whose open form goes through wrap.
func (d Definition[P]) Through(wrap func(P) P) Definition[P] {
	inner := d.open
	d.open = func(ctx context.Context, options ast.Node) (P, error) {
		p, err := inner(ctx, options)
		if err != nil {
			return p, err
		}
		return wrap(p), nil
	}
	return d
}

// Set is the list of the plug-ins of one kind that a program links.
type Set[P any] []Definition[P]

// Find gives the plug-in of a name. The error lists the names that exist.
func (s Set[P]) Find(name string) (Definition[P], error) {
	for _, d := range s {
		if d.name == name {
			return d, nil
		}
	}
	var names []string
	for _, d := range s {
		names = append(names, d.name)
	}
	slices.Sort(names)
	return Definition[P]{}, karbor.Errorf(karbor.Invalid, "there is no plug-in %q; there are: %s", name, strings.Join(names, ", "))
}
