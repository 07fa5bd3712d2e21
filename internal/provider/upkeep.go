package provider

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/karbor/karbor/internal/checkpoint/upkeep"
	"github.com/karbor/karbor/internal/repository/verification"
)

// upkeepSection is the part of a provider's file about how its banks are looked after.
type upkeepSection struct {
	Collect    *bool         `yaml:"collect"`
	Only       bool          `yaml:"only"`
	After      located       `yaml:"after"`
	Every      located       `yaml:"every"`
	Hours      located       `yaml:"hours"`
	TimeZone   located       `yaml:"time_zone"`
	MaxRewrite located       `yaml:"max_rewrite"`
	Rate       located       `yaml:"rate"`
	Verify     verifySection `yaml:"verify"`
	line       int
}

// verifySection says how a bank is verified.
type verifySection struct {
	Every located `yaml:"every"`
	For   located `yaml:"for"`
	Depth located `yaml:"depth"`
	Rate  located `yaml:"rate"`
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *upkeepSection) UnmarshalYAML(node ast.Node) error {
	type plain upkeepSection
	s.line = node.GetToken().Position.Line
	return yaml.NodeToValue(node, (*plain)(s), yaml.Strict())
}

// policy gives what the section says, or what is wrong with it, with the line; nil is the zero
// Policy.
func (s *upkeepSection) policy() (upkeep.Policy, error) {
	var p upkeep.Policy
	if s == nil {
		return p, nil
	}
	p.Off, p.Only = s.Collect != nil && !*s.Collect, s.Only
	for _, member := range []struct {
		name string
		located
		least time.Duration
		into  *time.Duration
	}{
		{"after", s.After, time.Second, &p.After}, {"every", s.Every, time.Hour, &p.Every},
		{"verify.every", s.Verify.Every, 24 * time.Hour, &p.Verify.Every}, {"verify.for", s.Verify.For, time.Minute, &p.Verify.For},
	} {
		if member.line == 0 {
			continue
		}
		var err error
		if *member.into, err = lasting(member.text); err != nil || *member.into < member.least {
			return p, fmt.Errorf("line %d: upkeep.%s: %q is no time of %v or more, such as 36h or 30d", member.line, member.name, member.text, member.least)
		}
	}
	for _, member := range []struct {
		name string
		located
		into *int64
	}{{"max_rewrite", s.MaxRewrite, &p.MaxRewrite}, {"rate", s.Rate, &p.BytesPerSecond}, {"verify.rate", s.Verify.Rate, &p.Verify.BytesPerSecond}} {
		if member.line == 0 {
			continue
		}
		var err error
		if *member.into, err = bytesOf(member.text); err != nil {
			return p, fmt.Errorf("line %d: upkeep.%s: %w", member.line, member.name, err)
		}
	}
	var err error
	if p.Verify.Depth, err = verification.ParseDepth(s.Verify.Depth.text); err != nil {
		return p, fmt.Errorf("line %d: upkeep.verify.depth: %w", s.Verify.Depth.line, err)
	}
	switch {
	case s.Hours.line == 0 && s.TimeZone.line != 0:
		return p, fmt.Errorf("line %d: upkeep.time_zone: it is for upkeep.hours, which are not there", s.TimeZone.line)
	case s.Hours.line != 0:
		if p.Hours, err = upkeep.ParseHours(s.Hours.text, s.TimeZone.text); err != nil {
			return p, fmt.Errorf("line %d: upkeep.hours: %w", s.Hours.line, err)
		}
	}
	return p, nil
}

// lasting reads a time such as 90m, 36h or 30d.
func lasting(text string) (time.Duration, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// bytesOf reads a number of bytes: 1000, 50MiB, 1GiB.
func bytesOf(text string) (int64, error) {
	digits := strings.TrimRight(text, "BGKMTi")
	shift, known := map[string]int{"": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}[text[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || n <= 0 || n > 1<<20 && shift > 0 {
		return 0, fmt.Errorf("%q is no number of bytes, such as 50MiB", text)
	}
	return n << shift, nil
}

// Upkeep says how the provider's banks are looked after.
func (p *Provider) Upkeep() upkeep.Policy { return p.upkeep }

// VerifiedFolder is where it is kept what verifications of this bank have found good; "" is nowhere.
func (v *vault) VerifiedFolder() string { return v.verified }

// verifiedFolder gives the folder below that of the caches.
func (p *Provider) verifiedFolder(cache string) string {
	if cache == "" {
		return ""
	}
	name := p.ID
	if p.Target != "" {
		name += "." + p.Target
	}
	return filepath.Join(cache, name+".verified")
}
