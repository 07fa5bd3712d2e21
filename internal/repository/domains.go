package repository

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// Options of NewDomains.
type Options struct {
	// Bank is where the domains lie. It is not closed. Required.
	Bank bank.Bank
	// Keys open domains; a new domain gets a slot for each. Required, the one that opens
	// most of them first.
	Keys []*keyring.Source
	// Recovery gets a slot in each new domain, and opens what no other key does; nil for none.
	Recovery *keyring.Source
	// Shared is the one domain that all projects write to; "" for one of each project.
	Shared string
	// Compression of what is written; 0 is format.Auto.
	Compression format.Compression
	// Cache is the folder of the index caches, one below it for each domain. One process has
	// it at a time. With "" they lie in a temporary folder until Close.
	Cache string
	// Now is the local clock. Required.
	Now func() time.Time
	// Logger is told of damage that was got around; nil is nobody.
	Logger *slog.Logger
}

// Bounds of what Domains keeps open.
const (
	// maxKeys is how many domains' keys are kept: about 1 KiB each.
	maxKeys = 4096
	// maxOpen is how many domains are kept open that nobody uses.
	maxOpen = 8
	// idle is how long they are.
	idle = 2 * time.Minute
	// closeTime bounds the calls to the bank when one is closed.
	closeTime = 30 * time.Second
)

// Domains are the key domains of one bank: it makes them at the first write, opens them
// with the keys that it has, and keeps those open that are in use, with one index cache
// and one writer's session each. It is safe for concurrent use. The owner closes it.
type Domains struct {
	options Options
	logger  *slog.Logger
	folder  cacheFolder

	ctx    context.Context // of what goes on beside the calls
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	keys   map[string]*known
	making map[string]gate // locked while a domain's keys are looked for
	open   map[string]*domain
}

// errClosed is what a call after Close gets. It is transient: it does not say that there is
// no key.
var errClosed = karbor.Transientf("the key domains of the bank are closed")

// NewDomains gives the domains of a bank. Nothing is read or written yet.
func NewDomains(o Options) (*Domains, error) {
	if len(o.Keys) == 0 {
		return nil, karbor.Errorf(karbor.Invalid, "a repository needs at least one key")
	}
	if o.Shared != "" && !karbor.IsResourceID(o.Shared) {
		return nil, karbor.Errorf(karbor.Invalid, "%q can't name a key domain", o.Shared)
	}
	if o.Compression == 0 {
		o.Compression = format.Auto
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Domains{
		options: o, logger: o.Logger, folder: cacheFolder{path: o.Cache},
		keys: map[string]*known{}, making: map[string]gate{}, open: map[string]*domain{},
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.tasks.Go(d.tidy)
	return d, nil
}

// Domain names the domain that a project writes to.
func (d *Domains) Domain(project string) string {
	if d.options.Shared != "" {
		return d.options.Shared
	}
	return project
}

// Shared reports whether all projects write to one domain: then what a stream added to
// the bank tells of other projects' data, and is not for tenants.
func (d *Domains) Shared() bool { return d.options.Shared != "" }

// Seal gives the sealed document of text, as it is to lie in the bank under key. It makes
// the project's domain if there is none yet. Within a minute of a shredding it is
// karbor.Unavailable.
func (d *Domains) Seal(ctx context.Context, project, key string, text []byte) ([]byte, error) {
	o, err := d.unlock(ctx, d.Domain(project), true)
	if err != nil {
		return nil, err
	}
	return o.Keys.SealDocument(o.Document, key, text)
}

// Unseal gives back the text that Seal was given. A document that was changed, or lies under
// another key, is a *format.DamageError; one whose domain no key opens is
// karbor.Unavailable, and transient if that may pass.
func (d *Domains) Unseal(ctx context.Context, _, key string, sealed []byte) ([]byte, error) {
	envelope, err := format.ParseSealed(sealed)
	if err != nil {
		return nil, err
	}
	o, err := d.unlock(ctx, envelope.Domain, false)
	if err != nil {
		return nil, err
	}
	return o.Keys.OpenDocument(o.Document, key, sealed)
}

// Unlock gives the keys of a domain. One that is not there is karbor.Unavailable, as is one
// that no key opens: in both cases there is something that can't be read.
func (d *Domains) Unlock(ctx context.Context, domain string) (*keyring.Opened, error) {
	return d.unlock(ctx, domain, false)
}

// Close ends the sessions and closes the caches. ctx bounds the calls to the bank. Calls that
// go on meanwhile fail.
func (d *Domains) Close(ctx context.Context) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	open := d.open
	d.open = map[string]*domain{}
	clear(d.keys)
	d.mu.Unlock()
	d.cancel()
	var failed []error
	for _, one := range open {
		failed = append(failed, one.close(ctx))
	}
	d.tasks.Wait()
	return errors.Join(errors.Join(failed...), d.folder.remove())
}
