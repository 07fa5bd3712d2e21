package provider

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protection"
)

// MainBank is the word for the provider's own bank, among the names of its targets.
const MainBank = "main"

// Keep says how many of a plan's copies stay at a target; the zero Keep keeps all.
type Keep struct {
	// Newest is how many of the newest stay; 0 for any number.
	Newest int `yaml:"newest"`
	// Days is for how many days after their original was made they stay; 0 for ever.
	Days int `yaml:"days"`
}

// maxKept bounds the members of Keep.
const maxKept = 1_000_000

// targetChoice is an entry of the member copies of a provider's file.
type targetChoice struct {
	Name       located  `yaml:"name"`
	Bank       *choice  `yaml:"bank"`
	Repository *section `yaml:"repository"`
	Keep       Keep     `yaml:"keep"`
	line       int
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (c *targetChoice) UnmarshalYAML(node ast.Node) error {
	type plain targetChoice
	c.line = node.GetToken().Position.Line
	return yaml.NodeToValue(node, (*plain)(c), yaml.Strict())
}

// targetName is what the name of a target looks like.
var targetName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// checkTargets gives what is wrong with the member copies by itself, with the line.
func (f file) checkTargets() error {
	names := map[string]bool{MainBank: true}
	banks := []string{f.Bank.text()}
	for i, c := range f.Copies {
		at := fmt.Sprintf("copies[%d]", i)
		switch {
		case !targetName.MatchString(c.Name.text):
			return fmt.Errorf("line %d: %s.name: %q is not a name of small letters, digits, '-' and '_'", c.line, at, c.Name.text)
		case names[c.Name.text]:
			return fmt.Errorf("line %d: %s.name: %q is taken", c.Name.line, at, c.Name.text)
		case c.Bank == nil || c.Bank.Plugin.text == "":
			return fmt.Errorf("line %d: %s.bank: there is none", c.line, at)
		case slices.Contains(banks, c.Bank.text()):
			return fmt.Errorf("line %d: %s.bank: it is a bank that the provider has already", c.Bank.Plugin.line, at)
		case c.Keep.Newest < 0 || c.Keep.Newest > maxKept || c.Keep.Days < 0 || c.Keep.Days > maxKept:
			return fmt.Errorf("line %d: %s.keep: newest and days are from 0 to %d", c.line, at, maxKept)
		}
		names[c.Name.text] = true
		banks = append(banks, c.Bank.text())
		if c.Repository == nil {
			continue
		}
		if err := c.Repository.check(); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

// text gives the choice as one text: two with the same choose the same bank.
func (c *choice) text() string {
	if c.Options.node == nil {
		return c.Plugin.text
	}
	return c.Plugin.text + "\n" + c.Options.node.String()
}

// openTargets opens the banks that checkpoints are copied to. What the provider has opened so
// far stays open if it fails.
func (p *Provider) openTargets(ctx context.Context, f file, set plugin.Set[bank.Bank], o Options) error {
	for i, c := range f.Copies {
		t := *p
		t.Target, t.keep, t.targets = c.Name.text, c.Keep, nil
		b, err := openBank(ctx, set, *c.Bank, o)
		if err != nil {
			return fmt.Errorf("copies[%d].bank: %w", i, err)
		}
		keys := c.Repository
		if keys == nil {
			keys = f.Repository
		}
		domains, err := keys.open(ctx, p.ID, p.ID+"."+t.Target, b, o)
		if err != nil {
			return fmt.Errorf("copies[%d]: %w", i, errors.Join(err, b.Close()))
		}
		if err := t.attach(ctx, b, domains, o); err != nil {
			return fmt.Errorf("copies[%d].bank: %w", i, errors.Join(err, t.vault.Close()))
		}
		p.targets = append(p.targets, &t)
	}
	return nil
}

// Targets gives, for each bank that checkpoints are copied to, the provider as it is with that
// bank in place of its own. Their Target is the bank's name.
func (p *Provider) Targets() []*Provider { return slices.Clone(p.targets) }

// At gives the provider as it is with the bank of a target; with "" itself. An unknown target
// is karbor.NotFound.
func (p *Provider) At(target string) (*Provider, error) {
	if target == p.Target {
		return p, nil
	}
	for _, t := range p.targets {
		if t.Target == target {
			return t, nil
		}
	}
	return nil, karbor.Errorf(karbor.NotFound, "provider %s has no copy target %q in its file", p.Name, target)
}

// Keep says which copies stay at this target.
func (p *Provider) Keep() Keep { return p.keep }

// Bound gives, for a type of which the data lies in another service, the sentence that says so;
// "" for one that can be copied.
func (p *Provider) Bound(t karbor.ResourceType) string {
	if plugin, ok := p.plugins[t].(protection.Bound); ok {
		return plugin.Bound(t)
	}
	return ""
}

// NotInPlace gives, for a type that can't be restored in place, the sentence that says why and what
// to do instead; "" where its plug-in has none.
func (p *Provider) NotInPlace(t karbor.ResourceType) string {
	if plugin, ok := p.plugins[t].(protection.NotInPlace); ok {
		return plugin.NotInPlace(t)
	}
	return ""
}

// Place names the provider and, for a target, the bank, for logs and sentences.
func (p *Provider) Place() string {
	if p.Target == "" {
		return p.Name
	}
	return p.Name + "/" + p.Target
}

// Close ends what goes on in the provider's banks, and closes them.
func (p *Provider) Close() error {
	err := p.vault.Close()
	for _, t := range p.targets {
		err = errors.Join(err, t.vault.Close())
	}
	return err
}

// only gives the provider with the bank of a target as its own, as Find does for
// "provider/target"; the other banks are closed. On failure all are.
func (p *Provider) only(target string) (*Provider, error) {
	if target == "" {
		return p, nil
	}
	chosen, err := p.At(target)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	err = p.vault.Close()
	for _, t := range p.targets {
		if t != chosen {
			err = errors.Join(err, t.vault.Close())
		}
	}
	return chosen, err
}
