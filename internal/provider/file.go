package provider

import (
	"cmp"
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
	ID          located  `yaml:"id"`
	Name        located  `yaml:"name"`
	Description string   `yaml:"description"`
	Bank        *choice  `yaml:"bank"`
	Plugins     []choice `yaml:"plugins"`
	Repository  *section `yaml:"repository"`
	// Upkeep says how the banks are looked after.
	Upkeep *upkeepSection `yaml:"upkeep"`
	// Limits say how much may be at work with it at a time.
	Limits *limitsSection `yaml:"limits"`
	// Copies are the banks that checkpoints are copied to.
	Copies []targetChoice `yaml:"copies"`
	// last is the file's last line, where what is missing would come next.
	last int
}

// check gives what is wrong with the file by itself, with the line.
func (f file) check() error {
	switch {
	case f.ID.line == 0:
		return fmt.Errorf("line %d: id: there is none", f.last)
	case !karbor.IsUUID(f.ID.text):
		return fmt.Errorf("line %d: id: %q is not a UUID", f.ID.line, f.ID.text)
	case f.Name.text == "":
		return fmt.Errorf("line %d: name: there is none", cmp.Or(f.Name.line, f.last))
	case f.Bank == nil:
		return fmt.Errorf("line %d: bank: there is none", f.last)
	case f.Bank.Plugin.text == "":
		return fmt.Errorf("line %d: bank.plugin: there is none", cmp.Or(f.Bank.Plugin.line, f.last))
	case len(f.Plugins) == 0:
		return fmt.Errorf("line %d: plugins: there are none", f.last)
	}
	for i, c := range f.Plugins {
		if c.Plugin.text == "" {
			return fmt.Errorf("line %d: plugins[%d].plugin: there is none", cmp.Or(c.Plugin.line, f.last), i)
		}
	}
	if f.Repository != nil {
		if err := f.Repository.check(); err != nil {
			return err
		}
	}
	return f.checkTargets()
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
	f.last = strings.Count(strings.TrimSuffix(string(text), "\n"), "\n") + 1
	if err := f.check(); err != nil {
		return nil, err
	}
	p := &Provider{ID: strings.ToLower(f.ID.text), Name: f.Name.text, Description: f.Description, plugins: map[karbor.ResourceType]protection.Plugin{}}
	if p.upkeep, err = f.Upkeep.policy(); err != nil {
		return nil, err
	}
	if p.limits, err = f.Limits.read(o.Limits); err != nil {
		return nil, err
	}
	if err := p.choose(ctx, f.Plugins, sets.Protections); err != nil {
		return nil, err
	}
	if err := p.compile(); err != nil {
		return nil, err
	}
	b, err := openBank(ctx, sets.Banks, *f.Bank, o)
	if err != nil {
		return nil, fmt.Errorf("bank: %w", err)
	}
	domains, err := f.Repository.open(ctx, p.ID, p.ID, b, o)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := p.attach(ctx, b, domains, o); err != nil {
		return nil, errors.Join(fmt.Errorf("bank: %w", err), p.Close())
	}
	if err := p.openTargets(ctx, f, sets.Banks, o); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.shares = o.WithoutBanks && f.Repository != nil && f.Repository.Domain.text == providerDomain
	if domains == nil && o.Logger != nil && !o.WithoutBanks && p.movesData() {
		o.Logger.WarnContext(ctx, "the data of a provider lies in the clear in its bank: its file has no section repository", "provider", p.Name, "file", path)
	}
	return p, nil
}

// openBank opens the bank. One that can't be opened now, though its options are in
// order, must not keep the other providers waiting: it is opened when it is used.
func openBank(ctx context.Context, set plugin.Set[bank.Bank], c choice, o Options) (bank.Bank, error) {
	if o.WithoutBanks {
		return absent(o.Now)
	}
	try := func(ctx context.Context) (bank.Bank, error) { return openPlugin(ctx, set, c) }
	b, err := try(ctx)
	var dead *plugin.OpenError
	switch {
	case err == nil:
		return count(b, o.Now), nil
	case !errors.As(err, &dead) || karbor.KindOf(dead.Err) == karbor.Invalid:
		return nil, err
	}
	return count(&awaited{open: try, now: o.Now, tried: o.Now(), err: err}, o.Now), nil
}

func openPlugin[P any](ctx context.Context, set plugin.Set[P], c choice) (P, error) {
	var none P
	d, err := set.Find(c.Plugin.text)
	if err != nil {
		return none, fmt.Errorf("line %d: %w", c.Plugin.line, err)
	}
	opened, err := d.Open(ctx, c.Options.node)
	if err != nil {
		if _, failed := errors.AsType[*plugin.OpenError](err); failed {
			return none, fmt.Errorf("line %d: %w", c.Plugin.line, err)
		}
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
