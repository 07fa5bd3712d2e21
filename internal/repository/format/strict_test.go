package format

import (
	"testing"
)

// Chunks that compress to almost nothing: the directory grows faster than the groups.
func TestPacksEndBeforeTheirDirectoryIsTooLong(t *testing.T) {
	k := testKeys(t)
	p := NewPackWriter(Data, nil)
	chunks := make([]Chunk, MaxGroup/MinCut)
	for i := range chunks {
		chunks[i].Length = MinCut
	}
	stored := make([]byte, BoxOverhead+groupHeader+400)
	for !p.Add(stored, chunks) {
		continue
	}
	pack, err := p.Finish(k)
	if err != nil {
		t.Fatal(err)
	}
	offset, length, err := FindDirectory(pack[len(pack)-PackTrailer:], int64(len(pack)))
	if err != nil {
		t.Fatalf("a pack of %d bytes with %d groups: %v", len(pack), len(p.Groups()), err)
	}
	if groups, err := k.OpenDirectory(Data, pack[offset:][:length], offset); err != nil || len(groups) != len(p.Groups()) {
		t.Errorf("%d groups come back, not %d: %v", len(groups), len(p.Groups()), err)
	}
}

func TestPageOfOneHoleIsRefused(t *testing.T) {
	page := Page{{Length: 3 * Granule, Hole: true}}
	_, err := DecodePage(page.Encode(nil), page.Size())
	wantDamage(t, "a page that is one hole", err)
}

func TestCostsThatOtherArgon2sRefuseAreRefused(t *testing.T) {
	s := &Slot{Kind: PassphraseSlot, Salt: "AAECAwQFBgcICQoLDA0ODw==", Time: 1, MemoryKiB: 15, Threads: 2}
	_, err := s.PassphraseKey("passphrase")
	wantDamage(t, "less than 8 KiB for each thread", err)
	s.MemoryKiB = 16
	if _, err := s.PassphraseKey("passphrase"); err != nil {
		t.Error(err)
	}
}
