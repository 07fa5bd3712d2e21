package provider_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/plugin"
)

// counted is a bank that counts how often it is closed.
type counted struct {
	bank.Bank
	closed *int
}

func (c counted) Close() error {
	*c.closed++
	return nil
}

// targets is a set of banks memory, each other call of which opens another bank.
func targets(t *testing.T) (open func() (bank.Bank, error), closed *int) {
	t.Helper()
	closed = new(int)
	return func() (bank.Bank, error) { return counted{banktest.NewMemory(), closed}, nil }, closed
}

const copies = `copies:
  - name: offsite
    bank: {plugin: memory2}
    keep: {newest: 3, days: 90}
  - name: tape
    bank: {plugin: memory3}
`

// several are the banks memory, memory2 and memory3.
func several(open func() (bank.Bank, error)) provider.Sets {
	s := sets(open)
	for _, name := range []string{"memory2", "memory3"} {
		s.Banks = append(s.Banks, plugin.Define(name, "", func() struct{} { return struct{}{} },
			func(context.Context, struct{}) (bank.Bank, error) { return open() }))
	}
	return s
}

func folder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAProviderHasItselfWithEachOfItsTargetsBanks(t *testing.T) {
	open, closed := targets(t)
	loaded, err := provider.Load(t.Context(), folder(t, good+copies), several(open), provider.Options{Owner: "me", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	p := loaded[0]
	banks := map[bank.Bank]bool{p.Bank(): true}
	var names []string
	for _, at := range p.Targets() {
		names = append(names, at.Target)
		banks[at.Bank()] = true
		if at.ID != p.ID || !at.Protects(karbor.VolumeType) || at.Place() != "n/"+at.Target {
			t.Errorf("the target %s is not the provider: %s, %s", at.Target, at.ID, at.Place())
		}
	}
	if d := cmp.Diff([]string{"offsite", "tape"}, names); d != "" || len(banks) != 3 {
		t.Errorf("targets with %d banks: %s", len(banks), d)
	}
	offsite, err := p.At("offsite")
	if err != nil || offsite.Keep() != (provider.Keep{Newest: 3, Days: 90}) {
		t.Errorf("offsite keeps %+v, %v", offsite.Keep(), err)
	}
	if own, err := p.At(""); own != p || err != nil {
		t.Errorf("the provider itself is %v, %v", own, err)
	}
	if _, err := p.At("moon"); karbor.KindOf(err) != karbor.NotFound {
		t.Errorf("an unknown target is %v", err)
	}
	if err := p.Close(); err != nil || *closed != 3 {
		t.Errorf("%d banks closed, %v", *closed, err)
	}
}

func TestFindOpensTheBankOfATarget(t *testing.T) {
	open, closed := targets(t)
	dir := folder(t, good+copies)
	o := provider.Options{Owner: "me", Now: time.Now}
	p, err := provider.Find(t.Context(), dir, "n/tape", several(open), o)
	if err != nil || p.Target != "tape" || *closed != 2 {
		t.Fatalf("found %v, %v, with %d others closed", p, err, *closed)
	}
	if err := p.Close(); err != nil || *closed != 3 {
		t.Errorf("%d banks closed, %v", *closed, err)
	}
	if _, err := provider.Find(t.Context(), dir, "n/moon", several(open), o); karbor.KindOf(err) != karbor.NotFound || *closed != 6 {
		t.Errorf("an unknown target is %v, with %d banks closed", err, *closed)
	}
	slash := folder(t, strings.Replace(good, "name: n", "name: a/b", 1))
	if p, err := provider.Find(t.Context(), slash, "a/b", several(open), o); err != nil || p.Name != "a/b" {
		t.Errorf("a provider with a slash in its name: %v", err)
	}
}

func TestFaultsOfTargetsNameTheirLine(t *testing.T) {
	open, _ := targets(t)
	for text, want := range map[string]string{
		"copies:\n  - bank: {plugin: memory2}":                                                    `line 6: copies[0].name: "" is not a name`,
		"copies:\n  - name: Offsite\n    bank: {plugin: memory2}":                                 `copies[0].name: "Offsite" is not a name`,
		"copies:\n  - name: main\n    bank: {plugin: memory2}":                                    `line 6: copies[0].name: "main" is taken`,
		"copies:\n  - name: a":                                                                    "line 6: copies[0].bank: there is none",
		"copies:\n  - name: a\n    bank: {plugin: memory}":                                        "line 7: copies[0].bank: it is a bank that the provider has already",
		"copies:\n  - name: a\n    bank: {plugin: none}":                                          "copies[0].bank: line 7: ",
		"copies:\n  - name: a\n    bank: {plugin: memory2}\n    keep: {newest: -1}":               "copies[0].keep: newest and days are from 0",
		"copies:\n  - name: a\n    bank: {plugin: memory2}\n    keep: {weeks: 1}":                 "8 | ",
		"copies:\n  - name: a\n    bank: {plugin: memory2}\n    repository: {}":                   "copies[0]: line 8: repository.keys: there are none",
		"copies:\n  - {name: a, bank: {plugin: memory2}}\n  - {name: a, bank: {plugin: memory3}}": `line 7: copies[1].name: "a" is taken`,
	} {
		_, err := provider.Load(t.Context(), folder(t, good+text+"\n"), several(open), provider.Options{Owner: "me", Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %s", text, err, want)
		}
	}
}
