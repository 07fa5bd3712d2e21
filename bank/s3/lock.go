package s3

import (
	"context"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// locks reports whether a new object of a key is locked when it is written.
func (b *Bank) locks(key string) bool {
	return b.lock != nil && b.lock.Period > 0 && bank.Lockable(key)
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

// triedFor is how long what was written to try it stays locked; a later sweep removes it.
const triedFor = time.Minute

// tryLock looks whether the store refuses to remove what was locked after it was written.
func (b *Bank) tryLock(ctx context.Context, now time.Time) error {
	p := &prober{bank: b, folder: b.names.Prefix + probeFolder + karbor.NewID() + "/"}
	const name = "lock!"
	id, err := p.put(ctx, name, false)
	if err != nil {
		return explain(ctx, "writing", err)
	}
	mode, until := b.lock.mode(), now.Add(triedFor).UTC()
	err = b.store.PutObjectRetention(ctx, b.bucket, p.folder+name, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until, VersionID: id})
	if err != nil {
		err = explain(ctx, "locking", err)
		if ctx.Err() != nil || karbor.IsTransient(err) {
			return err
		}
		refused := karbor.Errorf(karbor.Invalid, "object_lock.held: the store refuses to lock what is written already; "+
			"the credentials need the right to put and get the retention of objects")
		refused.Cause = err
		return refused
	}
	err = b.remove(ctx, "what was locked to try it", p.folder+name, id)
	switch {
	case err == nil:
		return karbor.Errorf(karbor.Invalid, "object_lock.held: the store has removed what was locked; it does not keep locks")
	case ctx.Err() != nil || karbor.IsTransient(err):
		return err
	}
	return nil
}

// Lock implements bank.Locker, on the version that counts.
func (b *Bank) Lock(ctx context.Context, key string, until time.Time) (time.Time, error) {
	if err := bank.CheckLock(ctx, key); err != nil {
		return time.Time{}, err
	}
	if b.traits.LockAhead == 0 {
		return time.Time{}, karbor.Errorf(karbor.NotImplemented, "locking %s: the bank's options have no object_lock.held", key)
	}
	// Stores keep whole seconds.
	if whole := until.Truncate(time.Second); whole.Before(until) {
		until = whole.Add(time.Second)
	}
	id, err := b.counting(ctx, key)
	if err != nil {
		return time.Time{}, err
	}
	if locked, err := b.retained(ctx, key, id); err != nil || !locked.Before(until) {
		return locked, err
	}
	mode, until := b.lock.mode(), until.UTC()
	err = b.store.PutObjectRetention(ctx, b.bucket, b.names.Name(key), minio.PutObjectRetentionOptions{
		Mode: &mode, RetainUntilDate: &until, VersionID: id,
	})
	if err == nil {
		return until, nil
	}
	// Somebody may have locked it for longer meanwhile: then it can't be shortened.
	if locked, askErr := b.retained(ctx, key, id); askErr == nil && !locked.Before(until) {
		return locked, nil
	}
	return time.Time{}, explain(ctx, "locking "+key, err)
}

// LockedUntil implements bank.Locker: it asks the store.
func (b *Bank) LockedUntil(ctx context.Context, key string) (time.Time, error) {
	if err := bank.CheckKey(key); err != nil {
		return time.Time{}, err
	}
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	if !b.traits.ObjectLock || !b.versioned {
		_, err := b.Stat(ctx, key)
		return time.Time{}, err
	}
	id, err := b.counting(ctx, key)
	if err != nil {
		return time.Time{}, err
	}
	return b.retained(ctx, key, id)
}

// mayReplace gives an error of kind karbor.Conflict if an object is locked that was written
// without a lock. It is asked before a new version covers the one that counts: some stores tell
// nothing of that one's lock then.
func (b *Bank) mayReplace(ctx context.Context, key string) error {
	if b.traits.LockAhead == 0 || !bank.Lockable(key) {
		return nil
	}
	id, err := b.counting(ctx, key)
	if is(err, karbor.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.lockedBy(ctx, key, id)
}

// counting gives the version of an object that counts.
func (b *Bank) counting(ctx context.Context, key string) (string, error) {
	if id, ok := b.firsts.get(key); ok {
		return id, nil
	}
	v, err := b.first(ctx, key)
	return v.id, err
}

// retained asks until when a version is locked; zero for one that never was.
func (b *Bank) retained(ctx context.Context, key, id string) (time.Time, error) {
	info, err := b.store.StatObject(ctx, b.bucket, b.names.Name(key), minio.StatObjectOptions{VersionID: id})
	if err != nil {
		b.firsts.forget(key)
		return time.Time{}, explain(ctx, "asking until when "+key+" is locked", err)
	}
	text := info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date")
	if text == "" {
		return b.retention(ctx, key, id)
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, karbor.Errorf(karbor.Unavailable, "asking until when %s is locked: the store's answer is no time", key)
	}
	return until.UTC(), nil
}

// retention asks for the retention of a version alone: some stores do not tell it along with
// a version that a newer one covers.
func (b *Bank) retention(ctx context.Context, key, id string) (time.Time, error) {
	_, until, err := b.store.GetObjectRetention(ctx, b.bucket, b.names.Name(key), id)
	if code := minio.ToErrorResponse(err).Code; code == "NoSuchObjectLockConfiguration" || code == "ObjectLockConfigurationNotFoundError" {
		return time.Time{}, nil
	}
	if err != nil || until == nil {
		return time.Time{}, explain(ctx, "asking until when "+key+" is locked", err)
	}
	return until.UTC(), nil
}

// lockedBy gives an error of kind karbor.Conflict if a version is locked.
func (b *Bank) lockedBy(ctx context.Context, key, id string) error {
	if !b.traits.ObjectLock {
		return nil
	}
	until, err := b.retained(ctx, key, id)
	if err != nil {
		return nil
	}
	now, err := b.Now(ctx)
	if err != nil || !now.Before(until) {
		return nil
	}
	return karbor.Errorf(karbor.Conflict, "removing %s: it is locked until %s", key, until.UTC().Format("2006-01-02 15:04:05 UTC"))
}
