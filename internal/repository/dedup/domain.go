package dedup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// Options of Create and Open.
type Options struct {
	// Compression of what is written from now on: Zstd for fewer bytes, S2 for
	// less work.
	Compression format.Compression
	// Workers is how many goroutines of a stream hash, compress and encrypt; 0 is
	// one for each processor.
	Workers int
	// Index tells where chunks lie, and is told of new ones. Required, or else NewIndex.
	Index Index
	// NewIndex makes the index when it is known of which repository, if Index is nil. It
	// is closed by who gave this function.
	NewIndex func(format.RepositoryID) (Index, error)
	// Session guards what is written from a collector. The index is a SessionIndex
	// then, and is read when the domain is opened. Nil is for reading only, and for
	// what nobody collects.
	Session Session
}

// Domain is an opened key domain of a bank. Its methods may be called concurrently.
type Domain struct {
	bank     bank.Bank
	name     string
	document *format.Document
	keys     *format.Keys
	options  Options
	searches *searches
	buffers  *buffers
}

const (
	root        = "v1/repositories/"
	maxDocument = 64 << 10
)

func domainPrefix(domain string) string { return root + domain + "/" }

// Create makes a new domain with a master key, and opens it. One that is there
// already is a karbor.Conflict.
func Create(ctx context.Context, b bank.Bank, domain string, master format.Key, now time.Time, o Options) (*Domain, error) {
	d, err := format.NewDocument(domain, format.NewRepositoryID(), master, now)
	if err != nil {
		return nil, err
	}
	if err := bank.CreateJSON(ctx, b, domainPrefix(domain)+"format", d); err != nil {
		return nil, fmt.Errorf("making the repository of %s: %w", domain, err)
	}
	return Open(ctx, b, domain, master, o)
}

// Open opens a domain. One that is not there is karbor.NotFound; a key that is
// another's is a *format.DamageError.
func Open(ctx context.Context, b bank.Bank, domain string, master format.Key, o Options) (*Domain, error) {
	text, err := get(ctx, b, domainPrefix(domain)+"format", maxDocument)
	if err != nil {
		return nil, fmt.Errorf("opening the repository of %s: %w", domain, err)
	}
	d, id, err := format.ParseDocument(text, domain)
	if err != nil {
		return nil, fmt.Errorf("opening the repository of %s: %w", domain, err)
	}
	keys, err := d.Unlock(master)
	if err != nil {
		return nil, fmt.Errorf("opening the repository of %s: %w", domain, err)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Index == nil {
		if o.Index, err = o.NewIndex(id); err != nil {
			return nil, fmt.Errorf("opening the repository of %s: %w", domain, err)
		}
	}
	opened := &Domain{bank: b, name: domain, document: d, keys: keys, options: o, searches: newSearches(), buffers: &buffers{}}
	if o.Session != nil {
		// A session counts on an index that was read after it began.
		if err := errors.Join(opened.attach(), opened.reread(ctx, true)); err != nil {
			return nil, fmt.Errorf("opening the repository of %s: %w", domain, err)
		}
	}
	return opened, nil
}

// packKey is where a pack lies.
func (d *Domain) packKey(kind format.Kind, name format.Name) string {
	folder := "packs/"
	if kind == format.Pages {
		folder = "pages/"
	}
	text := name.String()
	return domainPrefix(d.name) + folder + text[:2] + "/" + text
}

func (d *Domain) segmentKey(name format.Name) string {
	return domainPrefix(d.name) + "index/" + name.String()
}

// store writes an object that is named by its bytes. One that is there already is the
// same, so that is no error.
func (d *Domain) store(ctx context.Context, key string, object io.Reader, size int64) error {
	err := d.bank.Create(ctx, key, object, size)
	if err == nil || karbor.KindOf(err) == karbor.Conflict {
		return nil
	}
	return fmt.Errorf("writing %s: %w", key, err)
}

// get reads an object, which must not be longer than a limit.
func get(ctx context.Context, b bank.Bank, key string, limit int64) ([]byte, error) {
	r, err := b.Get(ctx, key, 0, limit+1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, &format.DamageError{What: "object", Why: fmt.Sprintf("%s has more than %d bytes", key, limit)}
	}
	return text, nil
}

// manifest reads the manifest of a stream.
func (d *Domain) manifest(ctx context.Context, key string) (*format.Root, error) {
	text, err := get(ctx, d.bank, key, format.MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest %s: %w", key, err)
	}
	m, err := format.ParseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest %s: %w", key, err)
	}
	r, err := d.keys.OpenManifest(d.document, key, m)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest %s: %w", key, err)
	}
	return r, nil
}
