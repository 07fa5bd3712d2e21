package keyring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// Ring is the key slots of one domain in a bank. Its methods may be called concurrently.
type Ring struct {
	bank    bank.Bank
	domain  string
	settle  time.Duration
	listing time.Duration
}

// settleTime is how long a bank on which two racing creates can both win is left alone
// before it is looked which one has.
const settleTime = 2 * time.Second

// New gives the slots of a domain, which need not be there. domain is an id by the rules of
// layout 1.
func New(b bank.Bank, domain string) (*Ring, error) {
	if !karbor.IsResourceID(domain) {
		return nil, karbor.Errorf(karbor.Invalid, "%q can't name a key domain", domain)
	}
	return &Ring{bank: b, domain: domain, settle: settleTime, listing: listTime}, nil
}

// Opened is a domain whose master key is known. It is read only.
type Opened struct {
	Document *format.Document
	Keys     *format.Keys
	// Master is the master key, which all slots hold.
	Master format.Key
	// Slot is the id of the slot that it was opened through.
	Slot string
}

func (r *Ring) prefix() string { return "v1/repositories/" + r.domain + "/" }

func (r *Ring) documentKey() string { return r.prefix() + "format" }

// Create makes the domain with a new master key and a slot for each source, and gives it
// opened. A domain that is there already is karbor.Conflict. The slots go first: a
// domain without any would be lost.
func (r *Ring) Create(ctx context.Context, sources []*Source) (*Opened, error) {
	o, err := r.create(ctx, sources)
	if err != nil {
		return nil, fmt.Errorf("making the key domain %s: %w", r.domain, err)
	}
	return o, nil
}

func (r *Ring) create(ctx context.Context, sources []*Source) (*Opened, error) {
	if len(sources) == 0 {
		return nil, karbor.Errorf(karbor.Invalid, "a key domain needs at least one key")
	}
	if _, err := r.document(ctx); err == nil || karbor.KindOf(err) != karbor.NotFound {
		return nil, orConflict(err, r.domain)
	}
	now, err := r.bank.Now(ctx)
	if err != nil {
		return nil, err
	}
	master := format.NewKey()
	document, err := format.NewDocument(r.domain, format.NewRepositoryID(), master, now)
	if err != nil {
		return nil, err
	}
	o, err := unlocked(document, master)
	if err != nil {
		return nil, err
	}
	// All of them are made before one is written, so that a key that can't be had leaves
	// nothing behind.
	slots := make([]*format.Slot, len(sources))
	for i, s := range sources {
		if slots[i], err = newSlot(ctx, o, s, now); err != nil {
			return nil, err
		}
	}
	for _, s := range slots {
		if err := r.write(ctx, s); err != nil {
			return nil, err
		}
	}
	o.Slot = slots[0].Slot
	return o, r.publish(ctx, document, slots)
}

// publish writes the format document. When another one has, the slots go.
func (r *Ring) publish(ctx context.Context, document *format.Document, slots []*format.Slot) error {
	err := bank.CreateJSON(ctx, r.bank, r.documentKey(), document)
	if err == nil && !r.bank.Traits().AtomicCreate {
		err = r.won(ctx, document)
	}
	if karbor.KindOf(err) != karbor.Conflict || err == nil {
		return err
	}
	for _, s := range slots {
		err = errors.Join(err, r.bank.Delete(ctx, r.slotKey(s.Slot)))
	}
	return err
}

// won waits until racing creates are over, and looks whose document is there.
func (r *Ring) won(ctx context.Context, document *format.Document) error {
	if err := wait(ctx, r.settle); err != nil {
		return err
	}
	there, err := r.document(ctx)
	if err != nil {
		return err
	}
	if there.Repository != document.Repository {
		return orConflict(nil, r.domain)
	}
	return nil
}

func orConflict(err error, domain string) error {
	if err != nil {
		return err
	}
	return karbor.Errorf(karbor.Conflict, "the key domain %s is there already", domain)
}

// Open opens the domain through the first slot that one of the sources opens. A domain that
// is not there is karbor.NotFound. One that has no slots any more, or none that a source
// opens, is a *LockedError. One that only a later version can read is karbor.NotImplemented.
func (r *Ring) Open(ctx context.Context, sources []*Source) (*Opened, error) {
	o, err := r.open(ctx, sources)
	if err != nil {
		return nil, fmt.Errorf("opening the key domain %s: %w", r.domain, err)
	}
	return o, nil
}

