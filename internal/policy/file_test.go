package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// policyFile writes a policy file and gives its path.
func policyFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, text)
	return path
}

func TestAFileOverridesRulesAndLeavesTheOthers(t *testing.T) {
	t.Parallel()
	auditor := &karbor.Identity{ProjectID: "p", UserID: "u", Roles: []string{"auditor"}}
	for name, text := range map[string]string{
		"policy.yaml":  "# ours\n\"plan:get\": \"role:auditor\"\nplan:delete: >-\n  role:admin\n  and is_admin:True\nplan:create: rule:creators\ncreators: '!'\n\"restore:create\": \"\"\n",
		"policy.json":  `{"plan:get": "role:auditor", "plan:delete": [["role:admin", "is_admin:True"]], "plan:create": "rule:creators", "creators": "!", "restore:create": []}`,
		"policy2.json": "{\n\t\"plan:get\": [\"role:auditor\"],\n\t\"plan:delete\": \"role:admin and is_admin:True\",\n\t\"plan:create\": \"rule:creators\", \"creators\": \"!\", \"restore:create\": \"@\"\n}\n",
	} {
		e, err := Open(Options{Files: []string{policyFile(t, name, text)}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := map[string]bool{}
		for _, rule := range []string{"plan:get", "plan:delete", "plan:create", "plan:update", "restore:create"} {
			got[rule] = e.Allowed(rule, auditor, Target{ProjectID: "p"})
			got[rule+" elsewhere"] = e.Crosses(rule, auditor)
		}
		want := map[string]bool{
			"plan:get": true, "plan:get elsewhere": true, "plan:delete": false, "plan:delete elsewhere": false,
			"plan:create": false, "plan:create elsewhere": false, "plan:update": true, "plan:update elsewhere": false,
			"restore:create": true, "restore:create elsewhere": true,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestAnOverriddenPersonaReachesAllItsRules(t *testing.T) {
	t.Parallel()
	path := policyFile(t, "policy.yaml", "context_is_admin: role:cloud_admin\nproject_member_or_admin: role:operator and project_id:%(project_id)s\n")
	e, err := Open(Options{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		role         string
		write, cross bool
	}{{"cloud_admin", false, true}, {"operator", true, false}, {"member", false, false}, {"admin", false, false}} {
		id := &karbor.Identity{ProjectID: "p", Roles: []string{tt.role}}
		if e.Allowed("plan:create", id, Target{ProjectID: "p"}) != tt.write || e.Crosses("plan:get", id) != tt.cross {
			t.Errorf("%s: write %t, cross %t", tt.role, !tt.write, !tt.cross)
		}
	}
}

func TestAUserRuleHoldsForTheUsersOwn(t *testing.T) {
	t.Parallel()
	e, err := Open(Options{Files: []string{policyFile(t, "policy.yaml", "\"plan:get\": \"user_id:%(user_id)s\"\n")}})
	if err != nil {
		t.Fatal(err)
	}
	id := &karbor.Identity{ProjectID: "p", UserID: "u", Roles: []string{"member"}}
	for user, want := range map[string]bool{"u": true, "v": false, "": false} {
		if got := e.Allowed("plan:get", id, Target{ProjectID: "p", UserID: user}); got != want {
			t.Errorf("of user %q: %t, want %t", user, got, want)
		}
	}
}

func TestAFormerNameStillWorks(t *testing.T) {
	t.Parallel()
	path := policyFile(t, "policy.yaml", "\"trigger:list\": \"!\"\n")
	e, err := Open(Options{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	if e.Allowed("trigger:get_all", &karbor.Identity{ProjectID: "p", Roles: []string{"admin"}}, Target{ProjectID: "p"}) {
		t.Error("the rule under its former name is passed over")
	}
	found, err := Review(path)
	if err != nil || len(found) != 1 || found[0].Error || !strings.Contains(found[0].Text, "named trigger:get_all now") {
		t.Errorf("review gives %v, %v", found, err)
	}
}

func TestAWrongFileNamesFileLineAndReason(t *testing.T) {
	t.Parallel()
	var chain, blowup strings.Builder
	chain.WriteString("r0: role:a\n")
	blowup.WriteString("r0: role:a\n")
	for i := range MaxChain + 2 {
		fmt.Fprintf(&chain, "r%d: rule:r%d\n", i+1, i)
	}
	for i := range 20 {
		fmt.Fprintf(&blowup, "r%d: rule:r%d and rule:r%d\n", i+1, i, i)
	}
	tests := []struct{ name, text, want string }{
		{"syntax", "a: role:x\n\"plan:get\": \"role:admin an role:x\"\n", `:2: rule plan:get: at character 12: there is no operator before "an"`},
		{"two faults", "a: 'role:'\nb: http:x\n", "behind the colon"},
		{"second of two faults", "a: 'role:'\nb: http:x\n", ":2: rule b: at character 1: checks of the kind http:"},
		{"no YAML", "a: role:x\n b: c\n", ":1: it is not YAML: "},
		{"twice", "a: role:x\na: role:y\n", `:2: it is not YAML: mapping key "a" already defined`},
		{"twice in JSON", "{\"a\": \"role:x\",\n\"a\": \"role:y\"}", ":2: rule a: it stands in line 1 already"},
		{"bare !", "a: !\n", `:1: rule a: a value that begins with ! must stand in quotes`},
		{"null", "a: role:x\nb:\n", `:2: rule b: there is no rule; write "" or "@"`},
		{"null in JSON", "{\n\"b\": null}", ":2: rule b: there is no rule"},
		{"number", "a: 5\n", ":1: rule a: the rule must be a text in quotes, or a list"},
		{"true", "{\"a\": true}", ":1: rule a: the rule must be a text in quotes, or a list"},
		{"map", "a: {b: c}\n", ":1: rule a: the rule must be a text"},
		{"alias", "a: &x role:a\nb: *x\n", ":1: rule a: the rule must be a text"},
		{"list at the top", "- role:x\n", ":1: a policy file is a mapping"},
		{"two documents", "a: role:x\n---\nb: role:y\n", ":3: a second document begins"},
		{"bad name", "\"plan get\": role:x\n", ":1: rule plan get: this is no name of a rule"},
		{"cycle", "a: rule:b\nb: role:x or not rule:c\nc: role:y and rule:a\n", "it leads back to itself: a -> b -> c -> a"},
		{"cycle of one", "\"plan:get\": \"rule:plan:get\"\n", ":1: rule plan:get: it leads back to itself: plan:get -> plan:get"},
		{"cycle by default", "default: rule:nowhere\n", ":1: rule default: it leads back to itself: default -> default"},
		{"cycle through a persona", "admin_or_owner: rule:project_reader_or_admin\n", "it leads back to itself"},
		{"chain", chain.String(), "it leads through more than 64 rules"},
		{"blow-up", blowup.String(), "more than 10000 checks"},
		{"large", "# " + strings.Repeat("x", MaxFile) + "\n", "larger than"},
		{"deep brackets", "a: " + strings.Repeat("[", 2000) + "\n", ":1: more than 1000 brackets are open"},
		{"long line", "a: " + strings.Repeat("x", maxLine) + "\n", ":1: it is longer than 65536 bytes"},
		{"deep list", "a: [[[x:y]]]\n", ":1: rule a: the lists lie too deep"},
	}
	for _, tt := range tests {
		path := policyFile(t, "policy.yaml", tt.text)
		_, err := Open(Options{Files: []string{path}})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "policy file "+path) {
			t.Errorf("%s: the error is %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

func TestAReferenceToNoRuleLeadsToDefaultOrNobody(t *testing.T) {
	t.Parallel()
	admin := &karbor.Identity{ProjectID: "p", Roles: []string{"admin"}}
	for text, want := range map[string]bool{
		"\"plan:get\": \"rule:nowhere\"\n":                    false,
		"\"plan:get\": \"rule:nowhere\"\ndefault: role:admin": true,
	} {
		path := policyFile(t, "policy.yaml", text)
		e, err := Open(Options{Files: []string{path}})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Allowed("plan:get", admin, Target{ProjectID: "p"}); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
		found, err := Review(path)
		if err != nil || len(found) == 0 || !found[0].Error || !strings.Contains(found[0].Text, "rule:nowhere, which is not there") {
			t.Errorf("review gives %v, %v", found, err)
		}
	}
}

func TestReviewTellsWhatCanNotBeMeant(t *testing.T) {
	t.Parallel()
	path := policyFile(t, "policy.yaml", `"plan:burn": "role:x"
"plan:get": "rule:ours or usr_id:%(user_id)s"
"ours": "project_id:%(tenant)s"
"plan:create": "rule:project_member_or_admin"
`)
	found, err := Review(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{
		{1, "plan:burn", "there is no such rule, and no other rule leads to it", true},
		{2, "plan:get", "no caller has the attribute usr_id; the check is never passed", false},
		{3, "ours", "no target has %(tenant)s; the check is never passed", false},
		{4, "plan:create", "it says what the default says", false},
	}
	if d := cmp.Diff(want, found); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTheSampleIsAPolicyFileOfDefaults(t *testing.T) {
	t.Parallel()
	if entries, err := parseFile([]byte(Sample())); err != nil || len(entries) != 0 {
		t.Fatalf("the sample has %d rules, %v", len(entries), err)
	}
	// With the rules no longer comments it is a file that changes nothing but what the
	// old service allowed.
	var text strings.Builder
	for line := range strings.Lines(Sample()) {
		if strings.HasPrefix(line, "#\"") {
			line = line[1:]
		}
		text.WriteString(line)
	}
	entries, s, err := read("sample", []byte(text.String()), false)
	if err != nil || len(entries) != len(Rules()) {
		t.Fatalf("the sample has %d rules of %d, %v", len(entries), len(Rules()), err)
	}
	for _, f := range review(s, entries) {
		if f.Error || f.Text != "it says what the default says" {
			t.Error(f)
		}
	}
}

func TestTheDefaultsCompileAndLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		s, err := compile(nil, strict)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.entries {
			if d := doubts(s, e.check); len(d) > 0 {
				t.Errorf("%s: %v", e.name, d)
			}
		}
	}
	names := map[string]bool{}
	for _, r := range Rules() {
		if names[r.Name] || r.Description == "" || r.Scope != "project" {
			t.Errorf("%+v", r)
		}
		names[r.Name] = true
	}
}

func TestEveryKnownAttributeIsThere(t *testing.T) {
	t.Parallel()
	who := &subject{rules: &set{}, identity: &karbor.Identity{UserID: "u", UserName: "n", ProjectID: "p", ProjectName: "q", Roles: []string{"r"}, FromService: true}}
	for _, name := range credentialNames() {
		if _, ok := who.attribute(name); !ok {
			t.Errorf("a caller has no %s", name)
		}
	}
	for _, name := range targetNames() {
		if _, ok := (&Target{"p", "u"}).attribute(name); !ok {
			t.Errorf("a target has no %s", name)
		}
	}
}
