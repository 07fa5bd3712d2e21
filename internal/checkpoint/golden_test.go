package checkpoint

import (
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/repository/chunks"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is a complete bank: each file under it is an object, whose key is the
// file's path with the closing "=" cut off, as a file bank has it. goldenBefore is the same bank as it
// was written before there were lists of contents.
const (
	golden       = "testdata/layout1-contents"
	goldenBefore = "testdata/layout1"
)

// writeSample makes the bank of the golden files: an available checkpoint, one in
// error, one that is being deleted, and a tombstone.
func writeSample(t *testing.T, s Sealer) map[string]string {
	t.Helper()
	m, _ := makeSample(t, s)
	return m.Snapshot()
}

func makeSample(t *testing.T, s Sealer) (*banktest.Memory, *Checkpoints) {
	t.Helper()
	c := newClock()
	m := memory(c)
	cs, err := Open(t.Context(), m, Options{Owner: "worker-1", Now: c.Now, Sealer: s})
	must(t, err)
	cs.lease.instance = "5d0c7b1e-3f64-4a0e-8a4b-0b9c1d2e3f40"
	must(t, cs.Lease().Acquire(t.Context()))
	must(t, cs.Create(t.Context(), sample()))
	c.move(90 * time.Second)
	docs, err := cs.Documents(project, cpID, karbor.NodeKey("volume/"+volumeID))
	must(t, err)
	must(t, docs.CreateJSON(t.Context(), "metadata", map[string]string{"volume_id": volumeID}))
	data, err := cs.Data(project, cpID, karbor.NodeKey("volume/"+volumeID))
	must(t, err)
	writeData(t, data)
	must(t, cs.SetState(t.Context(), project, cpID, karbor.CheckpointAvailable, Change{Size: 27}))

	must(t, cs.Create(t.Context(), other("a1b2c3d4-0000-4000-8000-000000000001", time.Hour)))
	must(t, cs.SetState(t.Context(), project, "a1b2c3d4-0000-4000-8000-000000000001", karbor.CheckpointError,
		Change{Reasons: map[string]string{"OS::Cinder::Volume#" + volumeID: "volume " + volumeID + " could not be found"}}))

	for _, id := range []string{"a1b2c3d4-0000-4000-8000-000000000002", "a1b2c3d4-0000-4000-8000-000000000003"} {
		must(t, cs.Create(t.Context(), other(id, 24*time.Hour)))
		must(t, cs.SetState(t.Context(), project, id, karbor.CheckpointAvailable, Change{}))
		must(t, cs.SetState(t.Context(), project, id, karbor.CheckpointDeleting, Change{}))
	}
	must(t, cs.Purge(t.Context(), project, "a1b2c3d4-0000-4000-8000-000000000003"))
	c.move(time.Minute)
	must(t, cs.Lease().Renew(t.Context()))
	return m, cs
}

// bulk is the content of the sample's bulk data: chunks of 8 bytes, of which the
// second is zero.
const bulk = "karbor 1\x00\x00\x00\x00\x00\x00\x00\x00karbor 3end"

// writeData writes the bulk data as the repository's golden files have it; its
// writer itself takes a random name.
func writeData(t *testing.T, data *bank.Section) {
	t.Helper()
	const writer = "volume/00112233445566778899aabbccddeeff/"
	manifest, err := os.ReadFile("../repository/chunks/testdata/chunks1/manifest.json")
	must(t, err)
	for key, text := range map[string]string{
		writer + "00000001": bulk[:8], writer + "00000003": bulk[16:24], writer + "00000004": bulk[24:],
		"volume/manifest": string(manifest),
	} {
		must(t, data.Create(t.Context(), key, strings.NewReader(text), int64(len(text))))
	}
}

func readGolden(t *testing.T, golden string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(golden, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		key := strings.TrimSuffix(filepath.ToSlash(strings.TrimPrefix(path, golden+"/")), "=")
		out[key] = string(text)
		return err
	}))
	return out
}

func writeGolden(t *testing.T, golden string, all map[string]string) {
	t.Helper()
	must(t, os.RemoveAll(golden))
	for key, text := range all {
		path := filepath.Join(golden, key) + "="
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

func TestBankLiesAsLayout1Says(t *testing.T) {
	got := writeSample(t, nil)
	if *update {
		writeGolden(t, golden, got)
	}
	if diff := cmp.Diff(readGolden(t, golden), got); diff != "" {
		t.Error(diff)
	}
}

func TestGoldenBankIsRead(t *testing.T) {
	for _, folder := range []string{golden, goldenBefore} {
		t.Run(filepath.Base(folder), func(t *testing.T) { readGoldenBank(t, folder) })
	}
}

func readGoldenBank(t *testing.T, folder string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bank")
	must(t, os.CopyFS(dir, os.DirFS(folder)))
	b, err := file.Open(t.Context(), file.Options{Path: dir})
	must(t, err)
	defer func() { must(t, b.Close()) }()
	cs, err := Open(t.Context(), b, Options{Now: newClock().Now})
	must(t, err)

	want := sample()
	want.Status, want.Size, want.UpdatedAt = karbor.CheckpointAvailable, 27, start.Add(90*time.Second)
	got, err := cs.Get(t.Context(), project, cpID)
	must(t, err)
	if diff := diffCheckpoint(want, got); diff != "" {
		t.Error(diff)
	}
	must(t, cs.Whole(t.Context(), project, cpID))
	data, err := cs.Data(project, cpID, karbor.NodeKey("volume/"+volumeID))
	must(t, err)
	streams, err := chunks.New(data, chunks.Options{})
	must(t, err)
	stream, err := streams.Open(t.Context(), "volume")
	must(t, err)
	text, err := io.ReadAll(stream)
	must(t, err)
	must(t, stream.Close())
	if string(text) != bulk {
		t.Errorf("bulk data: %q", text)
	}
	page, err := cs.List(t.Context(), project, Filter{ProviderID: provider}, "", 10)
	must(t, err)
	var statuses []karbor.CheckpointStatus
	for _, cp := range page.Checkpoints {
		statuses = append(statuses, cp.Status)
	}
	if diff := cmp.Diff([]karbor.CheckpointStatus{karbor.CheckpointAvailable, karbor.CheckpointError, karbor.CheckpointDeleting}, statuses); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"OS::Cinder::Volume#" + volumeID: "volume " + volumeID + " could not be found"}, page.Checkpoints[1].Reasons); diff != "" {
		t.Error(diff)
	}
	zombies, err := cs.Zombies(t.Context(), nil)
	must(t, err)
	// The sample's lease has run out long ago, by this bank's clock.
	if len(zombies) != 1 || zombies[0].ID != "a1b2c3d4-0000-4000-8000-000000000002" {
		t.Errorf("zombies: %+v", zombies)
	}
	_, err = cs.Get(t.Context(), project, "a1b2c3d4-0000-4000-8000-000000000003")
	wantKind(t, err, karbor.NotFound)
}
