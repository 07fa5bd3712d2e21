package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/noop"
)

var updateCoverage = flag.Bool("update-coverage", false, "write docs/coverage.md anew")

const coveragePage = "../../docs/coverage.md"

const coverageHead = `# What is tried of each resource type

For each resource type and protection plug-in, and each operation: the tests that try it on the simulated cloud, and those that try
it on a real OpenStack (` + "`make test-openstack`" + `) or, of pods, on a real Kubernetes (` + "`make test-kubernetes`" + `). This page is made from the tests by
` + "`go test ./cmd/karbord -run Coverage -update-coverage`" + `; a test fails when it is out of date.

A plug-in's own tests run [the conformance suite](plugin-authors/protection.md#the-suite) or a part of it. The others, of the whole service, say what
they try in a line of their source, ` + "`//karbor:tries`" + `. What a cell says beside tests:

| | |
|---|---|
| – | no test tries it |
| nothing to do | it needs nothing of the plug-in, and the tests show that |
| by the service | the service does it, without the plug-in; of that are the tests |
| refused | it is not possible with the plug-in; the tests show that it is refused before anything is touched |

The undo of a restore in place gives the originals back what they held: if it fails, and later by its safety checkpoint. Another region counts as another cloud.

`

// row is an operation on the page.
type row struct {
	deed  deed
	words string
	// Short is the word at the head of a column.
	short string
}

var rows = []row{
	{protects, "protect", "protect"},
	{restores, "restore", "restore"},
	{verifies, "verify", "verify"},
	{deletes, "delete", "delete"},
	{overwrites, "restore in place", "in place"},
	{givesBack, "undo of a restore in place", "its undo"},
	{otherProject, "restore into another project", "other project"},
	{otherCloud, "restore into another cloud", "other cloud"},
	{copied, "copy to another bank", "copy"},
}

// subject is a plug-in and one of its types.
type subject struct {
	definition string
	plugin     protection.Plugin
	kind       karbor.ResourceType
}

// room gives the folder of the plug-in.
func (s subject) room() string { return roomOf(s.plugin) }

func roomOf(p protection.Plugin) string {
	kind := reflect.TypeOf(p)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return strings.TrimPrefix(kind.PkgPath(), "github.com/karbor/karbor/")
}

// title names the subject on the page.
func (s subject) title() string {
	if s.definition == noop.Name {
		return "Any type"
	}
	return string(s.kind)
}

// subjects are what the page is about, and all folders of plug-ins.
func subjects(t *testing.T) (list []subject, rooms []string) {
	t.Helper()
	add := func(kind karbor.ResourceType, wanted func(name string) bool) {
		for _, d := range sets().Protections {
			p, err := d.Open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(p.Types(), kind) && wanted(d.Name()) {
				list = append(list, subject{d.Name(), p, kind})
				rooms = append(rooms, roomOf(p))
			}
		}
	}
	for _, kind := range karbor.ResourceTypes() {
		add(kind, func(name string) bool { return name != noop.Name })
	}
	add(karbor.ResourceTypes()[0], func(name string) bool { return name == noop.Name })
	return list, rooms
}

// cell is what the page says of an operation.
type cell struct {
	simulated, real []string
	// Service are the tests that show that the service does it, for a plug-in with nothing to do; refused
	// those that show that it is refused.
	service, refused []string
	idle, refuses    bool
	// Alone says that the service does it without asking the plug-in.
	alone bool
}

// cellOf looks a deed up.
func (s subject) cellOf(all trials, d deed) cell {
	own := path.Base(s.room())
	c := cell{simulated: all.of(own, d, false), real: all.of(own, d, true)}
	for op, its := range deedOf {
		if its == d {
			c.idle = idleHooks(s.plugin.Hooks(op, s.kind))
		}
	}
	if d == overwrites || d == givesBack {
		if c.refuses = idleHooks(s.plugin.Hooks(protection.InPlace, s.kind)); c.refuses {
			c.refused = append(all.of(own, noOverwrite, false), all.of(anyone, noOverwrite, false)...)
		}
	}
	if d == copied {
		bound, ok := s.plugin.(protection.Bound)
		if c.refuses = ok && bound.Bound(s.kind) != ""; c.refuses {
			c.refused = append(all.of(own, noCopy, false), all.of(anyone, noCopy, false)...)
		}
		c.alone = !c.refuses
	}
	if c.idle {
		c.real = nil // there is nothing that a real cloud could do in another way
	}
	if c.idle || c.alone {
		c.service = all.of(anyone, d, false)
	}
	return c
}

