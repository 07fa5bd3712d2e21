package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
)

const (
	chunksVersion       = "chunks/1"
	chunksManifestLimit = 128 << 20
	chunksLimit         = 1_048_576  // chunks of a stream
	chunksSizeLimit     = 67_108_864 // bytes of a chunk
)

// A chunksManifest is what names a stream of chunks in the clear.
type chunksManifest struct {
	writer    string
	size      int64
	sha256    id
	chunkSize int64
	chunks    []numbered
}

// numbered is one of its chunks.
type numbered struct {
	size   int64
	zero   bool
	sha256 id
}

// onlyMembers refuses a document that has others.
func (d document) onlyMembers(names ...string) error {
	for _, name := range slices.Sorted(maps.Keys(d)) {
		if !slices.Contains(names, name) {
			return damagedf("the member %q is nobody's", name)
		}
	}
	return nil
}

func parseChunksManifest(members document) (chunksManifest, error) {
	var m chunksManifest
	var digest string
	var chunks []document
	if err := members.onlyMembers("format", "writer", "size", "sha256", "chunk_size", "chunks"); err != nil {
		return m, err
	}
	if err := members.texts(map[string]*string{"writer": &m.writer, "sha256": &digest}); err != nil {
		return m, err
	}
	for name, into := range map[string]any{"size": &m.size, "chunk_size": &m.chunkSize, "chunks": &chunks} {
		if err := members.member(name, into); err != nil {
			return m, err
		}
	}
	if err := lowerHex(m.writer, make([]byte, 16)); err != nil {
		return m, err
	}
	if err := lowerHex(digest, m.sha256[:]); err != nil {
		return m, err
	}
	if m.chunkSize < 1 || m.chunkSize > chunksSizeLimit || len(chunks) > chunksLimit {
		return m, damagedf("%d chunks of %d bytes can't be", len(chunks), m.chunkSize)
	}
	var sum int64
	for i, text := range chunks {
		one, err := parseNumbered(text)
		if err != nil {
			return m, fmt.Errorf("chunk %d: %w", i+1, err)
		}
		if one.size < 1 || one.size > m.chunkSize || i < len(chunks)-1 && one.size != m.chunkSize {
			return m, damagedf("chunk %d has %d bytes", i+1, one.size)
		}
		sum += one.size
		m.chunks = append(m.chunks, one)
	}
	if sum != m.size {
		return m, damagedf("the chunks add up to %d bytes, the stream has %d", sum, m.size)
	}
	return m, nil
}

// parseNumbered reads a chunk: either zero, or with a digest.
func parseNumbered(members document) (numbered, error) {
	var one numbered
	if err := members.onlyMembers("size", "sha256", "zero"); err != nil {
		return one, err
	}
	if err := members.member("size", &one.size); err != nil {
		return one, err
	}
	_, hasZero := members["zero"]
	_, hasDigest := members["sha256"]
	if hasZero == hasDigest {
		return one, damagedf("it is zero and has a digest, or neither")
	}
	if hasZero {
		if err := members.member("zero", &one.zero); err != nil || !one.zero {
			return one, damagedf("its member zero is not true")
		}
		return one, nil
	}
	digest, err := members.text("sha256")
	if err != nil {
		return one, err
	}
	return one, lowerHex(digest, one.sha256[:])
}

// chunksStream gives the bytes of a stream of chunks, whose keys begin with prefix.
func chunksStream(from objects, prefix string, members document, to sink) error {
	m, err := parseChunksManifest(members)
	if err != nil {
		return fmt.Errorf("the manifest of %s: %w", prefix, err)
	}
	whole := sha256.New()
	all := io.MultiWriter(to, whole)
	for i, one := range m.chunks {
		if one.zero {
			if err := to.hole(one.size); err != nil {
				return err
			}
			if err := (writerSink{whole}).hole(one.size); err != nil {
				return err
			}
			continue
		}
		key := fmt.Sprintf("%s%s/%08d", prefix, m.writer, i+1)
		content, err := readWhole(from, key, one.size)
		if err != nil {
			return err
		}
		if int64(len(content)) != one.size || sha256.Sum256(content) != one.sha256 {
			return damagedf("the chunk %s is another one", key)
		}
		if _, err := all.Write(content); err != nil {
			return err
		}
	}
	if digest := whole.Sum(nil); hex.EncodeToString(digest) != hex.EncodeToString(m.sha256[:]) {
		return damagedf("the stream of %s has the digest %x", prefix, digest)
	}
	return nil
}
