package format

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func testKeys(t testing.TB) *Keys {
	t.Helper()
	var master Key
	copy(master[:], "a master key for tests, 32 bytes")
	k, err := DeriveKeys(master, RepositoryID{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// tools compress and decompress for one test.
type tools struct {
	c *Compressor
	d *Decompressor
}

func newTools(t testing.TB, way Compression) tools {
	t.Helper()
	c, err := NewCompressor(way)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecompressor()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return tools{c, d}
}

func wantDamage(t testing.TB, what string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*DamageError](err); !ok {
		t.Errorf("%s: the error is %v, and should be a *DamageError", what, err)
	}
}

func TestGroupsComeBack(t *testing.T) {
	k := testKeys(t)
	text := bytes.Repeat([]byte("what is written again and again is short; "), 1000)
	for _, way := range []Compression{None, Zstd, S2} {
		tools := newTools(t, way)
		for name, raw := range map[string][]byte{"text": text, "random": randomBytes(9, 300<<10), "one byte": {7},
			"zeros": make([]byte, MaxGroup), "half": append(make([]byte, MaxGroup/2), randomBytes(8, MaxGroup/2)...)} {
			stored, scratch, err := k.SealGroup([]byte("before"), nil, tools.c, Data, raw)
			if err != nil {
				t.Fatal(err)
			}
			if way != None && name == "text" && len(stored) > len(raw)/10 {
				t.Errorf("%d: %s is not compressed: %d of %d bytes", way, name, len(stored), len(raw))
			}
			if len(stored) > len(raw)+BoxOverhead+groupHeader+6 {
				t.Errorf("%d: %s has grown to %d bytes", way, name, len(stored))
			}
			got, _, err := k.OpenGroup(nil, scratch, tools.d, Data, stored[6:])
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d: %s does not come back: %v", way, name, err)
			}
			_, _, err = k.OpenGroup(nil, nil, tools.d, Pages, stored[6:])
			wantDamage(t, "opened as another kind", err)
		}
	}
}

// packOf makes a pack of groups of random and repeated chunks.
func packOf(t testing.TB, k *Keys, kind Kind) ([]byte, []Group, [][]byte) {
	t.Helper()
	tools, h := newTools(t, Zstd), k.ChunkHasher()
	p := NewPackWriter(kind, nil)
	var raws [][]byte
	for i := range 3 {
		var raw []byte
		var chunks []Chunk
		for j := range 1 + i*int(2-kind) {
			chunk := append(randomBytes(uint64(10*i+j), 1000), make([]byte, 5000)...)
			chunks = append(chunks, Chunk{h.ID(chunk), len(chunk)})
			raw = append(raw, chunk...)
		}
		stored, _, err := k.SealGroup(nil, nil, tools.c, kind, raw)
		if err != nil {
			t.Fatal(err)
		}
		if p.Add(stored, chunks) {
			t.Error("a small pack is full")
		}
		raws = append(raws, raw)
	}
	pack, err := p.Finish(k)
	if err != nil {
		t.Fatal(err)
	}
	return pack, p.Groups(), raws
}

// openPack reads a whole pack as a reader does that checks everything.
func openPack(k *Keys, d *Decompressor, kind Kind, pack []byte) ([]Group, [][]byte, error) {
	if len(pack) < packHeader+packTrailer {
		return nil, nil, damaged("pack", "it is too short")
	}
	if err := CheckPackHeader(pack[:packHeader], kind); err != nil {
		return nil, nil, err
	}
	offset, length, err := FindDirectory(pack[len(pack)-packTrailer:], int64(len(pack)))
	if err != nil {
		return nil, nil, err
	}
	groups, err := k.OpenDirectory(kind, pack[offset:offset+int64(length)], offset)
	if err != nil {
		return nil, nil, err
	}
	var raws [][]byte
	for _, g := range groups {
		raw, _, err := k.OpenGroup(nil, nil, d, kind, pack[g.Offset:g.Offset+g.Stored])
		if err != nil {
			return nil, nil, err
		}
		if len(raw) != g.Raw {
			return nil, nil, damaged("pack", "a group is not as long as its directory says")
		}
		raws = append(raws, raw)
	}
	return groups, raws, nil
}

func TestPacksComeBack(t *testing.T) {
	k, tools := testKeys(t), newTools(t, Zstd)
	for _, kind := range []Kind{Data, Pages} {
		pack, want, raws := packOf(t, k, kind)
		got, gotRaws, err := openPack(k, tools.d, kind, pack)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got) + cmp.Diff(raws, gotRaws); diff != "" {
			t.Errorf("%s pack (-want +got):\n%s", kind, diff)
		}
	}
}

