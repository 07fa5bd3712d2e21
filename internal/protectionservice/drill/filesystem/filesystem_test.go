package filesystem_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/internal/protectionservice/drill/filesystem"
)

// head reads the first bytes of a file system that mkfs has made.
func head(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".head")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const mib = 1 << 20

// disk puts parts at their places into a disk.
func disk(size int, parts map[int][]byte) []byte {
	d := make([]byte, size)
	for at, p := range parts {
		copy(d[at:], p)
	}
	return d
}

// mbr gives a boot sector with partitions at sectors.
func mbr(starts ...uint32) []byte {
	b := make([]byte, 512)
	for i, s := range starts {
		b[446+16*i+4] = 0x83
		binary.LittleEndian.PutUint32(b[446+16*i+8:], s)
	}
	b[510], b[511] = 0x55, 0xaa
	return b
}

// gpt gives the first sectors of a disk with partitions at sectors.
func gpt(starts ...uint64) []byte {
	b := append(mbr(1), make([]byte, 33*512)...)
	b[446+4] = 0xee
	copy(b[512:], "EFI PART")
	binary.LittleEndian.PutUint64(b[512+72:], 2)
	binary.LittleEndian.PutUint32(b[512+80:], 128)
	binary.LittleEndian.PutUint32(b[512+84:], 128)
	for i, s := range starts {
		b[1024+128*i] = 1
		binary.LittleEndian.PutUint64(b[1024+128*i+32:], s)
	}
	return b
}

// btrfs gives a superblock at its place.
func btrfs() []byte {
	b := make([]byte, 64<<10+4096)
	sb := b[64<<10:]
	copy(sb[64:], "_BHRfS_M")
	binary.LittleEndian.PutUint32(sb, crc32.Checksum(sb[32:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// flipped changes a byte.
func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// ext4With changes the superblock, and makes its checksum right again.
func ext4With(b []byte, change func(sb []byte)) []byte {
	b = bytes.Clone(b)
	sb := b[1024:2048]
	change(sb)
	binary.LittleEndian.PutUint32(sb[1020:], ^crc32.Checksum(sb[:1020], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func scan(t *testing.T, d []byte, piece int) []filesystem.Finding {
	t.Helper()
	s := filesystem.NewScan()
	for len(d) > 0 {
		n := min(piece, len(d))
		if _, err := s.Write(d[:n]); err != nil {
			t.Fatal(err)
		}
		d = d[n:]
	}
	return s.Findings()
}

func TestFileSystemsAreRecognised(t *testing.T) {
	ext4, xfs := head(t, "ext4"), head(t, "xfs")
	clean := func(partition int) filesystem.Finding {
		return filesystem.Finding{Partition: partition, Kind: "ext4", State: filesystem.Clean}
	}
	for name, test := range map[string]struct {
		disk []byte
		want []filesystem.Finding
	}{
		"nothing":                    {make([]byte, mib), nil},
		"an empty disk":              {nil, nil},
		"a tiny disk":                {[]byte{1, 2, 3}, nil},
		"ext4":                       {disk(mib, map[int][]byte{0: ext4}), []filesystem.Finding{clean(0)}},
		"a small ext4":               {ext4, []filesystem.Finding{clean(0)}},
		"ext4, in use":               {disk(mib, map[int][]byte{0: ext4With(ext4, func(sb []byte) { sb[96] |= 4 })}), []filesystem.Finding{{Kind: "ext4", State: filesystem.Open}}},
		"ext4, errors":               {disk(mib, map[int][]byte{0: ext4With(ext4, func(sb []byte) { sb[58] |= 2 })}), []filesystem.Finding{{Kind: "ext4", State: filesystem.Damaged, Reason: "it says that it has errors"}}},
		"ext4, damaged":              {disk(mib, map[int][]byte{0: flipped(ext4, 1024+200)}), []filesystem.Finding{{Kind: "ext4", State: filesystem.Damaged, Reason: "the checksum of its superblock is wrong"}}},
		"xfs":                        {disk(mib, map[int][]byte{0: xfs}), []filesystem.Finding{{Kind: "xfs", State: filesystem.Unknown}}},
		"xfs, damaged":               {disk(mib, map[int][]byte{0: flipped(xfs, 40)}), []filesystem.Finding{{Kind: "xfs", State: filesystem.Damaged, Reason: "the checksum of its superblock is wrong"}}},
		"btrfs":                      {disk(mib, map[int][]byte{0: btrfs()}), []filesystem.Finding{{Kind: "btrfs", State: filesystem.Unknown}}},
		"btrfs, damaged":             {disk(mib, map[int][]byte{0: flipped(btrfs(), 64<<10+100)}), []filesystem.Finding{{Kind: "btrfs", State: filesystem.Damaged, Reason: "the checksum of its superblock is wrong"}}},
		"ntfs":                       {disk(mib, map[int][]byte{3: []byte("NTFS    ")}), []filesystem.Finding{{Kind: "ntfs", State: filesystem.Unknown}}},
		"two partitions":             {disk(8*mib, map[int][]byte{0: mbr(2048, 8192), mib: ext4, 4 * mib: xfs}), []filesystem.Finding{clean(1), {Partition: 2, Kind: "xfs", State: filesystem.Unknown}}},
		"a near partition":           {disk(mib, map[int][]byte{0: mbr(63), 63 * 512: ext4}), []filesystem.Finding{clean(1)}},
		"gpt":                        {disk(8*mib, map[int][]byte{0: gpt(2048, 4096), mib: ext4, 2 * mib: btrfs()}), []filesystem.Finding{clean(1), {Partition: 2, Kind: "btrfs", State: filesystem.Unknown}}},
		"a partition behind the end": {disk(mib, map[int][]byte{0: mbr(1 << 30)}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{32 << 10, 1000, 3 * mib} {
				if diff := cmp.Diff(test.want, scan(t, test.disk, piece)); diff != "" {
					t.Errorf("in pieces of %d (-want +got):\n%s", piece, diff)
				}
			}
		})
	}
}

func TestFindingsAreDescribed(t *testing.T) {
	text, damaged := filesystem.Describe([]filesystem.Finding{
		{Partition: 1, Kind: "ext4", State: filesystem.Clean}, {Partition: 2, Kind: "xfs", State: filesystem.Damaged, Reason: "broken"},
	})
	if want := "File systems: partition 1: ext4, clean; partition 2: xfs, damaged (broken)."; text != want || !damaged {
		t.Errorf("%q, %v", text, damaged)
	}
	if text, damaged := filesystem.Describe(nil); damaged || !strings.Contains(text, "No file system") {
		t.Errorf("%q, %v", text, damaged)
	}
}

// FuzzScan: whatever is on a disk, it neither panics nor depends on how it comes.
func FuzzScan(f *testing.F) {
	f.Add(gpt(2048), 1000)
	f.Add(mbr(1, 2, 3), 512)
	f.Add(btrfs(), 4096)
	f.Fuzz(func(t *testing.T, d []byte, piece int) {
		if piece < 1 {
			return
		}
		whole := scan(t, d, len(d)+1)
		if diff := cmp.Diff(whole, scan(t, d, piece)); diff != "" {
			t.Errorf("(-whole +pieces):\n%s", diff)
		}
	})
}
