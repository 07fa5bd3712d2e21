package chunks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"

	"github.com/karbor/karbor/protection"
)

// format names the format of a manifest and its chunks.
const format = "chunks/1"

// manifestKey is the key of the manifest, under the name of the data.
const manifestKey = "manifest"

// Bounds of a manifest: its bytes, and the chunks that always fit into them.
const (
	maxManifest = 128 << 20
	maxChunks   = 1 << 20
)

// manifest is the document that makes a stream complete.
type manifest struct {
	Format string `json:"format"`
	// Writer is the part of the chunks' keys that no two writers share.
	Writer    string  `json:"writer"`
	Size      int64   `json:"size"`
	SHA256    string  `json:"sha256"`
	ChunkSize int     `json:"chunk_size"`
	Chunks    []chunk `json:"chunks"`
}

// chunk describes one chunk. One that is all zeros has no object and no digest.
type chunk struct {
	Size   int    `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Zero   bool   `json:"zero,omitempty"`
}

var (
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	writerPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// summary describes the stream. All that is stored of it is new: no two streams share a chunk.
func (m *manifest) summary() protection.Summary {
	s := protection.Summary{Size: m.Size, SHA256: m.SHA256}
	for _, c := range m.Chunks {
		if !c.Zero {
			s.New += int64(c.Size)
		}
	}
	s.Stored = s.New
	return s
}

// chunkKey is the key of chunk n, counted from 1, under the name of the data.
func chunkKey(writer string, n int) string { return fmt.Sprintf("%s/%08d", writer, n) }

// parseManifest reads a manifest and checks that it is sound in itself.
func parseManifest(text []byte) (*manifest, error) {
	if len(text) > maxManifest {
		return nil, fmt.Errorf("it has more than %d bytes", maxManifest)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	m := &manifest{}
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("it can't be decoded: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("more follows the document")
	}
	return m, m.check()
}

// check reports what is wrong with the manifest.
func (m *manifest) check() error {
	switch {
	case m.Format != format:
		return fmt.Errorf("its format is %q, not %q", m.Format, format)
	case !writerPattern.MatchString(m.Writer):
		return fmt.Errorf("%q is no writer", m.Writer)
	case !digestPattern.MatchString(m.SHA256):
		return fmt.Errorf("%q is no SHA-256 digest", m.SHA256)
	case m.ChunkSize < 1 || m.ChunkSize > MaxChunkSize:
		return fmt.Errorf("a chunk can't have %d bytes", m.ChunkSize)
	case len(m.Chunks) > maxChunks:
		return fmt.Errorf("%d chunks are too many", len(m.Chunks))
	}
	var size int64
	for i, c := range m.Chunks {
		last := i == len(m.Chunks)-1
		switch {
		case c.Size < 1 || c.Size > m.ChunkSize || !last && c.Size != m.ChunkSize:
			return fmt.Errorf("chunk %d has a wrong size, %d bytes", i+1, c.Size)
		case c.Zero && c.SHA256 != "":
			return fmt.Errorf("chunk %d is zero and has a digest", i+1)
		case !c.Zero && !digestPattern.MatchString(c.SHA256):
			return fmt.Errorf("%q is no SHA-256 digest of chunk %d", c.SHA256, i+1)
		}
		size += int64(c.Size)
	}
	if size != m.Size {
		return fmt.Errorf("its chunks have %d bytes and not %d", size, m.Size)
	}
	return nil
}