// texts gives the columns of a row.
func (c cell) texts() (simulated, lab string) {
	if c.refuses {
		return "refused: " + names(c.refused), "–"
	}
	simulated, lab = names(c.simulated), names(c.real)
	switch {
	case c.alone:
		return "by the service: " + names(slices.Concat(c.service, c.simulated)), lab
	case c.idle && len(c.service) > 0:
		return "nothing to do: " + simulated + "; by the service: " + names(c.service), lab
	case c.idle:
		return "nothing to do: " + simulated, lab
	}
	return simulated, lab
}

// short is the cell of the overview.
func (c cell) short() string {
	switch {
	case c.refuses && len(c.refused) > 0:
		return "refused"
	case len(c.real) > 0 && len(c.simulated)+len(c.service) > 0:
		return "both"
	case len(c.real) > 0:
		return "real"
	case len(c.simulated)+len(c.service) > 0:
		return "simulated"
	}
	return "–"
}

// coverageOf writes the page.
func coverageOf(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	list, rooms := subjects(t)
	all := readTrials(t, rooms)
	b.WriteString(coverageHead + "## All at a glance\n\nWhere tests try it: on the simulated cloud, on a real one, or on both.\n\n| type | plug-in |")
	for _, r := range rows {
		b.WriteString(" " + r.short + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(rows)) + "\n")
	for _, s := range list {
		fmt.Fprintf(&b, "| %s | `%s` |", s.title(), s.definition)
		for _, r := range rows {
			fmt.Fprintf(&b, " %s |", s.cellOf(all, r.deed).short())
		}
		b.WriteString("\n")
	}
	for _, kind := range karbor.ResourceTypes() {
		if !slices.ContainsFunc(list, func(s subject) bool { return s.kind == kind && s.definition != noop.Name }) {
			fmt.Fprintf(&b, "| %s | none |%s\n", kind, strings.Repeat(" – |", len(rows)))
		}
	}
	for _, s := range list {
		fmt.Fprintf(&b, "\n## %s by %s\n\n| operation | simulated | real |\n|---|---|---|\n", s.title(), s.definition)
		s.write(&b, all)
	}
	return b.String()
}

// write writes the rows of a plug-in; those that say the same are one.
func (s subject) write(b *bytes.Buffer, all trials) {
	var words []string
	for i, r := range rows {
		words = append(words, r.words)
		simulated, lab := s.cellOf(all, r.deed).texts()
		if i+1 < len(rows) {
			if s2, l2 := s.cellOf(all, rows[i+1].deed).texts(); s2 == simulated && l2 == lab {
				continue
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", strings.Join(words, ", "), simulated, lab)
		words = nil
	}
}

func idleHooks(h protection.Hooks) bool {
	return h.PrepareBegin == nil && h.PrepareFinish == nil && h.Main == nil && h.Complete == nil
}

// names gives at most four tests.
func names(tests []string) string {
	if len(tests) == 0 {
		return "–"
	}
	const most = 4
	text := "`" + strings.Join(tests[:min(most, len(tests))], "`, `") + "`"
	if more := len(tests) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func TestCoveragePageIsThatOfTheTests(t *testing.T) {
	want := coverageOf(t)
	if *updateCoverage {
		if err := os.WriteFile(coveragePage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(coveragePage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the page is not that of the tests: run go test ./cmd/karbord -run Coverage -update-coverage (-want +got):\n%s", diff)
	}
}

// TestEachTypeWithAPluginIsTriedWhole finds a plug-in whose operations nothing tries, and what is said of
// all plug-ins without a test.
func TestEachTypeWithAPluginIsTriedWhole(t *testing.T) {
	list, rooms := subjects(t)
	all := readTrials(t, rooms)
	for _, s := range list {
		for _, d := range []deed{protects, restores, verifies, deletes, overwrites, givesBack, copied} {
			c := s.cellOf(all, d)
			own := slices.ContainsFunc(all[path.Base(s.room())][d], func(one trial) bool { return one.suite && !one.real })
			switch {
			case c.refuses && len(c.refused) == 0:
				t.Errorf("%s: no test shows that %s is refused", s.definition, d)
			case c.refuses && len(c.simulated)+len(c.real) > 0:
				t.Errorf("%s: %s is refused, and yet %q try it", s.definition, d, slices.Concat(c.simulated, c.real))
			case !c.refuses && !c.alone && !own:
				t.Errorf("%s: no test runs the suite for %s", s.definition, d)
			case (c.alone || c.idle && d == deletes) && len(c.service) == 0:
				t.Errorf("%s: no test shows that the service does the %s", s.definition, d)
			}
		}
	}
}
