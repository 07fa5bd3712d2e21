package main

import (
	"encoding/hex"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// A kind is that of a pack.
type kind byte

const (
	dataKind  kind = 1
	pagesKind kind = 2
)

// word is the kind's in the contexts of boxes, folder the one in keys.
func (k kind) word() string {
	if k == dataKind {
		return "data"
	}
	return "page"
}

func (k kind) folder() string {
	if k == dataKind {
		return "packs/"
	}
	return "pages/"
}

const (
	packHead  = 16
	packTail  = 24
	groupHead = 8
)

// A chunkEntry is a chunk, or a page, in a directory.
type chunkEntry struct {
	length uint32
	id     id
}

// A groupEntry is a group in a directory.
type groupEntry struct {
	offset, stored, raw int64
	chunks              []chunkEntry
}

// parseDirectory reads a directory of a pack whose groups have so many bytes together.
func parseDirectory(of kind, content []byte, space int64) ([]groupEntry, error) {
	fields := parser{rest: content}
	groups := make([]groupEntry, fields.count(12))
	offset := int64(packHead)
	for i := range groups {
		group := groupEntry{offset: offset, stored: int64(fields.u32()), raw: int64(fields.u32())}
		group.chunks = make([]chunkEntry, fields.count(36))
		var sum int64
		for j := range group.chunks {
			chunk := chunkEntry{fields.u32(), fields.id()}
			if chunk.length == 0 || of == dataKind && chunk.length > chunkLimit {
				return nil, damagedf("a chunk in a directory has %d bytes", chunk.length)
			}
			sum += int64(chunk.length)
			group.chunks[j] = chunk
		}
		switch {
		case fields.bad:
			return nil, damagedf("a directory of %d bytes does not fit what is in it", len(content))
		case group.raw == 0 || group.raw > groupLimit || sum != group.raw:
			return nil, damagedf("a group has %d bytes, its chunks %d", group.raw, sum)
		case group.stored <= boxOverhead+groupHead || group.stored > storedLimit:
			return nil, damagedf("a stored group has %d bytes", group.stored)
		case of == pagesKind && len(group.chunks) != 1:
			return nil, damagedf("a group has %d pages", len(group.chunks))
		}
		groups[i] = group
		offset += group.stored
	}
	switch {
	case !fields.done():
		return nil, damagedf("a directory of %d bytes does not fit what is in it", len(content))
	case offset-packHead != space:
		return nil, damagedf("the groups of a directory have %d bytes, there is place for %d", offset-packHead, space)
	}
	return groups, nil
}

// readDirectory reads the directory of a pack.
func (k keys) readDirectory(from objects, key string, of kind) ([]groupEntry, error) {
	size, err := from.size(key)
	if err != nil {
		return nil, err
	}
	if size > packLimit || size < packHead+packTail+boxOverhead {
		return nil, damagedf("%s has %d bytes", key, size)
	}
	head, err := from.read(key, 0, packHead)
	if err != nil {
		return nil, err
	}
	fields := parser{rest: head}
	if string(fields.take(8)) != "KARBORPK" || fields.u8() != 1 || kind(fields.u8()) != of || !fields.zeros(6) {
		return nil, damagedf("%s has another head", key)
	}
	tail, err := from.read(key, size-packTail, packTail)
	if err != nil {
		return nil, err
	}
	fields = parser{rest: tail}
	offset, length, reserved := fields.u64(), int64(fields.u32()), fields.u32()
	if reserved != 0 || string(fields.rest) != "KARBOREN" {
		return nil, damagedf("%s has another end", key)
	}
	if offset < packHead || offset > uint64(size) || int64(offset)+length != size-packTail || length > directoryLimit {
		return nil, damagedf("%s has its directory at %d, %d bytes long", key, offset, length)
	}
	box, err := from.read(key, int64(offset), length)
	if err != nil {
		return nil, err
	}
	content, err := openBox(k.directory, "karbor/1 "+of.word()+" directory", box)
	if err != nil {
		return nil, damagedf("%s: %w", key, err)
	}
	return parseDirectory(of, content, int64(offset)-packHead)
}

// openGroup gives the raw bytes of a stored group.
func (k keys) openGroup(of kind, stored []byte, raw int64) ([]byte, error) {
	content, err := openBox(k.group, "karbor/1 "+of.word()+" group", stored)
	if err != nil {
		return nil, err
	}
	return parseGroup(content, raw)
}

// parseGroup decompresses what is in a group's box, of which raw bytes are expected.
func parseGroup(content []byte, raw int64) ([]byte, error) {
	fields := parser{rest: content}
	compression := fields.u8()
	if !fields.zeros(3) || int64(fields.u32()) != raw || fields.bad {
		return nil, damagedf("a group has another head")
	}
	if raw < 1 || raw > groupLimit {
		return nil, damagedf("a group has %d raw bytes", raw)
	}
	result := fields.rest
	switch compression {
	case 0:
	case 1:
		if err := checkFrame(fields.rest, raw); err != nil {
			return nil, err
		}
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(groupLimit),
			zstd.WithDecoderMaxMemory(groupLimit))
		if err != nil {
			return nil, err
		}
		defer decoder.Close()
		if result, err = decoder.DecodeAll(fields.rest, make([]byte, 0, raw)); err != nil {
			return nil, damagedf("decompressing a group: %w", err)
		}
	case 2:
		if length, err := s2.DecodedLen(fields.rest); err != nil || int64(length) != raw {
			return nil, damagedf("a block is not of %d bytes", raw)
		}
		var err error
		if result, err = s2.Decode(make([]byte, raw), fields.rest); err != nil {
			return nil, damagedf("decompressing a group: %w", err)
		}
	default:
		return nil, damagedf("a group has the compression %d", compression)
	}
	if int64(len(result)) != raw {
		return nil, damagedf("a group has %d bytes in place of %d", len(result), raw)
	}
	return result, nil
}

// checkFrame refuses what is not one Zstandard frame as the format wants it, RFC 8878.
func checkFrame(content []byte, raw int64) error {
	var head zstd.Header
	if err := head.Decode(content); err != nil {
		return damagedf("reading a frame: %w", err)
	}
	switch {
	case head.Skippable, !head.HasFCS, head.FrameContentSize != uint64(raw), head.DictionaryID != 0,
		!head.SingleSegment && head.WindowSize > groupLimit:
		return damagedf("a frame is not as a group wants it")
	}
	fields := parser{rest: content}
	fields.take(head.HeaderSize)
	for last := false; !last && !fields.bad; {
		block := fields.take(3)
		word := int(block[0]) | int(block[1])<<8 | int(block[2])<<16
		last = word&1 != 0
		if word>>1&3 == 1 { // A block of one byte repeated.
			fields.take(1)
		} else {
			fields.take(word >> 3)
		}
	}
	if head.HasCheckSum {
		fields.take(4)
	}
	if !fields.done() {
		return damagedf("a group has something else than one frame")
	}
	return nil
}

// packName gives the name of a pack by its key, and whether it is one.
func packName(key, prefix string) (id, bool) {
	var name id
	first, rest, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
	if lowerHex(rest, name[:]) != nil {
		return id{}, false
	}
	return name, rest[:2] == first
}

// packKey is the key of a pack.
func packKey(prefix string, of kind, name id) string {
	text := hex.EncodeToString(name[:])
	return prefix + of.folder() + text[:2] + "/" + text
}
