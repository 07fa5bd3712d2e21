package glance

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/testcloud/fabric"
)

func TestFamiliarSumsAreThoseOfTheirBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("hashes two GiB")
	}
	f, err := fabric.Open(fabric.Options{Dir: t.TempDir(), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	g := New(f, nil)
	empty, full := fabric.Blob{Kind: fabric.VolumeBlob, ID: "empty"}, fabric.Blob{Kind: fabric.VolumeBlob, ID: "full"}
	if err := f.Blobs.Create(empty, 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Blobs.Receive(t.Context(), full, seedReader()); err != nil {
		t.Fatal(err)
	}
	if err := f.Blobs.Resize(full, 1<<30); err != nil {
		t.Fatal(err)
	}
	got := map[string]known{}
	for _, blob := range []fabric.Blob{empty, full} {
		mark, err := g.fingerprint(t.Context(), blob, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if got[mark], err = g.hashAll(t.Context(), blob); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(familiar, got); diff != "" {
		t.Error(diff)
	}
}

func TestFingerprintTellsContentsApart(t *testing.T) {
	f, err := fabric.Open(fabric.Options{Dir: t.TempDir(), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	g, seen := New(f, nil), map[string]string{}
	for name, c := range map[string]struct {
		size int64
		at   int64
		text string
	}{
		"empty": {40 << 20, 0, ""}, "longer": {40<<20 + 1, 0, ""}, "at the start": {40 << 20, 0, "x"},
		"in the middle": {40 << 20, 20 << 20, "x"}, "just before a step": {40 << 20, 16<<20 - 1, "x"},
		"other text": {40 << 20, 20 << 20, "y"}, "at the end": {40 << 20, 40<<20 - 1, "x"},
	} {
		blob := fabric.Blob{Kind: fabric.VolumeBlob, ID: "v"}
		if err := f.Blobs.Create(blob, c.size); err != nil {
			t.Fatal(err)
		}
		file, err := f.Blobs.OpenWrite(blob)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt([]byte(c.text), c.at); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		mark, err := g.fingerprint(t.Context(), blob, c.size)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[mark]; ok {
			t.Errorf("%s and %s have one fingerprint", name, other)
		}
		seen[mark] = name
	}
}
