package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
)

const (
	// probeFolder is where objects lie that are no part of the bank.
	probeFolder = "=probe/"
	// rounds of racers are what AtomicCreate and ConsistentList are believed after.
	rounds = 4
	racers = 6
	// staleAfter is the age at which something was left by a crash.
	staleAfter = 24 * time.Hour
)

// probe tries what the store guarantees, with objects of its own. What it has not
// seen is not believed; what it has seen may still be luck, so of a store that is
// known to promise less, less is believed.
func (b *Bank) probe(ctx context.Context, swift bool) (err error) {
	p := &prober{bank: b, folder: b.names.Prefix + probeFolder + karbor.NewID() + "/"}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		err = errors.Join(err, p.clean(clean))
	}()
	id, err := p.put(ctx, "a!", false)
	if err != nil {
		return explain(ctx, "writing", err)
	}
	if b.versioned = id != ""; id == "null" {
		return karbor.Errorf(karbor.Invalid, "the versioning of the bank's bucket is suspended: turn it on, or take a bucket that never had it")
	}
	if b.lock != nil && !b.versioned {
		return karbor.Errorf(karbor.Invalid, "object_lock: the bank's bucket keeps no versions")
	}
	if b.conditional, err = p.refuses(ctx, "a!"); err != nil {
		return err
	}
	atomic, consistent := b.conditional, true
	for i := range rounds {
		one, shown, err := p.round(ctx, fmt.Sprintf("race%d!", i))
		if err != nil {
			return err
		}
		atomic, consistent = atomic && one, consistent && shown
	}
	b.traits.AtomicCreate = atomic && !swift
	b.traits.ConsistentList = consistent && !swift
	if b.versioned {
		b.folders, err = p.unordered(ctx)
	}
	return err
}

// prober is a probe under way.
type prober struct {
	bank   *Bank
	folder string

	mu    sync.Mutex
	names []string
}

// put writes a small object, and gives its version.
func (p *prober) put(ctx context.Context, name string, onlyNew bool) (string, error) {
	text := []byte(karbor.NewID())
	r := bytes.NewReader(text)
	d, err := p.bank.digest(r, false)
	if err != nil {
		return "", err
	}
	opts := minio.PutObjectOptions{DisableContentSha256: true}
	if onlyNew {
		opts.SetMatchETagExcept("*")
	}
	p.mu.Lock()
	if !slices.Contains(p.names, p.folder+name) {
		p.names = append(p.names, p.folder+name)
	}
	p.mu.Unlock()
	info, err := p.bank.store.PutObject(ctx, p.bank.bucket, p.folder+name, r, int64(len(text)), "", d.sha256, opts)
	return info.VersionID, err
}

// refuses reports whether the store refuses to create what is there.
func (p *prober) refuses(ctx context.Context, name string) (bool, error) {
	_, err := p.put(ctx, name, true)
	if err == nil {
		return false, nil // it takes no notice of the condition
	}
	err = explain(ctx, "creating", err)
	switch kind := karbor.KindOf(err); {
	case kind == karbor.Conflict:
		return true, nil
	case ctx.Err() != nil || karbor.IsTransient(err):
		return false, err
	}
	return false, nil // it refuses the condition itself
}

// round has racers create one object, lists it, removes it, and lists again.
func (p *prober) round(ctx context.Context, name string) (one, shown bool, err error) {
	b := p.bank
	var won atomic.Int64
	errs := make([]error, racers)
	var tasks sync.WaitGroup
	for i := range racers {
		tasks.Go(func() {
			_, err := p.put(ctx, name, b.conditional)
			if err = explain(ctx, "creating", err); err == nil {
				won.Add(1)
			} else if !is(err, karbor.Conflict) && !karbor.IsTransient(err) {
				errs[i] = err
			}
		})
		if !b.conditional {
			break // nobody would lose
		}
	}
	tasks.Wait()
	if err := errors.Join(errs...); err != nil {
		return false, false, err
	}
	before, err := p.lists(ctx, name)
	if err != nil {
		return false, false, err
	}
	if err := p.remove(ctx, p.folder+name); err != nil {
		return false, false, err
	}
	after, err := p.lists(ctx, name)
	return won.Load() == 1, before && !after, err
}

