package survey_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the golden bank of layout 1 has.
const (
	project   = "0b5e2c1ac7b94b6c9b3d5c1f0a7e4d21"
	available = project + "/8b0f1d6e-52a4-4c8e-9c3b-6a1e7d2f4b90"
	deleting  = project + "/a1b2c3d4-0000-4000-8000-000000000002"
	volume    = "v1/checkpoints/" + available + "/nodes/volume/1de3cb23-6f0c-4e09-9b12-8d5e3a7c6f42"
	firstPart = volume + "/data/volume/00112233445566778899aabbccddeeff/00000001"
	domain    = "v1/repositories/0123456789abcdef0123456789abcdef"
)

var later = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// golden gives a bank in memory with the files of golden banks: that of layout 1, and
// that of the repository.
func golden(t testing.TB) *banktest.Memory {
	t.Helper()
	m := banktest.NewMemory()
	m.SetNow(func() time.Time { return later })
	for _, dir := range []string{"../testdata/layout1-contents", "../../../test/reader/testdata/golden/v1/bank"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			put(t, m, strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(path), dir+"/"), "="), string(text))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func put(t testing.TB, m *banktest.Memory, key, text string) {
	t.Helper()
	if err := m.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, m *banktest.Memory, key string) {
	t.Helper()
	if _, there := m.Snapshot()[key]; !there {
		t.Fatalf("there is no %s", key)
	}
	if err := m.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, m *banktest.Memory) *checkpoint.Checkpoints {
	t.Helper()
	c, err := checkpoint.Open(t.Context(), m, checkpoint.Options{Now: func() time.Time { return later }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func putChecked(t testing.TB, m *banktest.Memory, key, text string) {
	t.Helper()
	put(t, m, key, string(format.AddDigest(key, []byte(text))))
}

func TestLookCountsWhatLiesThere(t *testing.T) {
	m := golden(t)
	put(t, m, "backup/of/something", "12345")
	put(t, m, "v1/leases/living/00000007", `{"layout":1,"owner":"living","instance":"x","sequence":7,"renewed_at":"2029-12-31T23:59:00Z","expires_at":"2030-01-01T00:09:00Z"}`)
	put(t, m, domain+"/sessions/00000000-0000-4000-8000-000000000001/00000001", `{"format":"repository/1"}`)
	putChecked(t, m, domain+"/sessions/00000000-0000-4000-8000-000000000001/00000002",
		`{"format":"repository/1","epoch":3,"renewed_at":"2029-12-31T23:59:00Z","expires_at":"2030-01-01T00:09:00Z"}`)
	put(t, m, domain+"/epochs/00000002", `{}`)
	putChecked(t, m, domain+"/epochs/00000003", `{"format":"repository/1","epoch":3,"condemned":["a","b","c"],"gone":["b"]}`)
	put(t, m, domain+"/requires/readers/another-cipher", `{}`)
	s, err := survey.Look(t.Context(), m, open(t, m), nil)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]int64{}
	for _, a := range s.Areas {
		objects[a.Name] = a.Objects
	}
	want := map[string]int64{"states": 8, "documents": 6, "data": 14, "indices": 9, "leases": 3, "repositories": 33, "unknown": 1}
	if diff := cmp.Diff(want, objects); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	var sums []string
	for _, c := range s.Checkpoints {
		sums = append(sums, fmt.Sprint(c.Status, " ", c.Number, " ", c.Size))
	}
	if diff := cmp.Diff([]string{"available 1 27", "error 1 0", "deleting 1 0", "deleted 1 0"}, sums); diff != "" {
		t.Errorf("checkpoints (-want +got):\n%s", diff)
	}
	var owners []string
	for _, o := range s.Owners {
		owners = append(owners, fmt.Sprint(o.Name, " ", o.Alive, " ", o.Works))
	}
	if diff := cmp.Diff([]string{"living true []", "worker-1 false [" + deleting + "]"}, owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if len(s.Domains) != 1 {
		t.Fatalf("there are %d domains", len(s.Domains))
	}
	d := s.Domains[0]
	if len(d.Slots) != 3 || d.Slots[1].Kind != "file" || d.Slots[1].Label != "a key file" || d.Packs.Objects != 8 || d.Pages.Objects != 8 ||
		d.Segments.Objects != 8 || d.Epoch != 3 || d.Condemned != 2 || len(d.Sessions) != 1 || !d.Sessions[0].Alive || d.Sessions[0].Epoch != 3 || d.Damage != nil {
		t.Errorf("the domain is %+v", d)
	}
	if !slices.Equal(d.Requires, []string{"readers/another-cipher"}) {
		t.Errorf("it asks for %q", d.Requires)
	}
	if !slices.Equal(s.Examples, []string{"backup/of/something"}) {
		t.Errorf("unknown keys: %q", s.Examples)
	}
}

func TestStreamsOfACheckpointAreFoundWithoutAKey(t *testing.T) {
	m := golden(t)
	put(t, m, volume+"/data/other/manifest", `{"format":"repository/1","domain":"d","repository":"00","size":5}`)
	put(t, m, volume+"/data/bad/manifest", "{")
	put(t, m, volume+"/data/unfinished/00112233445566778899aabbccddeeff/00000001", "{")
	got, err := survey.Streams(t.Context(), open(t, m), project, strings.TrimPrefix(available, project+"/"))
	if err != nil {
		t.Fatal(err)
	}
	const node = "volume/1de3cb23-6f0c-4e09-9b12-8d5e3a7c6f42"
	want := []survey.Stream{
		{Node: node, Name: "bad", Damage: "its manifest is no document: unexpected end of JSON input"},
		{Node: node, Name: "other", Format: "repository/1", Domain: "d", Repository: "00", Size: 5},
		{Node: node, Name: "volume", Format: "chunks/1", Size: 28},
	}
	want[2].Size = got[len(got)-1].Size
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want[2].Size == 0 {
		t.Error("the stream is empty")
	}
}

// check gives the findings of a bank, one to a line.
func check(t testing.TB, m *banktest.Memory) ([]string, survey.Result) {
	t.Helper()
	var found []string
	r, err := survey.Check(t.Context(), m, open(t, m), survey.CheckOptions{Found: func(f survey.Finding) error {
		level := "note"
		if f.Damage {
			level = "damage"
		}
		found = append(found, level+" "+f.Checkpoint+" "+f.Place+": "+f.Text)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return found, r
}

func TestCheckFindsNothingButUnfinishedWorkInGoldenBanks(t *testing.T) {
	found, r := check(t, golden(t))
	want := []string{
		// The repository's golden bank has streams without a checkpoint.
		"note 0123456789abcdef0123456789abcdef/0a1b2c3d-0001-4002-8003-000000000004 v1/checkpoints/0123456789abcdef0123456789abcdef/0a1b2c3d-0001-4002-8003-000000000004: something lies here, and there is no such checkpoint: one that was never begun, or garbage",
		"note " + deleting + " v1/leases/worker-1: worker-1 has left it unfinished: a service of this bank finishes or fails it",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(survey.Result{Checkpoints: 4, Streams: 1, Domains: 1, Notes: 2}, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckNamesEachDamage(t *testing.T) {
	const index = "v1/indices/by-plan/" + project + "/3f3e1b64-5b1f-4b0c-8f4e-2a6d1c9b7e55/20240301T120000.123456Z@8b0f1d6e-52a4-4c8e-9c3b-6a1e7d2f4b90"
	for _, test := range []struct {
		name, want string
		harm       func(t testing.TB, m *banktest.Memory)
	}{
		{"a missing description", "damage " + available + " v1/checkpoints/" + available + ": a document of it is missing",
			func(t testing.TB, m *banktest.Memory) { remove(t, m, "v1/checkpoints/"+available+"/description") }},
		{"a damaged description", "damage " + available + " v1/checkpoints/" + available + ": ",
			func(t testing.TB, m *banktest.Memory) { put(t, m, "v1/checkpoints/"+available+"/description", "{") }},
		{"a missing entry", "damage " + available + " " + index + ": its entry in an index is missing",
			func(t testing.TB, m *banktest.Memory) { remove(t, m, index) }},
		{"a lost document", "damage " + available + " " + volume + "/documents/metadata: documents/metadata was there when the checkpoint became available",
			func(t testing.TB, m *banktest.Memory) { remove(t, m, volume+"/documents/metadata") }},
		{"a lost manifest", "damage " + available + " " + volume + "/data/volume/manifest: data/volume/manifest was there when",
			func(t testing.TB, m *banktest.Memory) { remove(t, m, volume+"/data/volume/manifest") }},
		{"a lost list of contents", "damage " + available + " v1/checkpoints/" + available + "/contents: its list of contents is missing",
			func(t testing.TB, m *banktest.Memory) {
				for key := range m.Snapshot() {
					if strings.Contains(key, "/contents/") {
						remove(t, m, key)
					}
				}
			}},
		{"a missing chunk", "the stream volume: the data volume in the bank is damaged: chunk 1 is missing",
			func(t testing.TB, m *banktest.Memory) { remove(t, m, firstPart) }},
		{"a short chunk", "chunk 1 has 3 bytes and not 8",
			func(t testing.TB, m *banktest.Memory) { put(t, m, firstPart, "abc") }},
		{"a damaged manifest", "the stream volume: its manifest is no document",
			func(t testing.TB, m *banktest.Memory) { put(t, m, volume+"/data/volume/manifest", "[]") }},
		{"a stream of another domain", `its key domain "elsewhere" is not in this bank`,
			func(t testing.TB, m *banktest.Memory) {
				put(t, m, volume+"/data/more/manifest", `{"format":"repository/1","domain":"elsewhere","repository":"00","size":5}`)
			}},
		{"a stream of another repository", `it is of the repository "00"`,
			func(t testing.TB, m *banktest.Memory) {
				put(t, m, volume+"/data/more/manifest", `{"format":"repository/1","domain":"0123456789abcdef0123456789abcdef","repository":"00","size":5}`)
			}},
		{"no valid state", "damage " + available + " v1/states/" + available + ": it has no valid state",
			func(t testing.TB, m *banktest.Memory) {
				put(t, m, "v1/states/"+available+"/00000001", "{}")
				put(t, m, "v1/states/"+available+"/00000002", "garbage")
			}},
		{"no format document", "damage  " + domain + ": there is no format document",
			func(t testing.TB, m *banktest.Memory) { remove(t, m, domain+"/format") }},
		{"a damaged slot", "damage  " + domain + ": slots/10000000-0000-4000-8000-000000000001: ",
			func(t testing.TB, m *banktest.Memory) {
				put(t, m, domain+"/slots/10000000-0000-4000-8000-000000000001", "{}")
			}},
		{"no slot", "there is no key slot",
			func(t testing.TB, m *banktest.Memory) {
				for _, n := range "123" {
					remove(t, m, domain+"/slots/10000000-0000-4000-8000-00000000000"+string(n))
				}
			}},
		{"an empty pack", "it has 0 bytes, which none of its kind has",
			func(t testing.TB, m *banktest.Memory) { put(t, m, domain+"/packs/00/"+strings.Repeat("0", 64), "") }},
		{"a foreign object", "note  backup/1: no object of layout 1 has such a key",
			func(t testing.TB, m *banktest.Memory) { put(t, m, "backup/1", "") }},
		{"a record that is cut off", "damage " + available + " v1/checkpoints/" + available + "/evidence/d0d0d0d0-0000-4000-8000-000000000001/00000002: the evidence of drill d0d0d0d0-0000-4000-8000-000000000001 does not count: ",
			func(t testing.TB, m *banktest.Memory) {
				put(t, m, "v1/checkpoints/"+available+"/evidence/d0d0d0d0-0000-4000-8000-000000000001/00000002", "{")
			}},
		{"a foreign object among records", "note " + available + " v1/checkpoints/" + available + "/evidence/notes: no evidence of a drill has such a key",
			func(t testing.TB, m *banktest.Memory) { put(t, m, "v1/checkpoints/"+available+"/evidence/notes", "") }},
		{"an entry of nothing", "there is an entry in an index, and no such checkpoint",
			func(t testing.TB, m *banktest.Memory) {
				put(t, m, strings.Replace(index, "8b0f1d6e", "00000000", 1), "")
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := golden(t)
			test.harm(t, m)
			found, _ := check(t, m)
			if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, test.want) }) {
				t.Errorf("no finding has %q:\n%s", test.want, strings.Join(found, "\n"))
			}
		})
	}
}

// TestGarbageIsBorne puts garbage over and between the objects of a bank.
func TestGarbageIsBorne(t *testing.T) {
	whole := golden(t)
	var keys []string
	for key := range whole.Snapshot() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	rapid.Check(t, func(r *rapid.T) {
		m := whole.Clone()
		m.SetNow(func() time.Time { return later })
		for range rapid.IntRange(1, 6).Draw(r, "changes") {
			key := rapid.SampledFrom(keys).Draw(r, "key")
			switch rapid.IntRange(0, 3).Draw(r, "where") {
			case 0:
				key = key[:rapid.IntRange(1, len(key)).Draw(r, "length")]
			case 1:
				key += rapid.SampledFrom([]string{"/x", "0", "/00000001", "@", "/manifest", "/data/x/manifest"}).Draw(r, "tail")
			}
			text := rapid.SampledFrom([]string{"", "{", "null", "[]", "{}", `{"format":"repository/1"}`, `{"format":"chunks/1","chunks":[{"size":-1}]}`,
				`{"expires_at":7}`, `{"sealed":"repository/1"}`, "\x00\xff"}).Draw(r, "text")
			if err := m.Put(t.Context(), strings.Trim(key, "/"), strings.NewReader(text), int64(len(text))); err != nil {
				continue // no key
			}
		}
		c := open(t, m)
		if _, err := survey.Look(t.Context(), m, c, func(int64) {}); err != nil {
			r.Fatalf("looking: %v", err)
		}
		if _, err := survey.Check(t.Context(), m, c, survey.CheckOptions{Found: func(survey.Finding) error { return nil }}); err != nil {
			r.Fatalf("checking: %v", err)
		}
	})
}
