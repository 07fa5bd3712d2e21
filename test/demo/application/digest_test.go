package application

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func digest(t *testing.T, r io.Reader) *Digest {
	t.Helper()
	d, err := read("disk", r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDigestSeesEveryFlippedBitAndItsPlace(t *testing.T) {
	const size = 10*blockSize + 17
	original := digest(t, random([32]byte{1}, size))
	if again := digest(t, random([32]byte{1}, size)); len(original.Differences(again)) != 0 || again.SHA256 != original.SHA256 {
		t.Error("the same bytes differ")
	}
	for _, at := range []int64{0, blockSize - 1, blockSize, 5*blockSize + 3, size - 1} {
		wrong := digest(t, flipped(random([32]byte{1}, size), at))
		if diff := cmp.Diff([]int64{at / blockSize * blockSize}, original.Differences(wrong)); diff != "" || wrong.SHA256 == original.SHA256 {
			t.Errorf("byte %d (-want +got):\n%s", at, diff)
		}
	}
	short := digest(t, random([32]byte{1}, size-17))
	if got := original.Differences(short); len(got) != 1 || got[0] != 10*blockSize {
		t.Errorf("a lost end differs at %v", got)
	}
}

func TestDigestCountsDataAndTakesTheSHA256OfAll(t *testing.T) {
	data := make([]byte, 3*blockSize)
	data[blockSize] = 1
	d := digest(t, bytes.NewReader(data))
	sum := sha256.Sum256(data)
	if d.Bytes != 3*blockSize || d.Data != blockSize || d.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("digest %+v", d)
	}
}

func TestGuestBlockIsReadAtItsPlace(t *testing.T) {
	data := make([]byte, GuestAt+2*blockSize)
	copy(data[GuestAt:], "guest journal\nhostname=web\nserver=1\nboot=2\n\xff\xfe")
	d := digest(t, bytes.NewReader(data))
	if got := d.Guest("web"); got != "guest journal hostname=web server=1 boot=2" {
		t.Errorf("guest %q", got)
	}
	if d.Guest("db") != "" || digest(t, bytes.NewReader(nil)).Guest("web") != "" {
		t.Error("a guest that is not there")
	}
}

func TestChangedRewritesOneBlockInTenMiB(t *testing.T) {
	before := digest(t, random([32]byte{1}, 21*mib))
	after := digest(t, changed(random([32]byte{1}, 21*mib), [32]byte{2}))
	if diff := cmp.Diff([]int64{0, 10 * mib, 20 * mib}, before.Differences(after)); diff != "" {
		t.Errorf("changed blocks (-want +got):\n%s", diff)
	}
}

func TestFileSystemsAreRealOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fat")
	if err := makeFAT(path, [32]byte{1}, 32*mib); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 32*mib {
		t.Errorf("size of the FAT image: %v, %v", info, err)
	}
	if fsck, err := exec.LookPath("fsck.fat"); err == nil {
		if out, err := exec.Command(fsck, "-n", path).CombinedOutput(); err != nil {
			t.Errorf("fsck.fat: %v\n%s", err, out)
		}
	}
	f, kind, err := fileSystem(t.Context(), [32]byte{1}, 32*mib)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	d := digest(t, f)
	if d.Bytes != 32*mib || d.Data < 20*mib {
		t.Errorf("a %s of %d bytes, %d of them data", kind, d.Bytes, d.Data)
	}
}

func TestPropertiesNameEveryDifference(t *testing.T) {
	before, after := Properties{"a": "1", "b": "2", "c": "3"}, Properties{"a": "1", "b": "9", "d": "4"}
	want := []string{"b: 2 became 9", "c: 3 is gone", "d: 4 is new"}
	if diff := cmp.Diff(want, before.Differences(after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := before.Differences(before); len(got) != 0 {
		t.Errorf("equal properties differ: %v", got)
	}
}

func TestRandomIsTheSameForTheSameSeed(t *testing.T) {
	all := map[string]bool{}
	for _, s := range [][32]byte{{1}, {1}, {2}} {
		data, err := io.ReadAll(random(s, 100))
		if err != nil {
			t.Fatal(err)
		}
		all[hex.EncodeToString(data)] = true
	}
	if len(all) != 2 {
		t.Errorf("%d kinds of data from 2 seeds", len(all))
	}
}