// lists reports whether a listing shows an object.
func (p *prober) lists(ctx context.Context, name string) (bool, error) {
	b := p.bank
	opts := minio.ListObjectsOptions{Prefix: p.folder, Recursive: true, WithVersions: b.versioned}
	found := false
	for o := range b.store.ListObjectsIter(ctx, b.bucket, opts) {
		if o.Err != nil {
			return false, explain(ctx, "listing", o.Err)
		}
		found = found || o.Key == p.folder+name
	}
	return found, ctx.Err()
}

// unordered reports whether a listing of versions is in another order than that of
// the names' bytes, or does not begin after where it was told to begin.
func (p *prober) unordered(ctx context.Context) (bool, error) {
	want := []string{"o-o!", "o/o!", "o0!"}
	for _, name := range want {
		if _, err := p.put(ctx, name, false); err != nil {
			return false, explain(ctx, "writing", err)
		}
	}
	whole, err := p.listed(ctx, "", len(want))
	if err != nil || !slices.Equal(whole, want) {
		return true, err
	}
	rest, err := p.listed(ctx, p.folder+want[0], len(want))
	return !slices.Equal(rest, want[1:]), err
}

// listed gives the names of up to limit versions whose names begin with an o.
func (p *prober) listed(ctx context.Context, after string, limit int) ([]string, error) {
	b := p.bank
	opts := minio.ListObjectsOptions{Prefix: p.folder + "o", Recursive: true, WithVersions: true, StartAfter: after, MaxKeys: 1}
	var names []string
	for o := range b.store.ListObjectsIter(ctx, b.bucket, opts) {
		if o.Err != nil {
			return nil, explain(ctx, "listing versions", o.Err)
		}
		if names = append(names, strings.TrimPrefix(o.Key, p.folder)); len(names) > limit {
			break
		}
	}
	return names, ctx.Err()
}

// remove removes an object of the probe, with all its versions.
func (p *prober) remove(ctx context.Context, name string) error {
	b := p.bank
	if !b.versioned {
		return b.remove(ctx, "what was written to try it", name, "")
	}
	all, err := b.versionsOf(ctx, "what was written to try it", name)
	if err != nil {
		return err
	}
	for _, v := range all {
		if err := b.remove(ctx, "what was written to try it", name, v.id); err != nil {
			return err
		}
	}
	return nil
}

// clean removes what the probe has written.
func (p *prober) clean(ctx context.Context) error {
	var errs []error
	for _, name := range p.names {
		errs = append(errs, p.remove(ctx, name))
	}
	return errors.Join(errs...)
}

// sweep removes what a crash left behind: probes and uploads that nobody goes on with.
func (b *Bank) sweep(ctx context.Context, now time.Time) error {
	const doing = "removing what a crash left"
	p := &prober{bank: b}
	opts := minio.ListObjectsOptions{Prefix: b.names.Prefix + probeFolder, Recursive: true, WithVersions: b.versioned}
	for o := range b.store.ListObjectsIter(ctx, b.bucket, opts) {
		if o.Err != nil {
			return explain(ctx, doing, o.Err)
		}
		if now.Sub(o.LastModified) >= staleAfter {
			if err := p.remove(ctx, o.Key); err != nil {
				return err
			}
		}
	}
	listing, stop := context.WithCancel(ctx)
	defer stop()
	for u := range b.store.ListIncompleteUploads(listing, b.bucket, b.names.Prefix, true) {
		if err := explain(ctx, doing, u.Err); err != nil {
			if ctx.Err() == nil && !karbor.IsTransient(err) {
				return nil // a store that does not tell has nothing to remove
			}
			return err
		}
		if now.Sub(u.Initiated) >= staleAfter {
			if err := b.store.AbortMultipartUpload(ctx, b.bucket, u.Key, u.UploadID); err != nil {
				return explain(ctx, doing, err)
			}
		}
	}
	return ctx.Err()
}

// lookForVersions learns whether the bucket keeps versions without writing to it.
func (b *Bank) lookForVersions(ctx context.Context) error {
	versioning, err := b.store.GetBucketVersioning(ctx, b.bucket)
	err = explain(ctx, "asking whether the bank's bucket keeps versions", err)
	if err != nil && (ctx.Err() != nil || karbor.IsTransient(err)) {
		return err
	}
	b.versioned = err == nil && versioning.Enabled()
	b.folders = b.versioned // slower, and right with every store
	return nil
}
