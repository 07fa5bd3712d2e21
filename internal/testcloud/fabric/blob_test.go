package fabric

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/iotest"
)

func openBlobs(t *testing.T) *Blobs {
	t.Helper()
	b, err := OpenBlobs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func read(t *testing.T, b *Blobs, blob Blob) []byte {
	t.Helper()
	f, err := b.Open(blob)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// stored is how many bytes a file takes on disk.
func stored(t *testing.T, b *Blobs, blob Blob) int64 {
	t.Helper()
	info, err := os.Stat(b.Path(blob))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

func TestCopyHasTheSameBytesAndStaysSparse(t *testing.T) {
	b := openBlobs(t)
	from, to := Blob{VolumeBlob, "from"}, Blob{SnapshotBlob, "to"}
	const size = 256 << 20
	if err := b.Create(from, size); err != nil {
		t.Fatal(err)
	}
	f, err := b.OpenWrite(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{0, 1<<20 + 3, 200 << 20, size - 4} {
		if _, err := f.WriteAt([]byte("data"), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Copy(t.Context(), from, to, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, b, from), read(t, b, to)) {
		t.Error("the copy differs")
	}
	if n := stored(t, b, to); n > 4<<20 {
		t.Errorf("the copy takes %d bytes on disk", n)
	}
}

func TestCopyCutsAndFills(t *testing.T) {
	b := openBlobs(t)
	from := Blob{ImageBlob, "from"}
	data := bytes.Repeat([]byte("0123456789"), 20000)
	if _, err := b.Receive(t.Context(), from, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{5, 300000} {
		to := Blob{VolumeBlob, "to"}
		if err := b.Copy(t.Context(), from, to, size); err != nil {
			t.Fatal(err)
		}
		want := append(bytes.Clone(data), make([]byte, 300000)...)[:size]
		if !bytes.Equal(read(t, b, to), want) {
			t.Errorf("the copy of %d bytes differs", size)
		}
	}
}

func TestReceiveLeavesHolesForZeros(t *testing.T) {
	b := openBlobs(t)
	to := Blob{ImageBlob, "to"}
	data := make([]byte, 32<<20+17)
	copy(data[16<<20:], "in the middle")
	n, err := b.Receive(t.Context(), to, iotest.HalfReader(bytes.NewReader(data)))
	if err != nil || n != int64(len(data)) {
		t.Fatalf("received %d bytes: %v", n, err)
	}
	if !bytes.Equal(read(t, b, to), data) {
		t.Error("the bytes differ")
	}
	if n := stored(t, b, to); n > 1<<20 {
		t.Errorf("the file takes %d bytes on disk", n)
	}
}

func TestReceiveOfACutBodyLeavesNoFile(t *testing.T) {
	b := openBlobs(t)
	to := Blob{ImageBlob, "to"}
	body := io.MultiReader(bytes.NewReader(make([]byte, 100)), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := b.Receive(t.Context(), to, body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
	if _, err := b.Open(to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening what was cut: %v", err)
	}
}

func TestCopyEndsWithItsContext(t *testing.T) {
	b := openBlobs(t)
	from, to := Blob{ImageBlob, "from"}, Blob{ImageBlob, "to"}
	if _, err := b.Receive(t.Context(), from, bytes.NewReader([]byte("data"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// A file system that shares blocks copies at once; then there is nothing
	// to end.
	if err := b.Copy(ctx, from, to, 0); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestBlobsRefuseIDsThatArePaths(t *testing.T) {
	b := openBlobs(t)
	for _, id := range []string{"", "../x", "a/b"} {
		if err := b.Create(Blob{VolumeBlob, id}, 1); err == nil {
			t.Errorf("a file for %q was made", id)
		}
	}
}
