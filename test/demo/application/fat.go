package application

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
)

// Sizes of the FAT16 file system (Microsoft's FAT specification, version 1.03).
const (
	sectorSize        = 512
	sectorsPerCluster = 8
	rootEntries       = 512
	firstCluster      = 2
	endOfChain        = 0xffff
)

// makeFAT writes a FAT16 file system that holds one file of random bytes, which
// fills nearly all of it. size is 16 MiB to 256 MiB.
func makeFAT(path string, seed [32]byte, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, mib)
	err = writeFAT(w, seed, size)
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func writeFAT(w io.Writer, seed [32]byte, size int64) error {
	sectors := uint32(size / sectorSize)
	clusters := sectors / sectorsPerCluster
	tableSectors := (clusters*2 + sectorSize - 1) / sectorSize
	rootSectors := uint32(rootEntries * 32 / sectorSize)
	head := 1 + 2*tableSectors + rootSectors
	usable := (sectors - head) / sectorsPerCluster
	used := usable - 16
	parts := [][]byte{bootSector(sectors, tableSectors), table(tableSectors, used), table(tableSectors, used),
		rootFolder(used * sectorsPerCluster * sectorSize)}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	if _, err := io.CopyN(w, rand.NewChaCha8(seed), int64(used)*sectorsPerCluster*sectorSize); err != nil {
		return err
	}
	rest := int64(sectors-head-used*sectorsPerCluster) * sectorSize
	_, err := w.Write(make([]byte, rest))
	return err
}

func bootSector(sectors, tableSectors uint32) []byte {
	b := make([]byte, sectorSize)
	copy(b, []byte{0xeb, 0x3c, 0x90})
	copy(b[3:], "KARBOR  ")
	le := binary.LittleEndian
	le.PutUint16(b[11:], sectorSize)
	b[13] = sectorsPerCluster
	le.PutUint16(b[14:], 1) // reserved sectors
	b[16] = 2               // tables
	le.PutUint16(b[17:], rootEntries)
	b[21] = 0xf8 // a fixed disk
	le.PutUint16(b[22:], uint16(tableSectors))
	le.PutUint32(b[32:], sectors)
	b[38] = 0x29 // the three members that follow are there
	copy(b[43:], "DEMO       FAT16   ")
	b[510], b[511] = 0x55, 0xaa
	return b
}

func table(tableSectors, used uint32) []byte {
	t := make([]byte, tableSectors*sectorSize)
	le := binary.LittleEndian
	le.PutUint16(t, 0xfff8)
	le.PutUint16(t[2:], endOfChain)
	for i := range used {
		next := i + firstCluster + 1
		if i == used-1 {
			next = endOfChain
		}
		le.PutUint16(t[2*(i+firstCluster):], uint16(next))
	}
	return t
}

func rootFolder(fileSize uint32) []byte {
	r := make([]byte, rootEntries*32)
	copy(r, "DEMO    BIN")
	r[11] = 0x20 // an ordinary file
	binary.LittleEndian.PutUint16(r[26:], firstCluster)
	binary.LittleEndian.PutUint32(r[28:], fileSize)
	return r
}