func TestEachFlippedBitOfAPackIsSeen(t *testing.T) {
	k, tools := testKeys(t), newTools(t, Zstd)
	pack, _, _ := packOf(t, k, Data)
	for i := range pack {
		pack[i] ^= 1 << (i % 8)
		if _, _, err := openPack(k, tools.d, Data, pack); err == nil {
			t.Errorf("byte %d was changed, and nobody saw it", i)
		}
		pack[i] ^= 1 << (i % 8)
	}
	for n := range pack {
		if _, _, err := openPack(k, tools.d, Data, pack[:n]); err == nil {
			t.Errorf("the pack was cut to %d bytes, and nobody saw it", n)
		}
	}
}

func TestSwappedGroupsAreSeenByTheirIDs(t *testing.T) {
	k, tools, h := testKeys(t), newTools(t, Zstd), testKeys(t).ChunkHasher()
	a, _, _ := k.SealGroup(nil, nil, tools.c, Data, []byte("first"))
	raw, _, err := k.OpenGroup(nil, nil, tools.d, Data, a)
	if err != nil || h.ID(raw) == h.ID([]byte("other")) {
		t.Errorf("another group has the id that was looked for: %v", err)
	}
}

func TestSegmentsComeBack(t *testing.T) {
	k := testKeys(t)
	want := &Segment{Replaces: []Name{NameOf([]byte("old")), NameOf([]byte("older"))}}
	for _, kind := range []Kind{Data, Pages} {
		pack, groups, _ := packOf(t, k, kind)
		want.Packs = append(want.Packs, Pack{NameOf(pack), kind, int64(len(pack)), groups})
	}
	b, err := k.SealSegment(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.OpenSegment(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("segment (-want +got):\n%s", diff)
	}
	for i := range b {
		b[i] ^= 0x10
		_, err := k.OpenSegment(b)
		wantDamage(t, "a changed segment", err)
		b[i] ^= 0x10
	}
}

func drawPage(t *rapid.T) Page {
	var p Page
	for range rapid.IntRange(1, 20).Draw(t, "entries") {
		e := Entry{Hole: rapid.Bool().Draw(t, "hole")}
		if e.Hole {
			e.Length = rapid.IntRange(1, 8).Draw(t, "granules") * Granule
		} else {
			e.Length = rapid.IntRange(1, MaxChunk).Draw(t, "length")
			copy(e.ID[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id"))
		}
		p = p.Append(e)
	}
	return p
}

func TestPagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawPage(t)
		if want.Empty() {
			return // it is not stored: TestPageOfOneHoleIsRefused
		}
		b := want.Encode(nil)
		got, err := DecodePage(b, want.Size())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("page (-want +got):\n%s", diff)
		}
		if _, err := DecodePage(b, want.Size()+1); err == nil {
			t.Fatal("it is taken for another size too")
		}
		if _, err := DecodePage(b[:len(b)-1], want.Size()); err == nil {
			t.Fatal("it may be cut off")
		}
		if _, err := DecodePage(append(b, 0), want.Size()); err == nil {
			t.Fatal("it may be longer")
		}
	})
}

func TestRootsComeBack(t *testing.T) {
	for _, size := range []int64{0, 1, Span, Span + 1, 5 * Span} {
		want := &Root{Size: size, Pages: make([]ID, Spans(size))}
		for i := range want.Pages {
			want.Pages[i][0] = byte(i + 1)
		}
		got, err := DecodeRoot(want.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("root of %d bytes (-want +got):\n%s", size, diff)
		}
	}
	_, err := DecodeRoot((&Root{Size: MaxStream + 1, Pages: make([]ID, 1)}).Encode())
	wantDamage(t, "a root that is too large", err)
}

func FuzzDecoders(f *testing.F) {
	k := testKeys(f)
	pack, groups, raws := packOf(f, k, Data)
	f.Add(pack, int64(len(raws[0])))
	f.Add(encodeDirectory(groups), int64(1))
	f.Add(Page{{Length: 4096}, {Length: Granule, Hole: true}}.Encode(nil), int64(4096+Granule))
	f.Add((&Root{Size: 1, Pages: make([]ID, 1)}).Encode(), int64(1))
	tools := newTools(f, Zstd)
	f.Fuzz(func(t *testing.T, b []byte, n int64) {
		_, _, _ = openPack(k, tools.d, Data, b)
		_, _, _ = FindDirectory(b, n)
		_, _ = k.OpenSegment(b)
		_, _ = DecodeRoot(b)
		for way := range Compression(4) {
			_, _ = tools.d.decompress(nil, b, way, int(min(max(n, 1), MaxGroup)))
		}
		if page, err := DecodePage(b, n); err == nil && !bytes.Equal(page.Encode(nil), b) {
			t.Error("a page has two spellings")
		}
		for _, kind := range []Kind{Data, Pages} {
			if groups, err := decodeDirectory(b, kind); err == nil && !bytes.Equal(encodeDirectory(groups), b) {
				t.Error("a directory has two spellings")
			}
		}
	})
}
