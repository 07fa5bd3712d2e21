package contract

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Glance's checksum is MD5
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
)

// gib is the size of the smallest volume, in bytes.
const gib = 1 << 30

// noise gives length random bytes, other ones each time.
func noise(length int) []byte {
	block := make([]byte, length)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	_, _ = rand.NewChaCha8(seed).Read(block)
	return block
}

// upload makes a raw image of these bytes in the member's project, which goes
// with the test.
func (c *cloud) upload(t *testing.T, name string, content []byte) string {
	t.Helper()
	a := c.member.post(t, "image", "/images", object{
		"name": c.name(name), "disk_format": "raw", "container_format": "bare", "visibility": "private",
	}).want(t, http.StatusCreated)
	id := a.text("id")
	c.member.forget(t, "image", "/images/"+id)
	c.member.put(t, "image", "/images/"+id+"/file", bytes.NewReader(content)).want(t, http.StatusNoContent)
	c.member.until(t, "image", "/images/"+id, []any{"status"}, "active", "saving")
	return id
}

// download gives an image's bytes as a stream, which the caller closes.
func (c *cloud) download(t *testing.T, s *session, id string) io.ReadCloser {
	t.Helper()
	response, err := s.stream(context.WithoutCancel(t.Context()), http.MethodGet, "image", "/images/"+id+"/file", nil)
	if err != nil {
		t.Fatalf("downloading image %s: %v", id, err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("downloading image %s gave %d", id, response.StatusCode)
	}
	return response.Body
}

// startsWith checks that an image has length bytes: these at its start, and
// zeros after them.
func (c *cloud) startsWith(t *testing.T, id string, content []byte, length int64) {
	t.Helper()
	body := c.download(t, c.member, id)
	defer func() { _ = body.Close() }()
	if err := sameBytes(body, content, length); err != nil {
		t.Errorf("the bytes of image %s: %v", id, err)
	}
}

// beginsWith checks an image's size and its first bytes only, which is quicker
// than startsWith.
func (c *cloud) beginsWith(t *testing.T, id string, content []byte, length int64) {
	t.Helper()
	c.member.get(t, "image", "/images/"+id).want(t, http.StatusOK).equals(t, float64(length), "size")
	last := fmt.Sprintf("bytes=0-%d", len(content)-1)
	a := c.member.with("Range", last).get(t, "image", "/images/"+id+"/file").want(t, http.StatusPartialContent)
	if at := firstDifference(a.body, content); at < len(content) {
		t.Errorf("the bytes of image %s differ at %d", id, at)
	}
}

// sameBytes compares a stream with content and zeros up to length.
func sameBytes(r io.Reader, content []byte, length int64) error {
	head := make([]byte, len(content))
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("reading the start: %w", err)
	}
	if !bytes.Equal(head, content) {
		return fmt.Errorf("the first %d bytes differ at %d", len(content), firstDifference(head, content))
	}
	pos := int64(len(content))
	block, zeros := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := r.Read(block)
		if !bytes.Equal(block[:n], zeros[:n]) {
			return fmt.Errorf("no zeros near %d", pos)
		}
		pos += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("reading at %d: %w", pos, err)
		}
	}
	if pos != length {
		return fmt.Errorf("there are %d bytes, want %d", pos, length)
	}
	return nil
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// checksums gives MD5 and SHA-512 as Glance shows them.
func checksums(content []byte) (md5sum, sha string) {
	m, s := md5.Sum(content), sha512.Sum512(content)
	return hex.EncodeToString(m[:]), hex.EncodeToString(s[:])
}
