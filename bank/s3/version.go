package s3

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
)

// version is one version of an object, or a delete marker.
type version struct {
	id      string
	marker  bool
	size    int64
	modTime time.Time
}

// versions gives all versions and delete markers of a key's object, the oldest first.
func (b *Bank) versions(ctx context.Context, key string) ([]version, error) {
	name := b.names.Name(key)
	return b.versionsOf(ctx, key, name)
}

func (b *Bank) versionsOf(ctx context.Context, key, name string) ([]version, error) {
	var all []version
	listing := minio.ListObjectsOptions{Prefix: name, WithVersions: true, Recursive: true}
	for o := range b.store.ListObjectsIter(ctx, b.bucket, listing) {
		if o.Err != nil {
			return nil, explain(ctx, "looking for the versions of "+key, o.Err)
		}
		if o.Key == name {
			all = append(all, version{o.VersionID, o.IsDeleteMarker, o.Size, o.LastModified})
		}
		if len(all) > maxVersions {
			return nil, karbor.Errorf(karbor.Unavailable, "looking for the versions of %s: there are too many", key)
		}
	}
	if err := ctx.Err(); err != nil { // the listing just ends
		return nil, err
	}
	// The newest comes first.
	slices.Reverse(all)
	return all, nil
}

// maxVersions bounds how many versions of one object are looked at.
const maxVersions = 10_000

// first gives the version of an object that counts: the first that was written. What
// came later, versions as well as delete markers, does not count.
func (b *Bank) first(ctx context.Context, key string) (version, error) {
	all, err := b.versions(ctx, key)
	if err != nil {
		return version{}, err
	}
	for _, v := range all {
		if !v.marker {
			b.firsts.put(key, v.id)
			return v, nil
		}
	}
	b.firsts.forget(key)
	return version{}, karbor.Errorf(karbor.NotFound, "there is no object %s", key)
}

// deleteVersions removes all versions of an object, the newest first, so that until
// the end the one that counts is there.
func (b *Bank) deleteVersions(ctx context.Context, key string) error {
	all, err := b.versions(ctx, key)
	if err != nil {
		return err
	}
	defer b.firsts.forget(key)
	return b.removeVersions(ctx, key, all)
}

// removeVersions removes versions, the last of them first.
func (b *Bank) removeVersions(ctx context.Context, key string, all []version) error {
	name := b.names.Name(key)
	for _, v := range slices.Backward(all) {
		if err := b.remove(ctx, key, name, v.id); err != nil {
			if locked := b.lockedBy(ctx, key, v.id); locked != nil {
				return locked
			}
			return err
		}
	}
	return nil
}

// supersede makes a new version the one that counts, by removing the older ones. If
// one of them is locked, the new one goes, and the error is karbor.Conflict.
func (b *Bank) supersede(ctx context.Context, key, id string) error {
	all, err := b.versions(ctx, key)
	if err != nil {
		return err
	}
	defer b.firsts.forget(key)
	for i, v := range all {
		if v.id != id {
			continue
		}
		if err := b.removeVersions(ctx, key, all[:i]); err != nil {
			if is(err, karbor.Conflict) {
				b.withdraw(ctx, key, id)
			}
			return err
		}
		return nil
	}
	return nil // somebody has superseded ours already
}

// claim checks that a new version is the one that counts. Else it goes, and the error
// is karbor.Conflict.
func (b *Bank) claim(ctx context.Context, key, id string) error {
	first, err := b.first(ctx, key)
	switch {
	case is(err, karbor.NotFound):
		return karbor.Transientf("writing %s: the bank does not show it", key)
	case err != nil:
		return err
	case first.id == id:
		return nil
	}
	b.withdraw(ctx, key, id)
	return karbor.Errorf(karbor.Conflict, "the object %s exists already", key)
}

// withdraw removes a version that does not count. Where that fails it stays, and goes
// with the object.
func (b *Bank) withdraw(ctx context.Context, key, id string) {
	_ = b.remove(ctx, key, b.names.Name(key), id)
}

// firsts remembers which version of an object is the first.
type firsts struct {
	mu  sync.Mutex
	ids map[string]string
}

// maxFirsts bounds how many are remembered.
const maxFirsts = 10_000

func newFirsts() *firsts { return &firsts{ids: map[string]string{}} }

func (f *firsts) get(key string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, ok := f.ids[key]
	return id, ok
}

func (f *firsts) put(key, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ids) >= maxFirsts {
		clear(f.ids) // asking again is all it costs
	}
	f.ids[key] = id
}

func (f *firsts) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ids, key)
}
