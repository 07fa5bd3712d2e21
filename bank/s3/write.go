package s3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/remote"
)

const (
	// partSize is that of the parts in which a large object is sent, and the most
	// that a write keeps in memory.
	partSize = 16 << 20
	// maxParts is the most that an object has (Amazon S3, multipart upload limits).
	maxParts = 10_000
	// maxWhole is the largest object in memory that is sent in one request.
	maxWhole = 1 << 30
	// cleanTimeout is for what is done after a failure.
	cleanTimeout = 20 * time.Second
)

// Put implements bank.Bank.
func (b *Bank) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	if err := remote.Ready(ctx, key); err != nil {
		return err
	}
	if b.locks(key) {
		_, err := b.first(ctx, key)
		if err == nil {
			return karbor.Errorf(karbor.Conflict, "the object %s is locked", key)
		}
		if !is(err, karbor.NotFound) {
			return err
		}
	}
	if err := b.mayReplace(ctx, key); err != nil {
		return err
	}
	id, err := b.send(ctx, key, body, size, false)
	if err != nil || !b.versioned {
		return err
	}
	return b.supersede(ctx, key, id)
}

// Create implements bank.Bank. Where the store does not know If-None-Match, it looks
// whether there is an object first.
func (b *Bank) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if err := remote.Ready(ctx, key); err != nil {
		return err
	}
	id, err := b.send(ctx, key, body, size, true)
	if err != nil || !b.versioned {
		return err
	}
	return b.claim(ctx, key, id)
}

// send writes an object and gives its version. What it has of the body in memory is
// signed with its digest, so that the store refuses what was damaged on its way.
func (b *Bank) send(ctx context.Context, key string, body io.Reader, size int64, onlyNew bool) (string, error) {
	if r, ok := body.(*bytes.Reader); ok && int64(r.Len()) == size && size <= maxWhole {
		// It is in memory already.
		start, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return "", fmt.Errorf("writing %s: %w", key, err)
		}
		if err := b.mayCreate(ctx, key, onlyNew); err != nil {
			return "", err
		}
		id, err := b.sendWhole(ctx, key, io.NewSectionReader(r, start, size), size, onlyNew)
		_, seekErr := r.Seek(start+size, io.SeekStart)
		return id, errors.Join(err, seekErr)
	}
	exact := bank.Exactly(ctx, body, size)
	block := make([]byte, max(0, min(size, partSize)))
	if err := cmp.Or(remote.Fill(exact, block), ctx.Err()); err != nil {
		return "", fmt.Errorf("writing %s: %w", key, err)
	}
	if err := b.mayCreate(ctx, key, onlyNew); err != nil {
		return "", err
	}
	if size <= partSize {
		return b.sendWhole(ctx, key, bytes.NewReader(block), size, onlyNew)
	}
	if size > partSize*maxParts {
		return "", karbor.Errorf(karbor.Invalid, "writing %s: an object of %d bytes is larger than the bank takes, %d", key, size, int64(partSize*maxParts))
	}
	return b.sendParts(ctx, key, exact, block, size, onlyNew)
}

// mayCreate looks whether there is an object, where the store would not.
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

// digests are what a request is signed with.
type digests struct{ sha256, md5 string }

// digest reads a block to its end and winds it back.
func (b *Bank) digest(block io.ReadSeeker, locked bool) (d digests, err error) {
	sum, old := sha256.New(), md5.New()
	var into io.Writer = sum
	if locked { // the store wants an MD5 with a retention
		into = io.MultiWriter(sum, old)
	}
	if _, err := io.Copy(into, block); err != nil {
		return d, err
	}
	d.sha256 = hex.EncodeToString(sum.Sum(nil))
	if locked {
		d.md5 = base64.StdEncoding.EncodeToString(old.Sum(nil))
	}
	_, err = block.Seek(0, io.SeekStart)
	return d, err
}

