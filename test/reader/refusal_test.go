package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// words gives little-endian u32s.
func words(all ...uint32) []byte {
	var content []byte
	for _, word := range all {
		content = binary.LittleEndian.AppendUint32(content, word)
	}
	return content
}

var anID = bytes.Repeat([]byte{1}, 32)

// What is inside of a box is changed by nobody without the key; it is refused all the same.
func TestWhatTheFormatForbidsIsRefused(t *testing.T) {
	page := func(length uint64, content ...[]byte) error {
		_, err := parsePage(slices.Concat(content...), length)
		return err
	}
	directory := func(of kind, space int64, content ...[]byte) error {
		_, err := parseDirectory(of, slices.Concat(content...), space)
		return err
	}
	root := func(size uint64, rest ...[]byte) error {
		_, err := parseRoot(slices.Concat(append([][]byte{binary.LittleEndian.AppendUint64(nil, size)}, rest...)...))
		return err
	}
	for name, err := range map[string]error{
		"page: one hole":               page(65536, words(1, holeBit|65536)),
		"page: neighbouring holes":     page(6, words(3, 1, holeBit|2, holeBit|3), anID),
		"page: entry without length":   page(1, words(2, 1, 0), anID, anID),
		"page: chunk too long":         page(262_145, words(1, 262_145), anID),
		"page: another sum":            page(2, words(1, 1), anID),
		"page: bytes left over":        page(1, words(1, 1), anID, []byte{0}),
		"page: id missing":             page(2, words(2, 1, 1), anID),
		"page: more entries than fit":  page(1, words(1<<31, 1), anID),
		"page: none for something":     page(1, words(0)),
		"root: page for nothing":       root(0, words(1), anID),
		"root: page missing":           root(span+1, words(1), anID),
		"root: stream too long":        root(spansLimit*span+1, words(0)),
		"root: bytes left over":        root(1, words(1), anID, []byte{0}),
		"directory: another space":     directory(dataKind, 101, words(1, 100, 1, 1, 1), anID),
		"directory: another sum":       directory(dataKind, 100, words(1, 100, 2, 1, 1), anID),
		"directory: no chunk":          directory(dataKind, 100, words(1, 100, 1, 0)),
		"directory: chunk of nothing":  directory(dataKind, 100, words(1, 100, 1, 2, 1), anID, words(0), anID),
		"directory: two pages":         directory(pagesKind, 100, words(1, 100, 2, 2, 1), anID, words(1), anID),
		"directory: chunk too long":    directory(dataKind, 100, words(1, 100, 262_145, 1, 262_145), anID),
		"directory: group too long":    directory(pagesKind, 100, words(1, 100, 1_048_577, 1, 1_048_577), anID),
		"directory: stored too short":  directory(dataKind, 48, words(1, 48, 1, 1, 1), anID),
		"directory: stored too long":   directory(dataKind, storedLimit+1, words(1, storedLimit+1, 1, 1, 1), anID),
		"directory: bytes left over":   directory(dataKind, 100, words(1, 100, 1, 1, 1), anID, []byte{0}),
		"directory: more than can be":  directory(dataKind, 100, words(1<<31, 100, 1, 1, 1), anID),
		"directory: chunks cannot be":  directory(dataKind, 100, words(1, 100, 1, 1<<31, 1), anID),
		"directory: groups of nothing": directory(dataKind, 1, words(0)),
	} {
		if !errors.Is(err, errDamaged) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"page": page(3, words(2, 1, holeBit|2), anID), "directory": directory(dataKind, 100, words(1, 100, 1, 1, 1), anID),
		"long page": directory(pagesKind, 100, words(1, 100, 262_145, 1, 262_145), anID), "empty root": root(0, words(0)),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGroupsThatAreNotOfTheFormatAreRefused(t *testing.T) {
	raw := bytes.Repeat([]byte("karbor"), 1000)
	encode := func(content []byte, options ...zstd.EOption) []byte {
		encoder, err := zstd.NewWriter(nil, append(options, zstd.WithEncoderConcurrency(1))...)
		if err != nil {
			t.Fatal(err)
		}
		return encoder.EncodeAll(content, nil)
	}
	var unsized bytes.Buffer
	stream, err := zstd.NewWriter(&unsized, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(raw, 100) {
		if _, err := stream.Write(part); err != nil || stream.Flush() != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	frame, skippable := encode(raw), slices.Concat(words(0x184D2A50, 4), words(0))
	head := func(compression byte, length int) []byte {
		return append([]byte{compression, 0, 0, 0}, words(uint32(length))...)
	}
	for name, content := range map[string][]byte{
		"two frames":            slices.Concat(head(1, len(raw)), encode(raw[:3000]), encode(raw[3000:])),
		"empty frame behind":    slices.Concat(head(1, len(raw)), frame, encode(nil, zstd.WithZeroFrames(true))),
		"skippable behind":      slices.Concat(head(1, len(raw)), frame, skippable),
		"skippable before":      slices.Concat(head(1, len(raw)), skippable, frame),
		"frame without size":    slices.Concat(head(1, len(raw)), unsized.Bytes()),
		"frame cut off":         slices.Concat(head(1, len(raw)), frame[:len(frame)-1]),
		"another size":          slices.Concat(head(1, len(raw)-1), frame),
		"bytes behind block":    slices.Concat(head(2, len(raw)), s2.Encode(nil, raw), []byte{0}),
		"another compression":   slices.Concat(head(3, len(raw)), raw),
		"reserved byte":         slices.Concat([]byte{0, 0, 1, 0}, words(uint32(len(raw))), raw),
		"uncompressed, longer":  slices.Concat(head(0, len(raw)), raw, []byte{0}),
		"uncompressed, shorter": slices.Concat(head(0, len(raw)), raw[1:]),
		"no head":               head(0, len(raw))[:7],
	} {
		if got, err := parseGroup(content, int64(len(raw))); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %d bytes, the error is %v", name, len(got), err)
		}
	}
	for name, content := range map[string][]byte{"zstd": slices.Concat(head(1, len(raw)), frame),
		"s2": slices.Concat(head(2, len(raw)), s2.Encode(nil, raw)), "none": slices.Concat(head(0, len(raw)), raw)} {
		if got, err := parseGroup(content, int64(len(raw))); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSlotsThatCostTooMuchOrTooLittleAreRefused(t *testing.T) {
	v, _, _ := readVectors(t)
	text := v.Slots[0].Text
	for _, change := range []struct{ from, to string }{
		{`"time":2`, `"time":65`}, {`"time":2`, `"time":0`}, {`"memory_kib":64`, `"memory_kib":4194305`},
		{`"memory_kib":64`, `"memory_kib":15`}, {`"threads":2`, `"threads":65`}, {`"threads":2`, `"threads":-1`},
		{`"threads":2`, `"Threads":2`}, {`"salt":"IC`, `"salt":"\nIC`}, {`"kind":"passphrase"`, `"kind":"other"`},
		{`"format":"repository/1"`, `"format":"repository/2"`}, {v.Slots[0].Slot, v.Slots[1].Slot},
	} {
		changed := strings.Replace(text, change.from, change.to, 1)
		if _, err := parseSlot([]byte(changed), v.Slots[0].Slot); changed == text || !errors.Is(err, errDamaged) {
			t.Errorf("%s: the error is %v", change.to, err)
		}
	}
}
