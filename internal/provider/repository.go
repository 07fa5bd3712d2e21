package provider

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// section is the part of a provider's file about its repository: without it, data lies in
// the clear.
type section struct {
	Keys         []keyChoice `yaml:"keys"`
	RecoveryFile located     `yaml:"recovery_file"`
	Domain       located     `yaml:"domain"`
	Compression  located     `yaml:"compression"`
	Cache        located     `yaml:"cache"`
	line         int
}

// keyChoice is one key: exactly one of its members is there.
type keyChoice struct {
	File           located `yaml:"file"`
	PassphraseFile located `yaml:"passphrase_file"`
	Barbican       located `yaml:"barbican"`
	line           int
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *section) UnmarshalYAML(node ast.Node) error {
	type plain section
	s.line = node.GetToken().Position.Line
	return yaml.NodeToValue(node, (*plain)(s), yaml.Strict())
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (k *keyChoice) UnmarshalYAML(node ast.Node) error {
	type plain keyChoice
	k.line = node.GetToken().Position.Line
	return yaml.NodeToValue(node, (*plain)(k), yaml.Strict())
}

// The words of the members domain and compression.
const (
	projectDomain   = "project"
	providerDomain  = "provider"
	autoCompression = "auto"
	zstdCompression = "zstd"
	s2Compression   = "s2"
)

// check gives what is wrong with the section by itself, with the line.
func (s *section) check() error {
	if len(s.Keys) == 0 {
		return fmt.Errorf("line %d: repository.keys: there are none", s.line)
	}
	for i, k := range s.Keys {
		given := 0
		for _, member := range []struct {
			name string
			located
			isPath bool
		}{{"file", k.File, true}, {"passphrase_file", k.PassphraseFile, true}, {"barbican", k.Barbican, false}} {
			if member.line == 0 {
				continue
			}
			given++
			if member.text == "" || member.isPath && !filepath.IsAbs(member.text) {
				return fmt.Errorf("line %d: repository.keys[%d].%s: %q is no %s", member.line, i, member.name, member.text,
					map[bool]string{true: "absolute path", false: "URL"}[member.isPath])
			}
		}
		if given != 1 {
			return fmt.Errorf("line %d: repository.keys[%d]: it needs one of file, passphrase_file and barbican", k.line, i)
		}
	}
	for _, member := range []struct {
		name string
		located
	}{{"recovery_file", s.RecoveryFile}, {"cache", s.Cache}} {
		if member.line != 0 && !filepath.IsAbs(member.text) {
			return fmt.Errorf("line %d: repository.%s: %q is no absolute path", member.line, member.name, member.text)
		}
	}
	if err := s.Domain.oneOf("domain", projectDomain, providerDomain); err != nil {
		return err
	}
	return s.Compression.oneOf("compression", autoCompression, zstdCompression, s2Compression)
}

// oneOf reports a text that is there and none of the words.
func (l located) oneOf(name string, words ...string) error {
	if l.line == 0 || slices.Contains(words, l.text) {
		return nil
	}
	return fmt.Errorf("line %d: repository.%s: it is %s, not %q", l.line, name, strings.Join(words, " or "), l.text)
}

// sources gives the keys. Those in files must be there and in order: else nothing could be
// protected, and nobody would know until then.
func (s *section) sources(ctx context.Context, secrets keyring.Secrets) (keys []*keyring.Source, recovery *keyring.Source, err error) {
	for i, k := range s.Keys {
		source := keyring.Barbican(k.Barbican.text, secrets)
		switch {
		case k.File.line != 0:
			source = keyring.KeyFile(k.File.text)
		case k.PassphraseFile.line != 0:
			source = keyring.PassphraseFile(k.PassphraseFile.text)
		}
		if source.Kind() != format.BarbicanSlot {
			if err := source.Check(ctx); err != nil {
				return nil, nil, fmt.Errorf("line %d: repository.keys[%d]: %w", k.line, i, err)
			}
		}
		keys = append(keys, source)
	}
	if s.RecoveryFile.line != 0 {
		recovery = keyring.RecoveryFile(s.RecoveryFile.text)
		if err := recovery.Check(ctx); err != nil {
			return nil, nil, fmt.Errorf("line %d: repository.recovery_file: %w", s.RecoveryFile.line, err)
		}
	}
	return keys, recovery, nil
}

// open gives the key domains of the bank; nil where there is no section. id is the provider's,
// folder that of the index caches.
func (s *section) open(ctx context.Context, id, folder string, b bank.Bank, o Options) (*repository.Domains, error) {
	if s == nil || o.WithoutBanks {
		return nil, nil
	}
	keys, recovery, err := s.sources(ctx, o.Secrets)
	if err != nil {
		return nil, err
	}
	made := repository.Options{Bank: b, Keys: keys, Recovery: recovery, Compression: format.Auto, Now: o.Now, Logger: o.Logger}
	if s.Domain.text == providerDomain {
		made.Shared = id
	}
	switch s.Compression.text {
	case zstdCompression:
		made.Compression = format.Zstd
	case s2Compression:
		made.Compression = format.S2
	}
	if cache := cmp.Or(s.Cache.text, o.Cache); cache != "" {
		made.Cache = filepath.Join(cache, folder)
	}
	return repository.NewDomains(made)
}

// movesData reports whether a plug-in of the provider puts bulk data into the bank: one that
// has something to do in the main phase.
func (p *Provider) movesData() bool {
	for _, t := range p.Types() {
		if p.Hooks(karbor.Protect, t).Main != nil {
			return true
		}
	}
	return false
}
