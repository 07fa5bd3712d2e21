package chunks

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const goldenWriter = "00112233445566778899aabbccddeeff"

// goldenData is three chunks of 8 bytes, of which the second is zero, and a short one.
const goldenData = "karbor 1\x00\x00\x00\x00\x00\x00\x00\x00karbor 3end"

func TestChunksLieAsTheFormatSays(t *testing.T) {
	m := banktest.NewMemory()
	section, err := bank.NewSection(m, "node/data")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(section, Options{ChunkSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := c.sub("volume")
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(t.Context(), c, sub, "volume", goldenWriter)
	if _, err := w.Write([]byte(goldenData)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	prefix := "node/data/volume/"
	want := map[string]string{
		prefix + goldenWriter + "/00000001": "karbor 1",
		prefix + goldenWriter + "/00000003": "karbor 3",
		prefix + goldenWriter + "/00000004": "end",
	}
	golden := filepath.Join("testdata", "chunks1", "manifest.json")
	got := m.Snapshot()
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got[prefix+"manifest"]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want[prefix+"manifest"] = string(text)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnsoundManifestsAreRefused(t *testing.T) {
	digest := strings.Repeat("a", 64)
	sound := `{"format":"chunks/1","writer":"` + goldenWriter + `","size":12,"sha256":"` + digest +
		`","chunk_size":8,"chunks":[{"size":8,"sha256":"` + digest + `"},{"size":4,"zero":true}]}`
	if _, err := parseManifest([]byte(sound)); err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct{ old, new, want string }{
		{"chunks/1", "chunks/2", "format"},
		{goldenWriter, "../../../../../../../../../../..", "writer"},
		{`"size":12`, `"size":13`, "12 bytes and not 13"},
		{`"size":12`, `"size":-12`, "not -12"},
		{`"size":12`, `"size":1e30`, "decoded"},
		{`"chunk_size":8`, `"chunk_size":9`, "chunk 1 has a wrong size"},
		{`"chunk_size":8`, `"chunk_size":0`, "0 bytes"},
		{`"chunk_size":8`, `"chunk_size":99999999999`, "bytes"},
		{`"size":4`, `"size":0`, "chunk 2 has a wrong size"},
		{`"size":4`, `"size":9`, "chunk 2 has a wrong size"},
		{`,"zero":true`, ``, "digest of chunk 2"},
		{`{"size":8,"sha256"`, `{"size":8,"zero":true,"sha256"`, "zero and has a digest"},
		{digest, strings.Repeat("A", 64), "digest"},
		{`"format"`, `"more":1,"format"`, "unknown field"},
		{`"zero":true}]}`, `"zero":true}]}{}`, "more follows"},
		{`{"format"`, `[{"format"`, "decoded"},
	} {
		text := strings.Replace(sound, change.old, change.new, 1)
		if _, err := parseManifest([]byte(text)); err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("%s for %s: %v, want %q", change.new, change.old, err, change.want)
		}
	}
}

func FuzzManifest(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "chunks1", "manifest.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add([]byte(`{"format":"chunks/1","writer":"` + goldenWriter + `","size":0,"sha256":"` + strings.Repeat("0", 64) + `","chunk_size":1,"chunks":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseManifest(text)
		if err != nil {
			return
		}
		var total int64
		for i, c := range m.Chunks {
			total += int64(c.Size)
			if c.Size > MaxChunkSize || bank.CheckKey("x/"+chunkKey(m.Writer, i+1)) != nil {
				t.Fatalf("chunk %d of an accepted manifest: %+v", i+1, c)
			}
		}
		if total != m.Size {
			t.Fatalf("%d bytes in all, announced as %d", total, m.Size)
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := parseManifest(again); err != nil || !cmp.Equal(m, second) {
			t.Fatalf("written and read again it differs: %v", err)
		}
		if bytes.Contains(again, []byte("null")) && m.Chunks != nil {
			t.Fatal("null in a manifest")
		}
	})
}

func TestManifestOfTheLongestStreamCanBeReadAgain(t *testing.T) {
	m := manifest{Format: format, Writer: strings.Repeat("f", 32), Size: 1 << 62, SHA256: strings.Repeat("f", 64),
		ChunkSize: MaxChunkSize, Chunks: []chunk{{Size: MaxChunkSize, SHA256: strings.Repeat("f", 64)}}}
	one, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Chunks = append(m.Chunks, m.Chunks[0])
	two, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if size := len(one) + (maxChunks-1)*(len(two)-len(one)); size > maxManifest {
		t.Errorf("it may have %d bytes, and only %d are read", size, maxManifest)
	}
}
