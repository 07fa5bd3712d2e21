package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/protectionservice/janitor"
	"github.com/karbor/karbor/internal/testcloud"
	"github.com/karbor/karbor/internal/testcloud/testcloudtest"
	"github.com/karbor/karbor/protection"
)

const bankForJanitor = `id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01
name: bank
bank: {plugin: karbor-file-bank, options: {path: DIR/bank}}
plugins: [{plugin: karbor-noop-plugin}]
`

// janitorSettings writes the files of a Karbor whose service user is an administrator of
// the cloud, and gives their folder.
func janitorSettings(t *testing.T, cloud *testcloudtest.Cloud) string {
	t.Helper()
	admin, _ := cloud.User("admin")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "providers"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"password":            admin.Password,
		"providers/bank.yaml": strings.ReplaceAll(bankForJanitor, "DIR", dir),
		"karbord.yaml": "keystone: {auth_url: '" + cloud.URL() + "', username: " + admin.Name + ", project: " + admin.ProjectName +
			", password_file: " + dir + "/password}\nstate: " + dir + "\nproviders: " + dir + "/providers\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := run(t, "db", "upgrade", "--config", filepath.Join(dir, "karbord.yaml")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestJanitorListsAndRemovesOrphans(t *testing.T) {
	// The cloud's clock is behind: so what is made is old for the janitor.
	cloud := testcloudtest.Start(t, func(o *testcloud.Options) {
		o.Now = func() time.Time { return time.Now().Add(-100 * time.Hour) }
	})
	dir := janitorSettings(t, cloud)
	path := filepath.Join(dir, "karbord.yaml")
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.ServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	token := cloud.Client(t, "demo").TokenID
	image := func(installation, provider string) string {
		call := protection.Call{
			Owner: karbor.NewID(), Installation: installation, ProviderID: provider,
			Node: &karbor.Node{Resource: karbor.Resource{Type: karbor.ImageType, ID: karbor.NewID()}},
		}
		body := map[string]any{"name": call.Name(), "disk_format": "raw", "container_format": "bare"}
		for k, v := range call.TemporaryTags() {
			body[k] = v
		}
		var made struct{ ID string }
		if a := cloud.Do(t, token, "POST", "/image/v2/images", body); json.Unmarshal(a.Body, &made) != nil || made.ID == "" {
			t.Fatalf("making an image: %d %s", a.Status, a.Body)
		}
		return made.ID
	}
	ours, lost := janitor.Installation(key), strings.Repeat("ab", 16)
	one, two, three := image(ours, "p1"), image(ours, "p2"), image(lost, "p1")
	verdicts := func(args ...string) map[string]string {
		t.Helper()
		out, err := run(t, append([]string{"janitor", "-f", "json", "--config", path}, args...)...)
		var found []left
		if err != nil || json.Unmarshal([]byte(out), &found) != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		got := map[string]string{}
		for _, l := range found {
			got[l.ID] = l.Verdict
		}
		return got
	}
	for _, step := range []struct {
		args []string
		want map[string]string
	}{
		{[]string{"--dry-run"}, map[string]string{one: "orphan", two: "orphan"}},
		{nil, map[string]string{one: "orphan", two: "orphan"}},
		{[]string{"--any"}, map[string]string{one: "orphan", two: "orphan", three: "spared"}},
		{[]string{"--provider", "p2", "--remove"}, map[string]string{two: "removed"}},
		{[]string{"--project", "another", "--remove"}, map[string]string{}},
		{[]string{"--any", "--remove"}, map[string]string{one: "removed", three: "spared"}},
		{[]string{"--installation", lost, "--remove"}, map[string]string{three: "removed"}},
		{[]string{"--any"}, map[string]string{}},
	} {
		if diff := cmp.Diff(step.want, verdicts(step.args...)); diff != "" {
			t.Errorf("janitor %q (-want +got):\n%s", step.args, diff)
		}
	}
	if a := cloud.Do(t, token, "GET", "/image/v2/images/"+one, nil); a.Status != http.StatusNotFound {
		t.Errorf("what was removed is there: %d", a.Status)
	}
	if _, err := run(t, "janitor", "--dry-run", "--remove", "--config", path); err == nil {
		t.Error("it lists and removes")
	}
}
