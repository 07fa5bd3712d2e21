package dnszone_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/examples/dnszone"
	"github.com/karbor/karbor/internal/schema"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/protectiontest"
)

// registered is what cmd/karbord/plugins.go would have.
func registered() (plugin.Set[protectable.Plugin], plugin.Set[protection.Plugin]) {
	protectables := plugin.Set[protectable.Plugin]{
		dnszone.Protectable,
	}
	protections := plugin.Set[protection.Plugin]{
		dnszone.Protection,
	}
	return protectables, protections
}

// options are those of a provider file.
func options(t *testing.T, text string) ast.Node {
	t.Helper()
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return file.Docs[0].Body
}

func open(t *testing.T, text string) protection.Plugin {
	t.Helper()
	p, err := dnszone.Protection.Open(t.Context(), options(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const quick = "{poll_interval: 10ms, timeout: 2m}"

func TestProviderFileOpensThePluginThatIsRegistered(t *testing.T) {
	text, err := os.ReadFile("testdata/provider.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var provider struct {
		Plugins []struct {
			Plugin  string
			Options map[string]any
		}
	}
	if err := yaml.Unmarshal(text, &provider); err != nil {
		t.Fatal(err)
	}
	finds, keeps := registered()
	for _, p := range provider.Plugins {
		definition, err := keeps.Find(p.Plugin)
		if err != nil {
			t.Fatal(err)
		}
		given, err := yaml.Marshal(p.Options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := definition.Open(t.Context(), options(t, string(given))); err != nil {
			t.Error(err)
		}
	}
	if len(provider.Plugins) != 1 || len(finds) != 1 || finds[0].Summary() == "" {
		t.Errorf("%d plug-ins in the file, %d that find", len(provider.Plugins), len(finds))
	}
}

func TestOptionThatMakesNoSenseIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"refused_record_sets: perhaps": `refused_record_sets must be one of ["fail" "report"], not "perhaps"`,
		"timeout: 0s":                  "must be more than zero",
		"refused: report":              `unknown field "refused"`,
	} {
		_, err := dnszone.Protection.Open(t.Context(), options(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v", text, err)
		}
	}
}

func TestSchemaTakesTheValuesThatThePluginKnows(t *testing.T) {
	s, err := schema.Compile(open(t, quick).Schemas(dnszone.Type).Restore)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range dnszone.Refusals() {
		if err := s.Check(map[string]any{"refused_record_sets": string(value)}); err != nil {
			t.Error(err)
		}
	}
	for member, value := range map[string]string{"refused_record_sets": "perhaps", "restore_name": "two words"} {
		if err := s.Check(map[string]any{member: value}); err == nil || !strings.Contains(err.Error(), member) {
			t.Errorf("%s: %s gives %v", member, value, err)
		}
	}
}

// source makes a zone of alpha's with record sets, and what a restore of it is compared with.
func (c *cloud) source(t *testing.T, restore map[string]any) protectiontest.Source {
	t.Helper()
	name := fmt.Sprintf("shop-%s.example.", karbor.NewID()[:8])
	id := c.add(t, "alpha", name, nil,
		map[string]any{"name": name, "type": "SOA", "records": []any{"ns1.cloud.example. 7"}},
		map[string]any{"name": name, "type": "NS", "records": []any{"ns2.cloud.example.", "ns1.cloud.example."}},
		map[string]any{"name": name, "type": "MX", "records": []any{"10 mail." + name}, "description": "mail"},
		map[string]any{"name": "www." + name, "type": "A", "records": []any{"192.0.2.7", "192.0.2.8"}, "ttl": 60},
	)
	original := c.look(id)
	g := &karbor.Graph{}
	node := g.Add(karbor.Resource{Type: dnszone.Type, ID: id, Name: name}, "")
	return protectiontest.Source{
		Graph: g, Key: node.Key(), Restore: restore,
		Destroy: func(*testing.T) { c.drop(id) },
		Check: func(t *testing.T, restored protectiontest.Restored) {
			t.Helper()
			expectSame(t, original, c.look(restored.ID), name)
			if len(restored.NotKept)+len(restored.Mapped) > 0 {
				t.Errorf("not kept: %q, mapped: %q", restored.NotKept, restored.Mapped)
			}
		},
	}
}

// caseOf is alpha's user with the plug-in.
func (c *cloud) caseOf(p protection.Plugin, restore map[string]any) protectiontest.Case {
	return protectiontest.Case{
		Plugin: p, Type: dnszone.Type,
		Session:   func(t *testing.T, client *http.Client) karbor.Cloud { return c.session(t, "alpha", client) },
		Make:      func(t *testing.T) protectiontest.Source { return c.source(t, restore) },
		Inventory: func(*testing.T) []string { return c.inventory("alpha") },
		// A record set goes with its zone, which bears the mark.
		Markless: func(line string) bool { return strings.HasPrefix(line, "recordsets ") },
	}
}

func TestZoneComesBack(t *testing.T) {
	protectiontest.Run(t, newCloud(t).caseOf(open(t, quick), nil))
}
