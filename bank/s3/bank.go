package s3

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Bank is a bank in a bucket. See bank.Bank.
type Bank struct {
	store   *minio.Core
	courier *courier
	bucket  string
	names   bank.ObjectNames
	lock    *ObjectLock
	traits  bank.Traits
	// conditional says that the store refuses a write with If-None-Match where there
	// is an object.
	conditional bool
	// versioned says that the bucket keeps versions; then the first one counts.
	versioned bool
	// folders says that the store lists versions in order within a folder only.
	folders bool
	firsts  *firsts
}

// Open opens the bank, tries what the store guarantees (see Traits), and removes what
// a crash left more than a day ago. The error is karbor.Invalid where the options
// ask for what can't be.
func Open(ctx context.Context, o Options, h Host) (*Bank, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "endpoint: it is no URL")
	}
	keys, err := signer(ctx, o.Credentials, h)
	if err != nil {
		return nil, err
	}
	c, err := newCourier(o)
	if err != nil {
		return nil, err
	}
	styles := map[string]minio.BucketLookupType{
		"auto": minio.BucketLookupAuto, "path": minio.BucketLookupPath, "virtual-host": minio.BucketLookupDNS,
	}
	store, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds: keys, Secure: endpoint.Scheme == "https", Transport: c, Region: o.Region,
		BucketLookup: styles[o.Style],
		MaxRetries:   1, // package wrap knows which calls may be made again
	})
	if err != nil {
		return nil, karbor.Errorf(karbor.Invalid, "endpoint: %w", err)
	}
	b := &Bank{store: store, courier: c, bucket: o.Bucket, lock: o.ObjectLock, firsts: newFirsts()}
	b.names.Layout09 = o.Layout09
	if o.Prefix != "" {
		b.names.Prefix = o.Prefix + "/"
	}
	if err := b.prepare(ctx, o, h); err != nil {
		c.base.CloseIdleConnections()
		return nil, err
	}
	return b, nil
}

// prepare learns what the store is like.
func (b *Bank) prepare(ctx context.Context, o Options, h Host) error {
	now, swift, err := b.ask(ctx)
	if err != nil {
		return err
	}
	b.traits.ClockAhead = now.Sub(h.Now()).Truncate(time.Second)
	if err := b.checkLock(ctx); err != nil {
		return err
	}
	if o.ReadOnly {
		return b.lookForVersions(ctx)
	}
	if err := b.probe(ctx, swift); err != nil {
		return fmt.Errorf("trying what the bank's store guarantees: %w", err)
	}
	if b.lock != nil && b.lock.Held > 0 {
		if err := b.tryLock(ctx, now); err != nil {
			return fmt.Errorf("trying whether the bank's store keeps locks: %w", err)
		}
		b.traits.LockAhead = b.lock.Held
	}
	return b.sweep(ctx, now)
}

// ask asks for the bucket, and gives the server's time and whether it is Swift.
func (b *Bank) ask(ctx context.Context) (now time.Time, swift bool, err error) {
	asking, a := withAnswer(ctx)
	const doing = "asking for the bank's bucket"
	exists, err := b.store.BucketExists(asking, b.bucket)
	switch {
	case err != nil:
		return time.Time{}, false, explain(ctx, doing, err)
	case !exists && ctx.Err() != nil:
		return time.Time{}, false, explain(ctx, doing, ctx.Err())
	case !exists:
		return time.Time{}, false, karbor.Errorf(karbor.Unavailable, "the bank's bucket is not there")
	case a.date.IsZero():
		return time.Time{}, false, karbor.Errorf(karbor.Unavailable, "the bank does not tell the time")
	}
	return a.date, a.swift, nil
}

// Now implements bank.Bank: the Date of an answer, in whole seconds.
func (b *Bank) Now(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	now, _, err := b.ask(ctx)
	return now, err
}

// Stat implements bank.Bank.
func (b *Bank) Stat(ctx context.Context, key string) (bank.Info, error) {
	if err := bank.CheckKey(key); err != nil {
		return bank.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return bank.Info{}, err
	}
	if b.versioned {
		first, err := b.first(ctx, key)
		if err != nil {
			return bank.Info{}, err
		}
		return bank.Info{Key: key, Size: first.size, ModTime: first.modTime, LockedUntil: b.lockedUntil(key, first.modTime)}, nil
	}
	info, err := b.store.StatObject(ctx, b.bucket, b.names.Name(key), minio.StatObjectOptions{})
	if err != nil {
		return bank.Info{}, explain(ctx, "looking at "+key, err)
	}
	return bank.Info{Key: key, Size: info.Size, ModTime: info.LastModified, LockedUntil: b.lockedUntil(key, info.LastModified)}, nil
}

// Delete implements bank.Bank. Where there are versions it removes all of them; the
// error is karbor.Conflict if one is locked.
func (b *Bank) Delete(ctx context.Context, key string) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.versioned {
		return b.deleteVersions(ctx, key)
	}
	return b.remove(ctx, key, b.names.Name(key), "")
}

// remove removes an object or a version. One that is not there is no error.
func (b *Bank) remove(ctx context.Context, key, name, version string) error {
	err := b.store.RemoveObject(ctx, b.bucket, name, minio.RemoveObjectOptions{VersionID: version})
	if err = explain(ctx, "removing "+key, err); is(err, karbor.NotFound) {
		return nil
	}
	return err
}

// Traits implements bank.Bank: what was seen when the bank was opened.
func (b *Bank) Traits() bank.Traits { return b.traits }

// Close implements bank.Bank.
func (b *Bank) Close() error {
	b.courier.base.CloseIdleConnections()
	return nil
}
