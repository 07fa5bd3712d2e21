package provider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// Sets are the plug-ins that the program links.
type Sets struct {
	Banks       plugin.Set[bank.Bank]
	Protections plugin.Set[protection.Plugin]
}

// file is a provider's file. docs/operators/providers.md describes it.
type file struct {
	ID          string   `yaml:"id"`
	Name        string   `yaml:"name"`
	Description string   `yaml:"description"`
	Bank        *choice  `yaml:"bank"`
	Plugins     []choice `yaml:"plugins"`
}

// choice names a plug-in and holds its options as they stand in the file, so that
// an error in them can show the line.
type choice struct {
	Plugin  located `yaml:"plugin"`
	Options rawNode `yaml:"options"`
}

// located is a text that knows its line.
type located struct {
	text string
	line int
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (l *located) UnmarshalYAML(node ast.Node) error {
	l.line = node.GetToken().Position.Line
	return yaml.NodeToValue(node, &l.text)
}

type rawNode struct{ node ast.Node }

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (r *rawNode) UnmarshalYAML(node ast.Node) error {
	if _, null := node.(*ast.NullNode); !null {
		r.node = node
	}
	return nil
}

// Load opens the providers of a folder: each file of it whose name ends in .yaml
// or .yml. An unknown key, an unknown plug-in or a bad option is an error that
// names file and line. The caller closes what it gets.
func Load(ctx context.Context, dir string, sets Sets, o Options) ([]*Provider, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the folder of providers: %w", err)
	}
	var providers []*Provider
	fail := func(err error) ([]*Provider, error) {
		for _, p := range providers {
			err = errors.Join(err, p.Close())
		}
		return nil, err
	}
	from := map[string]string{}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		p, err := open(ctx, path, sets, o)
		if err != nil {
			return fail(fmt.Errorf("provider file %s: %w", path, err))
		}
		providers = append(providers, p)
		for _, key := range []string{p.ID, "name " + p.Name} {
			if other := from[key]; other != "" {
				return fail(fmt.Errorf("provider file %s: %s is taken by %s", path, key, other))
			}
			from[key] = path
		}
	}
	if len(providers) == 0 {
		return nil, fmt.Errorf("there is no provider file (*.yaml) in %s", dir)
	}
	slices.SortFunc(providers, func(a, b *Provider) int { return strings.Compare(a.Name, b.Name) })
	return providers, nil
}

func open(ctx context.Context, path string, sets Sets, o Options) (*Provider, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, errors.New(yaml.FormatError(err, false, true))
	}
	switch {
	case !karbor.IsUUID(f.ID):
		return nil, fmt.Errorf("id: %q is not a UUID", f.ID)
	case f.Name == "":
		return nil, errors.New("name: there is none")
	case f.Bank == nil:
		return nil, errors.New("bank: there is none")
	case len(f.Plugins) == 0:
		return nil, errors.New("plugins: there are none")
	}
	p := &Provider{ID: strings.ToLower(f.ID), Name: f.Name, Description: f.Description, plugins: map[karbor.ResourceType]protection.Plugin{}}
	if err := p.choose(ctx, f.Plugins, sets.Protections); err != nil {
		return nil, err
	}
	if err := p.compile(); err != nil {
		return nil, err
	}
	b, err := openPlugin(ctx, sets.Banks, *f.Bank)
	if err != nil {
		return nil, fmt.Errorf("bank: %w", err)
	}
	if err := p.attach(ctx, b, o); err != nil {
		return nil, errors.Join(fmt.Errorf("bank: %w", err), b.Close())
	}
	return p, nil
}

func openPlugin[P any](ctx context.Context, set plugin.Set[P], c choice) (P, error) {
	var none P
	d, err := set.Find(c.Plugin.text)
	if err != nil {
		return none, fmt.Errorf("line %d: %w", c.Plugin.line, err)
	}
	opened, err := d.Open(ctx, c.Options.node)
	if err != nil {
		return none, fmt.Errorf("line %d: %s", c.Plugin.line, yaml.FormatError(err, false, true))
	}
	return opened, nil
}

// choose opens the protection plug-ins: one for each type.
func (p *Provider) choose(ctx context.Context, choices []choice, set plugin.Set[protection.Plugin]) error {
	takenBy := map[karbor.ResourceType]string{}
	for _, c := range choices {
		opened, err := openPlugin(ctx, set, c)
		if err != nil {
			return fmt.Errorf("plugins: %w", err)
		}
		for _, t := range opened.Types() {
			if other := takenBy[t]; other != "" {
				return fmt.Errorf("plugins: line %d: %s and %s both protect %s", c.Plugin.line, other, c.Plugin.text, t)
			}
			takenBy[t] = c.Plugin.text
			p.plugins[t] = opened
		}
	}
	return nil
}
