package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pages are the pages whose blocks are run.
func pages(t *testing.T) []string {
	t.Helper()
	all := []string{"../../README.md"}
	for _, pattern := range []string{"../../docs/tenants/*.md", "../../docs/operators/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d pages, error %v", pattern, len(found), err)
		}
		all = append(all, found...)
	}
	return all
}

func TestTheCommandsOfThePagesDoWhatThePagesSay(t *testing.T) {
	s := &site{bin: build(t)}
	for _, path := range pages(t) {
		t.Run(strings.TrimPrefix(path, "../../"), func(t *testing.T) {
			t.Parallel()
			// Each page finds what its reader finds.
			sh := s.open(t)
			for _, b := range pageOf(t, path) {
				switch {
				case b.kind == "first":
					if out, err := sh.run(t, "set -e\n"+strings.Join(b.lines, "\n")+"\nset +e"); err != nil {
						t.Fatalf("line %d: %v\n%s", b.line, err, strings.Join(out, "\n"))
					}
				case b.kind == "console" && b.reason == "":
					sh.follow(t, b)
				case b.kind == "" || slices.Contains([]string{"sh", "bash", "shell"}, b.kind):
					t.Errorf("line %d: the block is of no kind that is run: commands are in blocks of the kind console", b.line)
				}
			}
		})
	}
	t.Run("yaml", func(t *testing.T) {
		t.Parallel()
		checkFiles(t, s)
	})
}

// follow runs the commands of a block.
func (sh *shell) follow(t *testing.T, b block) {
	t.Helper()
	steps, err := b.steps()
	if err != nil {
		t.Fatalf("%v: a block that is not run needs a line <!-- not run: why --> above it", err)
	}
	for _, st := range steps {
		out, err := sh.run(t, st.command)
		if err != nil {
			t.Fatalf("line %d: %s: %v\n%s", st.line, st.command, err, strings.Join(out, "\n"))
		}
		if st.output != nil && !matches(st.output, out) {
			t.Errorf("line %d: %s\nprinted:\n%s\nnot:\n%s", st.line, st.command, strings.Join(out, "\n"), strings.Join(st.output, "\n"))
		}
	}
}

// checkFiles has karbord check the files that the operators' pages show.
func checkFiles(t *testing.T, s *site) {
	checked := map[string]int{}
	for _, path := range pages(t) {
		if !strings.Contains(path, "operators") {
			continue
		}
		for _, b := range pageOf(t, path) {
			if b.kind != "yaml" || b.reason != "" {
				continue
			}
			kind, command := check(strings.Join(b.lines, "\n") + "\n")
			checked[kind]++
			sh := s.open(t)
			if err := os.WriteFile(filepath.Join(sh.dir, "file.yaml"), []byte(strings.Join(b.lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := sh.run(t, command); err != nil {
				t.Errorf("%s, line %d: %s: %v\n%s", path, b.line, kind, err, strings.Join(out, "\n"))
			}
		}
	}
	for _, kind := range []string{"provider", "policy", "configuration"} {
		if checked[kind] == 0 {
			t.Errorf("no %s file was checked", kind)
		}
	}
}

// check tells what kind of file a text is, and the command that checks file.yaml.
func check(text string) (kind, command string) {
	switch {
	case strings.Contains(text, "\nplugins:"):
		return "provider", providerCheck
	case strings.Contains(text, `": "`):
		return "policy", "karbord policy check --file file.yaml"
	case !strings.Contains(text, "keystone:"):
		return "configuration", `printf 'keystone:\n  auth_url: http://keystone.example:5000/v3\n  password_file: /etc/karbor/keystone.password\n' >> file.yaml
karbord config check --config file.yaml`
	}
	return "configuration", "karbord config check --config file.yaml"
}

// providerCheck has the file lie where the configuration says, with a bank that is there.
const providerCheck = `mkdir providers.d bank
echo secret > bank.secret
karbord bank keys new bank.key
sed "s#/srv/karbor/bank#$PWD/bank#; s#/etc/karbor/bank.key#$PWD/bank.key#" file.yaml > providers.d/bank.yaml
printf 'providers: %s/providers.d\nkeystone:\n  auth_url: http://keystone.example:5000/v3\n  password_file: /etc/karbor/keystone.password\n' "$PWD" > karbord.yaml
karbord config check --config karbord.yaml --providers`
