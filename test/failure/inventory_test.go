package failure

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// inventory lists all that the projects have in the cloud, by kind and id. What is
// going away is waited for.
func (s *site) inventory() []string {
	s.t.Helper()
	watching := s.tenant(watcher)
	project := watching.user.ProjectID
	lists := []struct{ path, member string }{
		{"/image/v2/images?limit=1000&visibility=all", "images"},
		{"/volume/v3/" + project + "/volumes/detail" + everywhere, "volumes"},
		{"/volume/v3/" + project + "/snapshots/detail" + everywhere, "snapshots"},
		{"/volume/v3/" + project + "/backups/detail" + everywhere, "backups"},
		{"/compute/v2.1/servers/detail" + everywhere, "servers"},
		{"/network/v2.0/ports", "ports"},
		{"/network/v2.0/networks", "networks"},
		{"/network/v2.0/routers", "routers"},
		{"/network/v2.0/floatingips", "floatingips"},
		{"/network/v2.0/security-groups", "security_groups"},
		{"/v3/OS-TRUST/trusts" + s.trusts(), "trusts"},
	}
	var all []string
	await(s.t, "what is being deleted in the cloud", func() bool {
		all = nil
		for _, l := range lists {
			a := s.cloud.Do(s.t, watching.token, "GET", l.path, nil)
			var body map[string]json.RawMessage
			var items []struct{ ID, Status, Name string }
			if json.Unmarshal(a.Body, &body) != nil || json.Unmarshal(body[l.member], &items) != nil || a.Status != http.StatusOK {
				s.t.Fatalf("GET %s: %d %s", l.path, a.Status, a.Body)
			}
			for _, i := range items {
				if i.Status == "deleting" {
					return false
				}
				// Neutron makes a project's default group when the project first asks for its
				// groups, as the janitor does; nobody can remove it.
				if l.member == "security_groups" && i.Name == "default" {
					continue
				}
				all = append(all, l.member+" "+i.ID)
			}
		}
		return true
	})
	slices.Sort(all)
	return all
}

// idle is the inventory when no operation has anything left to give back: trusts are
// revoked a moment after an operation's end.
func (s *site) idle() []string {
	s.t.Helper()
	var all []string
	await(s.t, "the trusts of what is over", func() bool {
		all = s.inventory()
		return !slices.ContainsFunc(all, func(l string) bool { return strings.HasPrefix(l, "trusts ") && !slices.Contains(s.earlier, l) })
	})
	return all
}

// same waits until the cloud has what it had: trusts are given back a moment after
// the operation's end.
func (s *site) same(t *testing.T, before []string) {
	t.Helper()
	var now []string
	for range 50 {
		if now = s.inventory(); slices.Equal(before, now) {
			return
		}
	}
	t.Errorf("the cloud has changed (-before +now):\n%s", cmp.Diff(before, now))
}

// bankFiles lists the files of a provider's bank that lie below a folder of a name.
func (s *site) bankFiles(provider, folder string) []string {
	s.t.Helper()
	roots := map[string]string{bankProvider: "bank", imageProvider: "bank-images", noopProvider: "bank-noop"}
	var files []string
	err := filepath.WalkDir(filepath.Join(s.dir, roots[provider]), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "/"+folder+"/") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}
