package main

import (
	"bytes"
	"testing"
)

func FuzzPack(f *testing.F) {
	v, k, _ := readVectors(f)
	for _, one := range v.Packs {
		f.Add([]byte(one.Bytes))
	}
	f.Fuzz(func(_ *testing.T, content []byte) {
		bank := memory{"pack": content}
		for _, of := range []kind{dataKind, pagesKind} {
			groups, err := k.readDirectory(bank, "pack", of)
			if err != nil {
				continue
			}
			for _, group := range groups {
				_, _ = k.openGroup(of, content[group.offset:group.offset+group.stored], group.raw)
			}
		}
	})
}

func FuzzDirectory(f *testing.F) {
	v, _, _ := readVectors(f)
	for _, one := range v.Packs {
		space := int64(len(one.Bytes)) - packHead - packTail - boxOverhead - int64(len(one.Directory))
		f.Add(byte(one.Kind), []byte(one.Directory), space)
	}
	f.Fuzz(func(t *testing.T, of byte, content []byte, space int64) {
		groups, err := parseDirectory(kind(of), content, space)
		if err != nil {
			return
		}
		var stored int64
		for _, group := range groups {
			if group.offset != packHead+stored {
				t.Errorf("a group lies at %d, not behind the last", group.offset)
			}
			stored += group.stored
			var raw int64
			for _, chunk := range group.chunks {
				raw += int64(chunk.length)
			}
			if raw != group.raw || raw > groupLimit {
				t.Errorf("a group of %d bytes has chunks of %d", group.raw, raw)
			}
		}
		if stored != space {
			t.Errorf("groups of %d bytes lie in %d", stored, space)
		}
	})
}

func FuzzGroup(f *testing.F) {
	v, k, _ := readVectors(f)
	for _, one := range v.Packs {
		for _, group := range one.Groups {
			content, err := openBox(k.group, "karbor/1 "+one.Kind.word()+" group", one.Bytes[group.Offset:group.Offset+group.Stored])
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content, int64(content[4])|int64(content[5])<<8)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte, raw int64) {
		if got, err := parseGroup(content, raw); err == nil && int64(len(got)) != raw {
			t.Errorf("a group of %d bytes gives %d", raw, len(got))
		}
	})
}

func FuzzPage(f *testing.F) {
	v, _, _ := readVectors(f)
	f.Add([]byte(v.Page.Bytes), v.Page.Size)
	f.Fuzz(func(t *testing.T, content []byte, length uint64) {
		pieces, err := parsePage(content, length)
		if err != nil {
			return
		}
		var sum uint64
		for _, one := range pieces {
			sum += uint64(one.length)
		}
		if sum != length {
			t.Errorf("a page of %d bytes has entries of %d", length, sum)
		}
	})
}

func FuzzRoot(f *testing.F) {
	v, _, _ := readVectors(f)
	f.Add([]byte(v.Root.Bytes))
	f.Fuzz(func(t *testing.T, content []byte) {
		if got, err := parseRoot(content); err == nil && len(content) != 12+32*len(got.pages) {
			t.Errorf("a root of %d bytes has %d pages", len(content), len(got.pages))
		}
	})
}

func FuzzSegment(f *testing.F) {
	v, k, _ := readVectors(f)
	plain, err := openBox(k.index, "karbor/1 index", v.Segment.Bytes[16:])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Fuzz(func(t *testing.T, content []byte) {
		one, err := parseSegment(content)
		if err != nil {
			return
		}
		for _, pack := range one.packs {
			if pack.size > packLimit {
				t.Errorf("a pack has %d bytes", pack.size)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	v, k, format := readVectors(f)
	f.Add([]byte(v.Manifest.Text))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := parseManifest(text, format)
		if err != nil {
			return
		}
		// Nobody without the key makes another box that opens.
		content, err := openBox(k.manifest, "karbor/1 manifest|"+v.Manifest.Key, found.box)
		if err == nil && !bytes.Equal(content, v.Manifest.Root) {
			t.Errorf("a box opens with %x in it", content)
		}
	})
}

func FuzzDocuments(f *testing.F) {
	v, _, _ := readVectors(f)
	f.Add([]byte(v.Format.Text))
	for _, one := range v.Slots {
		f.Add([]byte(one.Text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = parseFormat(text, v.Domain)
		one, err := parseSlot(text, v.Slots[0].Slot)
		if err == nil && (one.time > 64 || one.memory > 4<<20 || one.threads > 64) {
			t.Errorf("a reader would bear the costs %d, %d, %d", one.time, one.memory, one.threads)
		}
	})
}
