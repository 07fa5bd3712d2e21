package s3

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// List implements bank.Bank.
func (b *Bank) List(ctx context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	if err := bank.CheckLimit(limit); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !bank.CanBegin(prefix) {
		return nil, nil
	}
	l := &listing{bank: b, prefix: prefix, marker: marker, limit: limit}
	var err error
	switch {
	case b.versioned && b.folders:
		err = l.folder(ctx, prefix[:strings.LastIndexByte(prefix, '/')+1])
	default:
		err = l.flat(ctx)
	}
	if err != nil {
		return nil, explain(ctx, fmt.Sprintf("listing what begins with %q", prefix), err)
	}
	return l.infos, nil
}

// listing is one List under way.
type listing struct {
	bank           *Bank
	prefix, marker string
	limit          int
	infos          []bank.Info
	// name and version are those of the last entry.
	name, version string
}

// flat lists by name. Versions of one name come together, the oldest last: it is the
// one that counts.
func (l *listing) flat(ctx context.Context) error {
	b := l.bank
	more := 1
	if b.versioned {
		more = 16 // delete markers and later versions take places
	}
	opts := minio.ListObjectsOptions{
		Prefix: b.names.Begin(l.prefix), StartAfter: b.names.After(l.marker), Recursive: true,
		WithVersions: b.versioned, MaxKeys: min(l.limit+more, bank.MaxList),
	}
	for o := range b.store.ListObjectsIter(ctx, b.bucket, opts) {
		if o.Err != nil {
			return o.Err
		}
		if o.Key < l.name || o.Key == l.name && (o.VersionID == l.version || !b.versioned) {
			return karbor.Errorf(karbor.Unavailable, "the bank's list is not in order")
		}
		if len(l.infos) == l.limit && o.Key != l.name {
			return ctx.Err()
		}
		l.add(o)
	}
	return ctx.Err() // the listing just ends
}

// add takes up an entry, which replaces one of the same name.
func (l *listing) add(o minio.ObjectInfo) {
	again := o.Key == l.name
	l.name, l.version = o.Key, o.VersionID
	key, ours := l.bank.names.Key(o.Key)
	if o.IsDeleteMarker || !ours || key <= l.marker || !strings.HasPrefix(key, l.prefix) {
		return
	}
	info := bank.Info{Key: key, Size: o.Size, ModTime: o.LastModified, LockedUntil: l.bank.lockedUntil(key, o.LastModified)}
	if n := len(l.infos); again && n > 0 && l.infos[n-1].Key == key {
		l.infos[n-1] = info
		return
	}
	if len(l.infos) < l.limit {
		l.infos = append(l.infos, info)
	}
}

// folder lists the versions below a folder, whose key prefix is "" or ends in a
// slash, folder by folder.
func (l *listing) folder(ctx context.Context, base string) error {
	entries, err := l.entries(ctx, base)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if len(l.infos) == l.limit {
			return nil
		}
		sub, isFolder := strings.CutSuffix(e.name, "/")
		if !isFolder {
			l.add(e.object)
			continue
		}
		key := strings.TrimPrefix(sub, l.bank.names.Begin("")) + "/"
		// All keys below are greater than key and smaller than after.
		after := strings.TrimSuffix(key, "/") + "0"
		overlaps := strings.HasPrefix(key, l.prefix) || strings.HasPrefix(l.prefix, key)
		if bank.CanBegin(key) && overlaps && l.marker < after {
			if err := l.folder(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry is a folder, or the first version of an object.
type entry struct {
	name   string
	object minio.ObjectInfo
}

// entries gives what is directly in a folder, in the order of names.
func (l *listing) entries(ctx context.Context, base string) ([]entry, error) {
	b := l.bank
	found := map[string]minio.ObjectInfo{}
	opts := minio.ListObjectsOptions{Prefix: b.names.Begin(base), WithVersions: true}
	for o := range b.store.ListObjectsIter(ctx, b.bucket, opts) {
		if o.Err != nil {
			return nil, o.Err
		}
		if !o.IsDeleteMarker {
			found[o.Key] = o // the oldest comes last
		}
	}
	entries := make([]entry, 0, len(found))
	for name, o := range found {
		entries = append(entries, entry{name, o})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return entries, ctx.Err()
}
