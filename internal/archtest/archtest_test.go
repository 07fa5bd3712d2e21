package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestEachPackageImportsOnlyItsOwnFloorOrLower(t *testing.T) {
	for _, fault := range Check(list(t)) {
		t.Error(fault)
	}
}

func TestRulesCatchWhatTheyForbid(t *testing.T) {
	cases := []struct {
		from, to string
		ok       bool
	}{
		{"bank", "", true},
		{"", "bank", false},
		{"internal/store", "internal/workflow/local", true},
		{"internal/workflow", "internal/store", false},
		{"internal/store", "internal/store/ledger", true},
		{"internal/store/copies", "internal/store/ledger", true},
		{"internal/protectionservice", "internal/store/ledger", false},
		{"internal/api/v1/plans", "internal/protectionservice", true},
		{"internal/protectionservice", "internal/api", false},
		{"internal/cli", "client", true},
		{"internal/cli", "internal/store", false},
		{"internal/cli", "internal/openstack", false},
		{"bank/file", "bank", true},
		{"bank/file", "bank/s3", false},
		{"protection/server", "internal/openstack", true},
		{"protection/server", "internal/store", false},
		{"internal/daemon", "bank/file", false},
		{"cmd/karbord", "bank/file", true},
		{"cmd/karbord/bankcommand", "bank/file", true},
		{"internal/protectionservice/flow", "internal/protectionservice/restoration", true},
		{"internal/protectionservice/custody", "internal/operationengine", false},
		{"cmd/karbor", "internal/store", false},
		{"internal/daemon", "internal/testcloud", false},
		{"cmd/karbord", "internal/testcloud", true},
		{"internal/testcloud/nova", "protection", false},
		{"bank/banktest", "bank", true},
		{"bank/file", "bank/banktest", false},
		{"bank/file", "bank/wrap", true},
		{"bank/wrap", "bank/file", false},
		{"examples/zone", "internal/openstack", true},
		{"examples/zone", "internal/store", false},
		{"examples/zone", "protection/share", false},
		{"examples/zone", "examples/other", false},
		{"cmd/karbord", "examples/zone", false},
	}
	for _, c := range cases {
		if why := forbidden(c.from, c.to); (why == "") != c.ok {
			t.Errorf("%q imports %q: allowed = %v, want %v (%s)", c.from, c.to, why == "", c.ok, why)
		}
	}
	if faults := Check([]Package{{Path: "internal/util"}}); len(faults) != 1 {
		t.Errorf("a package without a place gives %q, want one fault", faults)
	}
}

func TestClientBinaryLinksNoDatabaseAndNoPlugin(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", Module+"/cmd/karbor").Output()
	if err != nil {
		t.Fatalf("listing what cmd/karbor links: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		dep := strings.TrimSpace(line)
		path, own := strings.CutPrefix(dep, Module+"/")
		if dep == "database/sql" || strings.HasPrefix(dep, "modernc.org/") || own && wing(path) != "" {
			t.Errorf("cmd/karbor links %s", dep)
		}
	}
}

func TestOnlyItsEngineImportsTemporal(t *testing.T) {
	out := goList(t, "{{.ImportPath}} {{join .Imports \" \"}}")
	found := false
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		for _, to := range fields[1:] {
			if !strings.HasPrefix(to, "go.temporal.io/") {
				continue
			}
			if found = true; fields[0] != Module+"/internal/workflow/temporal" {
				t.Errorf("%s imports %s", fields[0], to)
			}
		}
	}
	if !found {
		t.Error("nothing imports it: the test looks for the wrong thing")
	}
}

func TestEachPluginRoomHasItsConformanceSuite(t *testing.T) {
	out := goList(t, "{{.ImportPath}} {{join .TestImports \" \"}} {{join .XTestImports \" \"}}")
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		path := strings.TrimPrefix(fields[0], Module+"/")
		contracts := []string{wing(path)}
		if isExample(path) {
			contracts = []string{"protectable", "protection"}
		}
		if contracts[0] == "" || strings.Count(path, "/") > 1 {
			continue
		}
		for _, contract := range contracts {
			suite := Module + "/" + contract + "/" + contract + "test"
			if !slices.Contains(fields[1:], suite) {
				t.Errorf("the tests of %s do not run %s", path, suite)
			}
		}
	}
}

func goList(t *testing.T, format string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", format, Module+"/...").Output()
	if err != nil {
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("listing the packages: %v: %s", err, failed.Stderr)
		}
		t.Fatalf("listing the packages: %v", err)
	}
	return string(out)
}

func list(t *testing.T) []Package {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", Module+"/...").Output()
	if err != nil {
		t.Fatalf("listing the packages: %v", err)
	}
	var packages []Package
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("reading the list of packages: %v", err)
		}
		own := Package{Path: strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, Module), "/")}
		for _, i := range p.Imports {
			if i == Module || strings.HasPrefix(i, Module+"/") {
				own.Imports = append(own.Imports, strings.TrimPrefix(strings.TrimPrefix(i, Module), "/"))
			}
		}
		packages = append(packages, own)
	}
}
