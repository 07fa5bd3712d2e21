package swift

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/remote"
	"github.com/karbor/karbor/internal/openstack"
)

const (
	// blockSize is the most that a write keeps in memory, and the largest object
	// whose digest goes ahead of it.
	blockSize = 16 << 20
	// askFirst is the size from which on a write waits to hear that it is wanted.
	askFirst = 64 << 10
	// cleanTimeout is for what is done after a failure.
	cleanTimeout = 20 * time.Second
)

// Put implements bank.Bank.
func (b *Bank) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	if err := remote.Ready(ctx, key); err != nil {
		return err
	}
	return b.write(ctx, key, body, size, false)
}

// Create implements bank.Bank. Of two at once both may win.
func (b *Bank) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if err := remote.Ready(ctx, key); err != nil {
		return err
	}
	return b.write(ctx, key, body, size, true)
}

// write writes an object. If it is in memory, its digest goes ahead of it, and Swift
// keeps nothing else.
func (b *Bank) write(ctx context.Context, key string, body io.Reader, size int64, onlyNew bool) error {
	doing := "writing " + key
	if r, ok := body.(*bytes.Reader); ok && int64(r.Len()) == size {
		end := r.Size()
		err := cmp.Or(b.fits(key, size), b.mayCreate(ctx, key, onlyNew))
		if err != nil {
			return err
		}
		err = b.writeWhole(ctx, key, r, onlyNew)
		_, seekErr := r.Seek(end, io.SeekStart)
		return errors.Join(err, seekErr)
	}
	exact := bank.Exactly(ctx, body, size)
	block := make([]byte, max(0, min(size, blockSize)))
	if err := cmp.Or(remote.Fill(exact, block), ctx.Err()); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := cmp.Or(b.fits(key, size), b.mayCreate(ctx, key, onlyNew)); err != nil {
		return err
	}
	if size <= blockSize {
		return b.writeWhole(ctx, key, bytes.NewReader(block), onlyNew)
	}
	return b.writeStream(ctx, key, io.MultiReader(bytes.NewReader(block), exact), onlyNew)
}

// mayCreate looks whether there is an object, where Swift would not.
func (b *Bank) mayCreate(ctx context.Context, key string, onlyNew bool) error {
	if b.conditional || !onlyNew {
		return nil
	}
	_, err := b.Stat(ctx, key)
	switch {
	case err == nil:
		return karbor.Errorf(karbor.Conflict, "the object %s exists already", key)
	case is(err, karbor.NotFound):
		return nil
	}
	return err
}

// fits reports an object that is too large.
func (b *Bank) fits(key string, size int64) error {
	if size > b.limits.object {
		return karbor.Errorf(karbor.Invalid, "writing %s: an object of %d bytes is larger than the bank takes, %d", key, size, b.limits.object)
	}
	return nil
}

// writeWhole writes what is in memory.
func (b *Bank) writeWhole(ctx context.Context, key string, r *bytes.Reader, onlyNew bool) error {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	size, sum := r.Len(), md5.New()
	if _, err := r.WriteTo(sum); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	headers := map[string]string{"Etag": digest}
	if size >= askFirst && onlyNew && b.conditional {
		headers["Expect"] = "100-continue"
	}
	resp, err := b.send(ctx, r, headers, key, onlyNew)
	if err != nil {
		return explain(ctx, "writing "+key, err)
	}
	return b.check(ctx, key, resp, digest)
}

// send sends a write.
func (b *Bank) send(ctx context.Context, body io.Reader, headers map[string]string, key string, onlyNew bool) (*http.Response, error) {
	headers["Content-Type"] = "application/octet-stream"
	if onlyNew && b.conditional {
		headers["If-None-Match"] = "*"
	}
	return b.client.Put(openstack.Transfer(ctx), b.url(key), nil, nil, &gophercloud.RequestOpts{
		RawBody: body, MoreHeaders: headers, OkCodes: []int{http.StatusCreated},
	})
}

// writeStream writes what is not in memory. Its digest is compared afterwards.
func (b *Bank) writeStream(ctx context.Context, key string, body io.Reader, onlyNew bool) error {
	source := &sourceReader{r: body, sum: md5.New()}
	resp, err := b.send(ctx, source, map[string]string{"Expect": "100-continue"}, key, onlyNew)
	digest, failed := source.detach()
	switch {
	case err == nil:
		return b.check(ctx, key, resp, digest)
	case failed != nil:
		return fmt.Errorf("writing %s: %w", key, failed)
	}
	return explain(ctx, "writing "+key, err)
}

// check compares the digest of what Swift has with that of what was sent. What is
// something else goes.
func (b *Bank) check(ctx context.Context, key string, resp *http.Response, digest string) error {
	if got := strings.Trim(resp.Header.Get("Etag"), `"`); strings.EqualFold(got, digest) {
		return nil
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	err := b.remove(clean, b.url(key), key)
	return errors.Join(karbor.Transientf("writing %s: the object was damaged on its way", key), err)
}

// sourceReader reads a body, remembers its error, and takes its digest. An answer may
// come before all is sent, while package net/http still reads: detach waits for that
// and ends it.
type sourceReader struct {
	mu       sync.Mutex
	r        io.Reader
	sum      hash.Hash
	err      error
	detached bool
}

// Read implements io.Reader.
func (s *sourceReader) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detached {
		return 0, io.ErrClosedPipe
	}
	n, err := s.r.Read(p)
	_, _ = s.sum.Write(p[:n]) // a hash takes everything
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// detach lets go of the body, and gives its digest and its error.
func (s *sourceReader) detach() (digest string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = true
	return hex.EncodeToString(s.sum.Sum(nil)), s.err
}