func (r *Ring) open(ctx context.Context, sources []*Source) (*Opened, error) {
	document, err := r.document(ctx)
	if err != nil {
		return nil, err
	}
	if err := dedup.Meets(ctx, r.bank, r.domain, dedup.Readers); err != nil {
		return nil, err
	}
	slots, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	locked := &LockedError{Domain: r.domain, Slots: len(slots)}
	for _, source := range sources {
		for _, s := range cheapest(slots) {
			if s.Kind != source.kind {
				continue
			}
			kek, err := source.keyFor(ctx, s)
			if _, damaged := errors.AsType[*format.DamageError](err); err != nil && !damaged {
				// The source gives no key: that is the same for its other slots.
				locked.Causes = append(locked.Causes, err)
				break
			}
			if err == nil {
				var master format.Key
				if master, err = s.Unwrap(document, kek); err == nil {
					var o *Opened
					if o, err = unlocked(document, master); err == nil {
						o.Slot = s.Slot
						return o, nil
					}
				}
			}
			locked.Causes = append(locked.Causes, fmt.Errorf("the %s does not open the slot %s: %w", source, s.Slot, err))
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(slots) == 0 {
		if locked.Early, err = r.early(ctx); err != nil {
			return nil, err
		}
	}
	return nil, locked
}

func unlocked(d *format.Document, master format.Key) (*Opened, error) {
	k, err := d.Unlock(master)
	if err != nil {
		return nil, err
	}
	return &Opened{Document: d, Keys: k, Master: master}, nil
}

// Document reads the domain's format document, which needs no key. karbor.NotFound says
// that there is no such domain.
func (r *Ring) Document(ctx context.Context) (*format.Document, error) {
	d, err := r.document(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the key domain %s: %w", r.domain, err)
	}
	return d, nil
}

func (r *Ring) document(ctx context.Context) (*format.Document, error) {
	text, err := r.get(ctx, r.documentKey())
	if karbor.KindOf(err) == karbor.NotFound && err != nil {
		return nil, karbor.Errorf(karbor.NotFound, "there is no key domain %s in the bank", r.domain)
	}
	if err != nil {
		return nil, err
	}
	d, _, err := format.ParseDocument(text, r.domain)
	return d, err
}

// maxDocument is the most bytes that a format document or a slot may have.
const maxDocument = 64 << 10

func (r *Ring) get(ctx context.Context, key string) ([]byte, error) {
	body, err := r.bank.Get(ctx, key, 0, maxDocument+1)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	if len(text) > maxDocument {
		return nil, &format.DamageError{What: "object", Why: fmt.Sprintf("%s has more than %d bytes", key, maxDocument)}
	}
	return text, nil
}

func (r *Ring) write(ctx context.Context, s *format.Slot) error {
	text, err := json.Marshal(s)
	if err == nil {
		err = r.bank.Create(ctx, r.slotKey(s.Slot), bytes.NewReader(text), int64(len(text)))
	}
	if err != nil {
		return fmt.Errorf("writing the slot %s: %w", s.Slot, err)
	}
	return nil
}

// LockedError says that no key at hand opens a domain.
type LockedError struct {
	Domain string
	// Slots is how many slots there are. Without any the domain is shredded, unless it is Early.
	Slots int
	// Early says that there may be slots which the bank does not list yet. It is transient then.
	Early bool
	// Causes say why each source opened nothing.
	Causes []error
}

// Error implements error.
func (e *LockedError) Error() string {
	switch {
	case e.Slots == 0 && e.Early:
		return "the bank lists no slot of the domain " + e.Domain + " yet"
	case e.Slots == 0:
		return "the keys of the domain " + e.Domain + " were destroyed: what it holds can't be read any more"
	case len(e.Causes) == 0:
		return "none of the keys at hand is for a slot of the domain " + e.Domain
	default:
		return "none of the keys at hand opens the domain " + e.Domain + ": " + errors.Join(e.Causes...).Error()
	}
}

// Unwrap gives the causes.
func (e *LockedError) Unwrap() []error { return e.Causes }

// As gives the error as the tenant sees it, if asked for a *karbor.Error.
func (e *LockedError) As(target any) bool {
	t, ok := target.(**karbor.Error)
	if !ok {
		return false
	}
	if e.Slots == 0 && e.Early {
		*t = karbor.Transientf("the bank does not show the keys of the domain %s yet", e.Domain)
		return true
	}
	if e.Slots == 0 {
		*t = karbor.Errorf(karbor.Unavailable, "the keys of the domain %s were destroyed: its data can't be read any more", e.Domain)
		return true
	}
	*t = karbor.Errorf(karbor.Unavailable, "the service has no key that opens the domain %s; the operator's log has the details", e.Domain)
	for _, cause := range e.Causes {
		// A key that Barbican does not give now may come later.
		(*t).Transient = (*t).Transient || karbor.IsTransient(cause)
	}
	return true
}
