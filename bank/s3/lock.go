package s3

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
)

// passing are the beginnings of keys of objects that go before a retention ends: they
// are never locked. A star stands for one part.
func passing() []string {
	return []string{
		"v1/leases",
		"v1/checkpoints/*/*/purging",
		"v1/repositories/*/sessions",
		"v1/repositories/*/epochs",
		"v1/repositories/*/slots",
		"v1/repositories/*/collectors",
		"v1/repositories/*/damaged",
		// An index that tells of packs that are gone must go; it is a help, and no loss.
		"v1/repositories/*/index",
	}
}

// locks reports whether a new object of a key is locked.
func (b *Bank) locks(key string) bool {
	if b.lock == nil {
		return false
	}
	parts := strings.Split(key, "/")
	for _, pattern := range passing() {
		n := strings.Count(pattern, "/") + 1
		if len(parts) < n {
			continue
		}
		if ok, err := path.Match(pattern, strings.Join(parts[:n], "/")); ok && err == nil {
			return false
		}
	}
	return true
}

// lockedUntil is until when an object is locked that was written with this bank's options.
func (b *Bank) lockedUntil(key string, written time.Time) time.Time {
	if !b.locks(key) {
		return time.Time{}
	}
	return written.Add(b.lock.Period)
}

// mode gives the store's word for the mode.
func (l *ObjectLock) mode() minio.RetentionMode { return minio.RetentionMode(strings.ToUpper(l.Mode)) }

// checkLock looks whether the bucket can lock objects, and does not lock all of them.
func (b *Bank) checkLock(ctx context.Context) error {
	enabled, mode, _, _, err := b.store.GetObjectLockConfig(ctx, b.bucket)
	on := err == nil && strings.EqualFold(enabled, "Enabled")
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case on && mode != nil && *mode != "":
		return karbor.Errorf(karbor.Invalid, "the bank's bucket locks every new object by default, leases as well, which could then not go: "+
			"take its default retention away, and set object_lock in the bank's options")
	case b.lock == nil:
		b.traits.ObjectLock = on
		return nil // a store without object lock has many ways to say so
	case err != nil && karbor.IsTransient(explain(ctx, "", err)):
		return explain(ctx, "asking whether the bank's bucket can lock objects", err)
	case !on:
		return karbor.Errorf(karbor.Invalid, "object_lock: the bank's bucket can't lock objects; make one with object lock")
	}
	b.traits.ObjectLock = true
	return nil
}

// lockedBy gives an error of kind karbor.Conflict if a version is locked.
func (b *Bank) lockedBy(ctx context.Context, key, name, id string) error {
	if !b.traits.ObjectLock {
		return nil
	}
	info, err := b.store.StatObject(ctx, b.bucket, name, minio.StatObjectOptions{VersionID: id})
	if err != nil {
		return nil
	}
	until, err := time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if err != nil {
		return nil
	}
	now, err := b.Now(ctx)
	if err != nil || !now.Before(until) {
		return nil
	}
	return karbor.Errorf(karbor.Conflict, "removing %s: it is locked until %s", key, until.UTC().Format("2006-01-02 15:04:05 UTC"))
}
