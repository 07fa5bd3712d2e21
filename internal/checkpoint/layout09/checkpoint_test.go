package layout09_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
)

const sample = "testdata/sample"

// copied is a copy of the sample bank.
func copied(t testing.TB) bankFolder {
	t.Helper()
	b := newBank(t)
	b.dir = filepath.Join(b.dir, "karbor")
	if err := os.CopyFS(b.dir, os.DirFS(sample)); err != nil {
		t.Fatal(err)
	}
	return b
}

// scan gives all that a bank lists: ids with their status, and those that can't be read.
func scan(t testing.TB, c *layout09.Checkpoints) (found map[string]string, unread map[string]error) {
	t.Helper()
	found, unread = map[string]string{}, map[string]error{}
	err := c.Scan(t.Context(), func(cp layout09.Checkpoint) error {
		found[cp.ID] = string(cp.Status)
		return nil
	}, func(id string, err error) { unread[id] = err })
	if err != nil {
		t.Fatal(err)
	}
	return found, unread
}

func TestBankOfPythonKarborIsListed(t *testing.T) {
	found, unread := scan(t, copied(t).open())
	want := map[string]string{
		"022d5da6-f185-49ec-932a-24730270b4f3": "available",
		"027a6338-f057-44ec-9321-3f5ee393c4ea": "available",
		"07c5e449-4522-4e03-b220-00f82abe013a": "deleted",
		"39481f93-cd3b-4a5f-bf2e-29e79ed0035e": "deleted",
		"42afc951-2683-4287-bd7f-5e1bb2268c86": "protecting",
		"5644ed19-6251-4e6b-9ff9-584f7b222c52": "error",
		"cbb31bc2-c6e5-4c77-ab93-c5f25dda8617": "protecting",
	}
	if diff := cmp.Diff(want, found); diff != "" || len(unread) > 0 {
		t.Errorf("%v %s", unread, diff)
	}
}

func TestCheckpointOfPythonKarborIsShown(t *testing.T) {
	c := copied(t).open()
	cp, err := c.Get(t.Context(), "022d5da6-f185-49ec-932a-24730270b4f3")
	if err != nil {
		t.Fatal(err)
	}
	volume := karbor.Resource{Type: karbor.VolumeType, ID: "11111111-1111-4111-8111-111111111110", Name: "v"}
	graph := cp.Graph
	cp.Graph = nil
	want := layout09.Checkpoint{OwnerID: "3262d4f4-f2f0-44fb-ab1e-4f5ec0b913c8", Checkpoint: karbor.Checkpoint{
		ID: "022d5da6-f185-49ec-932a-24730270b4f3", ProjectID: "83a6456f8b56403194dbfa4cf05b2773",
		ProviderID: "0f0f0f0f-1111-4222-8333-444444444444", Status: karbor.CheckpointAvailable,
		Plan: karbor.PlanRecord{
			ID: "7648663c-f8df-41a2-a7fb-e7bdff963d16", Name: "pk", ProviderID: "0f0f0f0f-1111-4222-8333-444444444444",
			Resources: []karbor.Resource{volume},
		},
		ExtraInfo: map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`)},
		CreatedAt: time.Unix(1795220538, 0).UTC(), UpdatedAt: time.Unix(1795220538, 0).UTC(),
	}}
	if diff := cmp.Diff(want, cp); diff != "" {
		t.Error(diff)
	}
	if len(graph.Nodes()) != 1 || graph.Node("volume/11111111-1111-4111-8111-111111111110").Name != "v" {
		t.Errorf("the graph is %v", graph.Nodes())
	}
	// A resource of an unknown type keeps the graph from being read, and nothing else.
	if cp, err := c.Get(t.Context(), "cbb31bc2-c6e5-4c77-ab93-c5f25dda8617"); err != nil || cp.GraphError == nil || cp.Plan.Name != "badtype" {
		t.Errorf("%+v, %v", cp, err)
	}
	for _, id := range []string{"", "../x", karbor.NewID()} {
		if _, err := c.Get(t.Context(), id); karbor.KindOf(err) != karbor.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestSampleIsVerifiedAndNotImported(t *testing.T) {
	c := copied(t).open()
	findings, err := c.Verify(t.Context(), "5644ed19-6251-4e6b-9ff9-584f7b222c52", nil)
	if err != nil || len(findings) != 1 || !errors.As(findings[0].Err, new(*layout09.DamageError)) {
		t.Errorf("%+v, %v", findings, err)
	}
	for id, want := range map[string]string{
		"022d5da6-f185-49ec-932a-24730270b4f3": "is missing",
		"07c5e449-4522-4e03-b220-00f82abe013a": "is deleted",
		"5644ed19-6251-4e6b-9ff9-584f7b222c52": "is error",
	} {
		if _, err := c.Prepare(t.Context(), id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestDamagedIndexIsToldAndPassedOver(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"no JSON":           func(s string) string { return s[1:] },
		"another version":   func(s string) string { return strings.Replace(s, "0.9", "1.0", 1) },
		"another's":         func(s string) string { return strings.Replace(s, "022d5da6", "122d5da6", 1) },
		"no status":         func(s string) string { return strings.Replace(s, `"available"`, `"fine"`, 1) },
		"a wild project":    func(s string) string { return strings.Replace(s, "83a6456f8b56403194dbfa4cf05b2773", "../..", 1) },
		"no plan":           func(s string) string { return strings.Replace(s, "protection_plan", "plan", 1) },
		"no time":           func(s string) string { return strings.Replace(s, "1795220538", "-1", 1) },
		"a time far off":    func(s string) string { return strings.Replace(s, "1795220538", "1e300", 1) },
		"a bad extra_info":  func(s string) string { return strings.Replace(s, `{\"created_by\"`, `[\"created_by\"`, 1) },
		"a list for a plan": func(s string) string { return "[" + s + "]" },
	} {
		t.Run(name, func(t *testing.T) {
			b := copied(t)
			const key = "checkpoints/022d5da6-f185-49ec-932a-24730270b4f3/index.json"
			text, err := os.ReadFile(filepath.Join(b.dir, key))
			if err != nil {
				t.Fatal(err)
			}
			changed := change(string(text))
			if changed == string(text) {
				t.Fatal("nothing was changed")
			}
			b.put(key, changed)
			found, unread := scan(t, b.open())
			if len(found) != 6 || len(unread) != 1 || unread["022d5da6-f185-49ec-932a-24730270b4f3"] == nil {
				t.Errorf("%v, unread %v", found, unread)
			}
		})
	}
}

func TestCheckpointIsRemovedWithItsIndices(t *testing.T) {
	const id = "5644ed19-6251-4e6b-9ff9-584f7b222c52"
	b := copied(t)
	// Older banks have entries without the project.
	b.put("indices/by-provider/cf56bd3e-97a7-4078-b6d5-f36246333fd9/1795221166@"+id, id)
	c := b.open()
	if err := c.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(b.dir, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(path, id) {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := scan(t, c); len(found) != 6 {
		t.Errorf("there are %v", found)
	}
	if err := c.Remove(t.Context(), id); karbor.KindOf(err) != karbor.NotFound || err == nil {
		t.Errorf("again: %v", err)
	}
	// What an interrupted deletion left goes, too.
	b.put("checkpoints/"+id+"/resource-data/x/data_1", "left")
	if err := c.Remove(t.Context(), id); err != nil {
		t.Error(err)
	}
}
