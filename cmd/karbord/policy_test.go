package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run gives what a command line prints, and its error.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := command(&out, &errOut)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func policyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPolicySampleIsAGoodPolicyFile(t *testing.T) {
	sample, err := run(t, "policy", "sample")
	if err != nil || !strings.Contains(sample, `#"plan:create": "rule:project_member_or_admin"`) {
		t.Fatalf("%v: %.300s", err, sample)
	}
	path := policyFile(t, sample)
	if out, err := run(t, "policy", "check", "--file", path); err != nil || out != path+": good\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestPolicyCheckTellsErrorsAndNotes(t *testing.T) {
	path := policyFile(t, "\"plan:burn\": \"@\"\n\"plan:get\": \"rule:nobody\"\n\"plan:create\": \"usr:%(user_id)s\"\n")
	out, err := run(t, "policy", "check", "--file", path)
	if err == nil || !strings.Contains(err.Error(), "2 of its rules") {
		t.Errorf("the error is %v", err)
	}
	for _, want := range []string{
		path + ": line 1: error: rule plan:burn: there is no such rule",
		path + ": line 2: error: rule plan:get: it leads to rule:nobody, which is not there",
		path + ": line 3: note: rule plan:create: no caller has the attribute usr",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	path = policyFile(t, "\"plan:get\": \"role:x or\"\n")
	if _, err := run(t, "policy", "check", "--file", path); err == nil || !strings.Contains(err.Error(), path+":1: rule plan:get: at its end: a check is missing") {
		t.Errorf("the error is %v", err)
	}
	if _, err := run(t, "policy", "check", "--file", path+".not"); err == nil {
		t.Error("a file that is not there is good")
	}
}

func TestPolicyCheckFindsTheFileBesideTheConfiguration(t *testing.T) {
	path := policyFile(t, "\"plan:get\": \"role:x or\"\n")
	settings := filepath.Join(filepath.Dir(path), "karbord.yaml")
	if err := os.WriteFile(settings, []byte("keystone: {auth_url: 'http://k/v3', password_file: /p}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "policy", "check", "--config", settings); err == nil || !strings.Contains(err.Error(), path+":1:") {
		t.Errorf("the error is %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "policy", "check", "--config", settings); err != nil || !strings.Contains(out, "the defaults hold") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestPolicyListSaysWhichRulesATokenPasses(t *testing.T) {
	path := policyFile(t, "\"plan:get\": \"role:auditor\"\n")
	for _, tt := range []struct {
		args string
		want map[string]string
	}{
		{"--roles reader", map[string]string{"plan:get_all": "yes", "plan:create": "no", "plan:get_all_tenants": "no"}},
		{"--roles member,reader", map[string]string{"plan:create": "yes", "quota:update": "no", "provider:checkpoint_hold": "no"}},
		{"--roles manager --project-owner", map[string]string{"plan:create": "yes", "provider:checkpoint_hold": "yes"}},
		{"--roles member --other-project", map[string]string{"plan:get": "no", "plan:create": "no"}},
		{"--roles admin --other-project", map[string]string{"plan:get": "yes", "plan:get_all_tenants": "yes"}},
		{"--is-admin", map[string]string{"plan:get": "yes", "quota:update": "yes"}},
		{"--roles creator", map[string]string{"plan:create": "yes"}},
		{"--roles creator --enforce-new-defaults", map[string]string{"plan:create": "no", "plan:get": "no"}},
		{"--roles auditor --other-project --file " + path, map[string]string{"plan:get": "yes", "plan:get_all": "no"}},
	} {
		out, err := run(t, append([]string{"policy", "list"}, strings.Fields(tt.args)...)...)
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		got := map[string]string{}
		for line := range strings.Lines(out) {
			fields := strings.Fields(line)
			got[fields[1]] = fields[0]
		}
		for rule, want := range tt.want {
			if got[rule] != want {
				t.Errorf("%s: %s is %q, want %q", tt.args, rule, got[rule], want)
			}
		}
	}
	for _, bad := range []string{"", "--roles a --project-owner --other-project", "--roles a --file /no/such/file"} {
		if _, err := run(t, append([]string{"policy", "list"}, strings.Fields(bad)...)...); err == nil {
			t.Errorf("list %s is taken", bad)
		}
	}
}
