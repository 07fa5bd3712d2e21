package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
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

// covered says which operations the functions of protectiontest try: those that run the
// suite, or all of it that a real cloud bears.
var covered = map[string][]karbor.OperationType{
	"Run":   {karbor.Protect, karbor.RestoreOperation, karbor.Verify, karbor.Delete},
	"Life":  {karbor.Protect, karbor.RestoreOperation, karbor.Verify, karbor.Delete},
	"Quiet": {karbor.Protect, karbor.RestoreOperation, karbor.Verify, karbor.Delete},
	"Idle":  {karbor.Protect, karbor.RestoreOperation, karbor.Verify, karbor.Delete},
}

// tried are the tests of a room that run the conformance suite, by operation.
type tried struct {
	simulated, real map[karbor.OperationType][]string
}

// testsOf reads the tests of a room: which of them call the suite, directly or by way
// of other functions of the tests.
func testsOf(t *testing.T, room string) tried {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", room, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	calls, onReal := map[string][]string{}, map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		tagged := needsCloud(file)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			onReal[f.Name.Name] = tagged
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					calls[f.Name.Name] = append(calls[f.Name.Name], callee(call))
				}
				return true
			})
		}
	}
	out := tried{map[karbor.OperationType][]string{}, map[karbor.OperationType][]string{}}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		if !strings.HasPrefix(name, "Test") {
			continue
		}
		into := out.simulated
		if onReal[name] {
			into = out.real
		}
		for op := range reach(calls, name, map[string]bool{}) {
			into[op] = append(into[op], name)
		}
	}
	return out
}

// needsCloud reports whether a file is for a real OpenStack, or a real Kubernetes, only.
func needsCloud(file *ast.File) bool {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if expr, err := constraint.Parse(c.Text); err == nil && (expr.String() == "openstack" || expr.String() == "kubernetes") {
				return true
			}
		}
	}
	return false
}

// callee names what is called: "f", or "protectiontest.F".
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if p, ok := f.X.(*ast.Ident); ok && p.Name == "protectiontest" {
			return "protectiontest." + f.Sel.Name
		}
	}
	return ""
}

// reach gives the operations that a function tries.
func reach(calls map[string][]string, from string, seen map[string]bool) map[karbor.OperationType]bool {
	out := map[karbor.OperationType]bool{}
	if seen[from] {
		return out
	}
	seen[from] = true
	for _, to := range calls[from] {
		if suite, ok := strings.CutPrefix(to, "protectiontest."); ok {
			for _, op := range covered[suite] {
				out[op] = true
			}
			continue
		}
		maps.Copy(out, reach(calls, to, seen))
	}
	return out
}

// roomOf gives the folder of a plug-in.
func roomOf(p protection.Plugin) string {
	kind := reflect.TypeOf(p)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return strings.TrimPrefix(kind.PkgPath(), "github.com/karbor/karbor/")
}

// coverageOf writes the page.
func coverageOf(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# What is tried of each resource type\n\n" +
		"For each resource type and protection plug-in, and each operation: the test that tries it on the simulated cloud, and the one that tries\n" +
		"it on a real OpenStack (`make test-openstack`) or, of pods, on a real Kubernetes (`make test-kubernetes`). This page is made from the tests by\n" +
		"`go test ./cmd/karbord -run Coverage -update-coverage`; a test fails when it is out of date.\n\n" +
		"Each of these tests runs [the conformance suite](plugin-authors/protection.md#the-suite) or a part of it. Delete needs nothing of a plug-in\n" +
		"that keeps all in the bank: the service clears that.\n\n" +
		"| type | plug-in | operation | simulated | real |\n|---|---|---|---|---|\n")
	words := map[karbor.OperationType]string{karbor.Protect: "protect", karbor.RestoreOperation: "restore", karbor.Verify: "verify", karbor.Delete: "delete"}
	for _, kind := range karbor.ResourceTypes() {
		rows := 0
		for _, d := range sets().Protections {
			p, err := d.Open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(p.Types(), kind) || d.Name() == noop.Name {
				continue
			}
			tests := testsOf(t, roomOf(p))
			for _, op := range []karbor.OperationType{karbor.Protect, karbor.RestoreOperation, karbor.Verify, karbor.Delete} {
				rows++
				simulated, lab := names(tests.simulated[op]), names(tests.real[op])
				if idleHooks(p.Hooks(op, kind)) {
					simulated, lab = "nothing to do: "+simulated, "–"
				}
				fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", kind, d.Name(), words[op], simulated, lab)
			}
		}
		if rows == 0 {
			fmt.Fprintf(&b, "| %s | none | – | – | – |\n", kind)
		}
	}
	return b.String()
}

func idleHooks(h protection.Hooks) bool {
	return h.PrepareBegin == nil && h.PrepareFinish == nil && h.Main == nil && h.Complete == nil
}

// names gives at most three tests, the first by their names.
func names(tests []string) string {
	if len(tests) == 0 {
		return "–"
	}
	const most = 3
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

// TestEachTypeWithAPluginIsTriedWhole finds a plug-in whose operations nothing tries.
func TestEachTypeWithAPluginIsTriedWhole(t *testing.T) {
	for _, d := range sets().Protections {
		p, err := d.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		tests := testsOf(t, roomOf(p))
		for _, op := range covered["Run"] {
			if len(tests.simulated[op]) == 0 {
				t.Errorf("%s: no test runs the suite for %s", d.Name(), op)
			}
		}
	}
}
