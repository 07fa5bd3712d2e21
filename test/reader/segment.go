package main

import (
	"crypto/sha256"
	"strings"
)

// A packEntry is a pack in an index segment.
type packEntry struct {
	name   id
	kind   kind
	size   int64
	groups []groupEntry
}

// A segment is a part of the index.
type segment struct {
	replaces []id
	packs    []packEntry
}

// openSegment reads a segment of a name.
func (k keys) openSegment(content []byte, name id) (segment, error) {
	if sha256.Sum256(content) != name {
		return segment{}, damagedf("a segment has another name")
	}
	fields := parser{rest: content}
	if string(fields.take(8)) != "KARBORIX" || fields.u8() != 1 || !fields.zeros(7) || fields.bad {
		return segment{}, damagedf("a segment has another head")
	}
	plain, err := openBox(k.index, "karbor/1 index", fields.rest)
	if err != nil {
		return segment{}, err
	}
	return parseSegment(plain)
}

// parseSegment reads what is in a segment's box.
func parseSegment(content []byte) (segment, error) {
	fields := parser{rest: content}
	result := segment{replaces: make([]id, fields.count(32))}
	for i := range result.replaces {
		result.replaces[i] = fields.id()
	}
	result.packs = make([]packEntry, fields.count(32+1+8+4))
	for i := range result.packs {
		pack := packEntry{name: fields.id(), kind: kind(fields.u8())}
		size := fields.u64()
		length := int(fields.u32())
		directory := fields.take(length)
		space := int64(size) - packHead - packTail - boxOverhead - int64(length)
		if fields.bad || size > packLimit || space < 0 || length > directoryLimit-boxOverhead || pack.kind != dataKind && pack.kind != pagesKind {
			return segment{}, damagedf("an entry of a segment does not fit: kind %d, size %d", pack.kind, size)
		}
		pack.size = int64(size)
		var err error
		if pack.groups, err = parseDirectory(pack.kind, directory, space); err != nil {
			return segment{}, err
		}
		result.packs[i] = pack
	}
	if !fields.done() {
		return segment{}, damagedf("a segment of %d bytes does not fit what is in it", len(content))
	}
	return result, nil
}

// loadIndex takes in what the segments say. A segment that is damaged counts as one that is not there: the index is a
// help, and the packs' own directories hold all of it.
func (r *repository) loadIndex() error {
	prefix := r.prefix + "index/"
	names, err := r.from.list(prefix)
	if err != nil {
		return err
	}
	for _, key := range names {
		var name id
		if lowerHex(strings.TrimPrefix(key, prefix), name[:]) != nil {
			continue
		}
		content, err := readWhole(r.from, key, packLimit)
		if err != nil {
			r.note(err)
			continue
		}
		one, err := r.keys.openSegment(content, name)
		if err != nil {
			r.note(err)
			continue
		}
		for _, pack := range one.packs {
			key := packKey(r.prefix, pack.kind, pack.name)
			// An entry whose pack is not there means nothing, nor does one of a pack of another size.
			if size, err := r.from.size(key); err == nil && size == pack.size {
				r.takeIn(key, pack.kind, pack.groups)
			}
		}
	}
	return nil
}

// loadPacks takes in the directories of the packs that no segment named.
func (r *repository) loadPacks() error {
	if r.loadedPacks {
		return nil
	}
	r.loadedPacks = true
	for _, of := range []kind{dataKind, pagesKind} {
		prefix := r.prefix + of.folder()
		names, err := r.from.list(prefix)
		if err != nil {
			return err
		}
		for _, key := range names {
			if _, is := packName(key, prefix); !is || r.known[key] {
				continue
			}
			groups, err := r.keys.readDirectory(r.from, key, of)
			if err != nil {
				// What lies in it may lie in another pack as well.
				r.note(err)
				continue
			}
			r.takeIn(key, of, groups)
		}
	}
	return nil
}
