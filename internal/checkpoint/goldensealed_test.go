package checkpoint

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/repository/format"
)

// goldenSealed is the bank of golden with keys: its documents are sealed in the domain
// of the project, which a slot for the key file goldenKey opens. Its sealed objects
// are others each time that they are written.
const (
	goldenSealed       = "testdata/layout1-contents-sealed"
	goldenSealedBefore = "testdata/layout1-sealed"
	goldenKey          = "testdata/layout1-sealed.key"
	goldenSlot         = "v1/repositories/" + project + "/slots/30000000-0000-4000-8000-000000000001"
	goldenFormat       = "v1/repositories/" + project + "/format"
)

// goldenRing opens what lies in the golden bank, by its key file.
func goldenRing(t *testing.T, all map[string]string) ring {
	t.Helper()
	d, _, err := format.ParseDocument([]byte(all[goldenFormat]), project)
	must(t, err)
	slot, err := format.ParseSlot([]byte(all[goldenSlot]), filepath.Base(goldenSlot))
	must(t, err)
	text, err := os.ReadFile(goldenKey)
	must(t, err)
	kek, err := format.ParseKeyFile(string(text))
	must(t, err)
	master, err := slot.Unwrap(d, kek)
	must(t, err)
	k, err := d.Unlock(master)
	must(t, err)
	return ring{project: {d, k}}
}

// writeDomain adds the domain's own documents to the objects of a bank.
func writeDomain(t *testing.T, all map[string]string) {
	t.Helper()
	d := newDomain(t, project, 7).document
	kek, err := format.ParseKeyFile("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	must(t, err)
	var master format.Key
	for i := range master {
		master[i] = 7
	}
	slot := &format.Slot{Kind: format.FileSlot, Slot: filepath.Base(goldenSlot), Label: "a key file"}
	must(t, slot.Wrap(d, kek, master, start))
	for key, v := range map[string]any{goldenFormat: d, goldenSlot: slot} {
		text, err := json.Marshal(v)
		must(t, err)
		all[key] = string(text)
	}
	must(t, os.WriteFile(goldenKey, []byte("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"), 0o600))
}

var besideName = regexp.MustCompile(`((?:reasons|contents)(?:/|":"))[0-9a-f]{64}`)

// comparable is a bank's objects, opened, and without what is random in them.
func (r ring) comparable(t *testing.T, all map[string]string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, text := range r.opened(t, all) {
		out[besideName.ReplaceAllString(key, "${1}*")] = besideName.ReplaceAllString(text, "${1}*")
	}
	return out
}

func TestSealedBankLiesAsLayout1Says(t *testing.T) {
	r := ring{project: newDomain(t, project, 7)}
	got := writeSample(t, r)
	if *update {
		all := maps.Clone(got)
		writeDomain(t, all)
		writeGolden(t, goldenSealed, all)
	}
	want := readGolden(t, goldenSealed)
	opened := goldenRing(t, want).comparable(t, want)
	delete(opened, goldenFormat)
	delete(opened, goldenSlot)
	if diff := cmp.Diff(opened, r.comparable(t, got)); diff != "" {
		t.Error(diff)
	}
	// The same documents are sealed as in the bank without keys lie in the clear.
	plain := ring{}.comparable(t, readGolden(t, golden))
	if diff := cmp.Diff(plain, r.comparable(t, got)); diff != "" {
		t.Errorf("with keys and without: %s", diff)
	}
}

func TestSealedGoldenBankIsRead(t *testing.T) {
	for _, folder := range []string{goldenSealed, goldenSealedBefore} {
		t.Run(filepath.Base(folder), func(t *testing.T) { readSealedGoldenBank(t, folder) })
	}
}

func readSealedGoldenBank(t *testing.T, folder string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bank")
	must(t, os.CopyFS(dir, os.DirFS(folder)))
	b, err := file.Open(t.Context(), file.Options{Path: dir})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	cs, err := Open(t.Context(), b, Options{Now: time.Now, Sealer: goldenRing(t, readGolden(t, folder))})
	must(t, err)
	want := sample()
	want.Status, want.Size, want.UpdatedAt = karbor.CheckpointAvailable, 27, start.Add(90*time.Second)
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	if diff := diffCheckpoint(want, got); diff != "" {
		t.Error(diff)
	}
	must(t, cs.Whole(t.Context(), project, cpID))
	docs, err := cs.Documents(project, cpID, volumeNode)
	must(t, err)
	var kept map[string]string
	must(t, docs.GetJSON(t.Context(), "metadata", &kept))
	if kept["volume_id"] != volumeID {
		t.Errorf("kept: %v", kept)
	}
	page, err := cs.List(t.Context(), project, Filter{}, "", 10)
	must(t, err)
	if len(page.Checkpoints) != 3 || page.Unread != nil || len(page.Checkpoints[1].Reasons) != 1 {
		t.Errorf("listed: %+v", page)
	}
	closed, err := Open(t.Context(), b, Options{Now: time.Now})
	must(t, err)
	if _, err := closed.Get(t.Context(), project, cpID); !errors.As(err, new(*ClosedError)) {
		t.Errorf("without the key: %v", err)
	}
}
