package filesystem

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// recognise tells which file system begins with some bytes.
func recognise(b []byte) (Finding, bool) {
	for _, kind := range []func([]byte) (Finding, bool){ext, xfs, btrfs, others} {
		if f, ok := kind(b); ok {
			return f, true
		}
	}
	return Finding{}, false
}

func damaged(kind, reason string) Finding { return Finding{Kind: kind, State: Damaged, Reason: reason} }

// castagnoli is the CRC-32C of these file systems.
func castagnoli(seed uint32, parts ...[]byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, p := range parts {
		seed = ^crc32.Update(^seed, table, p)
	}
	return seed
}

// ext reads the superblock of ext2, ext3 and ext4 (the kernel's Documentation/filesystems/ext4).
func ext(b []byte) (Finding, bool) {
	if len(b) < 2048 {
		return Finding{}, false
	}
	sb := b[1024:2048]
	little := binary.LittleEndian
	if little.Uint16(sb[56:]) != 0xef53 {
		return Finding{}, false
	}
	const (
		hasJournal, extents    = 0x4, 0x40
		needsRecovery, sums    = 0x4, 0x400
		validState, errorState = 1, 2
	)
	compatible, incompatible, readOnly := little.Uint32(sb[92:]), little.Uint32(sb[96:]), little.Uint32(sb[100:])
	kind := "ext2"
	switch {
	case incompatible&extents != 0:
		kind = "ext4"
	case compatible&hasJournal != 0:
		kind = "ext3"
	}
	if readOnly&sums != 0 && castagnoli(^uint32(0), sb[:1020]) != little.Uint32(sb[1020:]) {
		return damaged(kind, "the checksum of its superblock is wrong"), true
	}
	state := little.Uint16(sb[58:])
	switch {
	case state&errorState != 0:
		return damaged(kind, "it says that it has errors"), true
	case incompatible&needsRecovery != 0, state&validState == 0:
		return Finding{Kind: kind, State: Open}, true
	default:
		return Finding{Kind: kind, State: Clean}, true
	}
}

// xfs reads the superblock of XFS (its "Algorithms and Data Structures", 13). Whether it was
// unmounted only its log tells.
func xfs(b []byte) (Finding, bool) {
	if len(b) < 4096 || !bytes.HasPrefix(b, []byte("XFSB")) {
		return Finding{}, false
	}
	big := binary.BigEndian
	size := int(big.Uint16(b[102:]))
	if size < sector || size > 4096 {
		return damaged("xfs", "its superblock names a sector that can't be"), true
	}
	if big.Uint16(b[100:])&0xf == 5 {
		sum := castagnoli(^uint32(0), b[:224], make([]byte, 4), b[228:size])
		if ^sum != binary.LittleEndian.Uint32(b[224:]) {
			return damaged("xfs", "the checksum of its superblock is wrong"), true
		}
	}
	if b[126] != 0 {
		return damaged("xfs", "it was never finished by mkfs"), true
	}
	return Finding{Kind: "xfs", State: Unknown}, true
}

// btrfs reads the superblock of Btrfs (its on-disk format, "Superblock").
func btrfs(b []byte) (Finding, bool) {
	const at = 64 << 10
	if len(b) < at+4096 || !bytes.Equal(b[at+64:at+72], []byte("_BHRfS_M")) {
		return Finding{}, false
	}
	sb := b[at : at+4096]
	if binary.LittleEndian.Uint16(sb[196:]) == 0 && ^castagnoli(^uint32(0), sb[32:]) != binary.LittleEndian.Uint32(sb) {
		return damaged("btrfs", "the checksum of its superblock is wrong"), true
	}
	return Finding{Kind: "btrfs", State: Unknown}, true
}

// others knows the marks of what has no state of its own that could be read.
func others(b []byte) (Finding, bool) {
	for _, m := range []struct {
		kind, mark string
		at         int
	}{
		{"ntfs", "NTFS    ", 3}, {"fat32", "FAT32   ", 82}, {"fat16", "FAT16   ", 54}, {"swap", "SWAPSPACE2", 4086},
		{"LVM physical volume", "LABELONE", sector}, {"LUKS, which can't be looked into", "LUKS\xba\xbe", 0},
	} {
		if len(b) >= m.at+len(m.mark) && string(b[m.at:m.at+len(m.mark)]) == m.mark {
			return Finding{Kind: m.kind, State: Unknown}, true
		}
	}
	return Finding{}, false
}
