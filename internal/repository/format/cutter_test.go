package format

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type cut struct {
	Length int
	Hole   bool
}

// cutAll cuts a stream that begins at an offset, of which it shows step bytes more
// each time that the cutter asks for more.
func cutAll(data []byte, offset int64, step int) []cut {
	c := NewCutter(offset)
	var cuts []cut
	from, shown := 0, min(step, len(data))
	for {
		n, hole := c.Next(data[from:shown], shown == len(data))
		switch {
		case n > 0:
			from += n
			cuts = append(cuts, cut{n, hole})
		case shown == len(data):
			return cuts
		default:
			shown = min(shown+step, len(data))
		}
	}
}

func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

func drawStream(t *rapid.T) []byte {
	var data []byte
	for range rapid.IntRange(0, 6).Draw(t, "parts") {
		n := rapid.IntRange(1, 200<<10).Draw(t, "length")
		if rapid.Bool().Draw(t, "aligned") {
			n = n/Block*Block + Block
		}
		if rapid.Bool().Draw(t, "zero") {
			data = append(data, make([]byte, n)...)
		} else {
			data = append(data, randomBytes(rapid.Uint64().Draw(t, "seed"), n)...)
		}
	}
	return data
}

func TestCutsFollowTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := drawStream(t)
		cuts := cutAll(data, 0, len(data))
		at := 0
		for i, c := range cuts {
			part := data[at : at+c.Length]
			last := at+c.Length == len(data)
			next := !last && cuts[i+1].Hole
			switch {
			case c.Hole && (at%Granule != 0 || !IsZero(part) || c.Length != Granule && !last):
				t.Fatalf("the hole of %d bytes at %d is none", c.Length, at)
			case !c.Hole && c.Length > MaxChunk:
				t.Fatalf("a chunk of %d bytes", c.Length)
			case !c.Hole && c.Length < MinCut && !last && !next:
				t.Fatalf("a chunk of %d bytes at %d ends before it may", c.Length, at)
			case !c.Hole && c.Length%Block != 0 && !last:
				t.Fatalf("a chunk of %d bytes does not end at a block's end", c.Length)
			}
			for g := (at + Granule - 1) / Granule * Granule; !c.Hole && g < at+c.Length; g += Granule {
				if IsZero(data[g:min(g+Granule, len(data))]) {
					t.Fatalf("the chunk at %d swallows the hole at %d", at, g)
				}
			}
			at += c.Length
		}
		if at != len(data) {
			t.Fatalf("the cuts cover %d of %d bytes", at, len(data))
		}
	})
}

func TestCutsDoNotDependOnHowTheStreamComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := drawStream(t)
		step := rapid.IntRange(1, 300<<10).Draw(t, "step")
		if len(data)/step > 1000 {
			step = len(data)/1000 + 1
		}
		if diff := cmp.Diff(cutAll(data, 0, len(data)+1), cutAll(data, 0, step)); diff != "" {
			t.Fatalf("cut in steps of %d (-want +got):\n%s", step, diff)
		}
	})
}

func TestCutterNeedsNoMoreThanItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := drawStream(t)
		if len(data) < CutterNeeds {
			return
		}
		if n, _ := NewCutter(0).Next(data[:CutterNeeds], false); n == 0 {
			t.Fatal("it asks for more")
		}
	})
}

func TestNothingCrossesTheEndOfASpan(t *testing.T) {
	data := randomBytes(1, 4*Granule)
	at := 0
	for _, c := range cutAll(data, Span-2*Granule, len(data)) {
		if at < 2*Granule && at+c.Length > 2*Granule {
			t.Errorf("the chunk of %d bytes at %d crosses it", c.Length, at)
		}
		at += c.Length
	}
}

func TestMovedBytesAreCutAlikeAgain(t *testing.T) {
	data := randomBytes(2, 4<<20)
	moved := append(randomBytes(3, 40*Block), data...)
	chunks := map[string]bool{}
	for at, cuts := 0, cutAll(data, 0, len(data)); len(cuts) > 0; cuts = cuts[1:] {
		chunks[string(data[at:at+cuts[0].Length])] = true
		at += cuts[0].Length
	}
	known := 0
	for at, cuts := 0, cutAll(moved, 0, len(moved)); len(cuts) > 0; cuts = cuts[1:] {
		if chunks[string(moved[at:at+cuts[0].Length])] {
			known += cuts[0].Length
		}
		at += cuts[0].Length
	}
	if known < len(data)*8/10 {
		t.Errorf("of %d moved bytes only %d are known again", len(data), known)
	}
}

func BenchmarkCutter(b *testing.B) {
	data := randomBytes(4, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cutAll(data, 0, len(data))
	}
}

func BenchmarkIsZero(b *testing.B) {
	data, other := make([]byte, 64<<20), make([]byte, 64<<20)
	b.Run("zero", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if !IsZero(data) {
				b.Fatal("it is")
			}
		}
	})
	b.Run("memcpy", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			copy(other, data)
		}
	})
	if !bytes.Equal(data, other) {
		b.Fatal("not copied")
	}
}