// crossings is how often a write is made that crosses another one.
const crossings = 10

// crosses reports whether a write met another one under way: one of the same object,
// or, in a store that keeps objects in files, a removal that took the folder away.
func crosses(err error) bool {
	var said minio.ErrorResponse
	if !errors.As(err, &said) {
		return false
	}
	switch said.Code {
	case "ConditionalRequestConflict", "OperationAborted", "ExistingObjectIsDirectory":
		return true
	}
	return false
}

// sendWhole writes an object in one request.
func (b *Bank) sendWhole(ctx context.Context, key string, block io.ReadSeeker, size int64, onlyNew bool) (string, error) {
	doing := "writing " + key
	opts, err := b.putOptions(ctx, key, onlyNew)
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	d, err := b.digest(block, b.locks(key))
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	for try := 1; ; try++ {
		info, err := b.store.PutObject(ctx, b.bucket, b.names.Name(key), block, size, d.md5, d.sha256, opts)
		if crosses(err) && try < crossings && ctx.Err() == nil {
			continue
		}
		return info.VersionID, explain(ctx, doing, err)
	}
}

// putOptions gives the options of a write.
func (b *Bank) putOptions(ctx context.Context, key string, onlyNew bool) (minio.PutObjectOptions, error) {
	// The digest of the whole body is in the signature: no signature by chunks.
	opts := minio.PutObjectOptions{DisableContentSha256: true}
	if onlyNew && b.conditional {
		opts.SetMatchETagExcept("*")
	}
	if b.locks(key) {
		now, err := b.Now(ctx)
		if err != nil {
			return opts, err
		}
		opts.Mode, opts.RetainUntilDate = b.lock.mode(), now.Add(b.lock.Period)
	}
	return opts, nil
}

// sendParts writes an object in parts, of which first is in memory.
func (b *Bank) sendParts(ctx context.Context, key string, rest io.Reader, block []byte, size int64, onlyNew bool) (string, error) {
	doing, name := "writing "+key, b.names.Name(key)
	opts, err := b.putOptions(ctx, key, false)
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	upload, err := b.store.NewMultipartUpload(ctx, b.bucket, name, opts)
	if err != nil {
		return "", explain(ctx, doing, err)
	}
	var done []minio.CompletePart
	for left := size; err == nil; {
		var etag string
		if etag, err = b.sendPart(ctx, key, upload, len(done)+1, block); err != nil {
			break
		}
		done = append(done, minio.CompletePart{PartNumber: len(done) + 1, ETag: etag})
		if left -= int64(len(block)); left == 0 {
			break
		}
		block = block[:min(left, partSize)]
		if err = remote.Fill(rest, block); err != nil {
			err = fmt.Errorf("%s: %w", doing, err)
		}
	}
	var info minio.UploadInfo
	if err == nil {
		last := minio.PutObjectOptions{}
		if onlyNew && b.conditional {
			last.SetMatchETagExcept("*")
		}
		info, err = b.store.CompleteMultipartUpload(ctx, b.bucket, name, upload, done, last)
		err = explain(ctx, doing, err)
	}
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		_ = b.store.AbortMultipartUpload(clean, b.bucket, name, upload) // else a later sweep does it
		return "", err
	}
	return info.VersionID, nil
}

// sendPart sends one part and gives its ETag.
func (b *Bank) sendPart(ctx context.Context, key, upload string, number int, block []byte) (string, error) {
	r := bytes.NewReader(block)
	d, err := b.digest(r, b.locks(key))
	if err != nil {
		return "", err
	}
	part, err := b.store.PutObjectPart(ctx, b.bucket, b.names.Name(key), upload, number, r, int64(len(block)),
		minio.PutObjectPartOptions{Md5Base64: d.md5, Sha256Hex: d.sha256, DisableContentSha256: true})
	return part.ETag, explain(ctx, fmt.Sprintf("writing part %d of %s", number, key), err)
}
