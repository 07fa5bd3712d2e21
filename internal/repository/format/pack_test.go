package format

import (
	"fmt"
	"testing"
)

// fillPack makes a pack of so many groups of half the most that a group has, in buf's memory, and
// gives its memory.
func fillPack(k *Keys, groups int, buf []byte) []byte {
	stored, chunks := make([]byte, MaxGroup/2), []Chunk{{Length: MaxGroup}}
	p := NewPackWriter(Data, buf)
	for range groups {
		p.Add(stored, chunks)
	}
	pack, err := p.Finish(k)
	if err != nil {
		panic(err)
	}
	return pack
}

// fullPack is how many groups of fillPack make a full pack.
const fullPack = 2 * PackTarget / MaxGroup

func TestAPackOfAFewGroupsDoesNotTakeTheMemoryOfAFullOne(t *testing.T) {
	for _, test := range []struct {
		groups, most, moves int
	}{
		{1, MaxGroup, 0},
		{6, 5 * MaxGroup, 1},
		{7, 5 * MaxGroup, 1},
		{20, wholePack + MaxGroup, 2},
		{fullPack, wholePack + MaxGroup, 2},
	} {
		p := NewPackWriter(Data, make([]byte, 0, MaxGroup))
		stored, chunks := make([]byte, MaxGroup/2), []Chunk{{Length: MaxGroup}}
		moves, at := 0, &p.buf[0]
		for range test.groups {
			p.Add(stored, chunks)
			if now := &p.buf[0]; now != at {
				moves, at = moves+1, now
			}
		}
		if cap(p.buf) > test.most || moves != test.moves {
			t.Errorf("%d groups of %d KiB took %d KiB and moved %d times", test.groups, MaxGroup>>11, cap(p.buf)>>10, moves)
		}
	}
}

func BenchmarkPackWriter(b *testing.B) {
	k := testKeys(b)
	for _, groups := range []int{2, 6, 20, fullPack} {
		b.Run(fmt.Sprintf("%dKiB", groups*MaxGroup/2>>10), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(groups) * MaxGroup / 2)
			for b.Loop() {
				fillPack(k, groups, nil)
			}
		})
	}
	b.Run("full, in the memory of another", func(b *testing.B) {
		b.SetBytes(fullPack * MaxGroup / 2)
		buf := fillPack(k, fullPack, nil)
		for b.Loop() {
			buf = fillPack(k, fullPack, buf)
		}
	})
}
