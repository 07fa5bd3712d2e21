package keyring

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// maxSlots is how many slots of a domain are looked at.
const maxSlots = bank.MaxList

func (r *Ring) slotKey(id string) string { return r.prefix() + "slots/" + id }

// newSlot makes a slot of a source, not yet written.
func newSlot(ctx context.Context, o *Opened, source *Source, now time.Time) (*format.Slot, error) {
	s := &format.Slot{Slot: karbor.NewID(), Kind: source.kind, Label: source.label, Secret: source.url}
	if s.Kind == format.PassphraseSlot {
		s.PassphraseCosts()
	}
	kek, err := source.keyFor(ctx, s)
	if err != nil {
		return nil, err
	}
	return s, s.Wrap(o.Document, kek, o.Master, now)
}

// ids lists the slots by their ids. Objects with other keys mean nothing.
func (r *Ring) ids(ctx context.Context) ([]string, error) {
	prefix := r.slotKey("")
	infos, err := r.bank.List(ctx, prefix, "", maxSlots)
	if err != nil {
		return nil, fmt.Errorf("listing the slots: %w", err)
	}
	var ids []string
	for _, i := range infos {
		if id := strings.TrimPrefix(i.Key, prefix); karbor.IsUUID(id) && id == strings.ToLower(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// load reads the slots that can be read. Those that are damaged keep nobody from another.
func (r *Ring) load(ctx context.Context) ([]*format.Slot, error) {
	ids, err := r.ids(ctx)
	if err != nil {
		return nil, err
	}
	slots := make([]*format.Slot, 0, len(ids))
	for _, id := range ids {
		s, err := r.slot(ctx, id)
		if _, damaged := errors.AsType[*format.DamageError](err); damaged || karbor.KindOf(err) == karbor.NotFound && err != nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		slots = append(slots, s)
	}
	return slots, nil
}

func (r *Ring) slot(ctx context.Context, id string) (*format.Slot, error) {
	text, err := r.get(ctx, r.slotKey(id))
	if err != nil {
		return nil, fmt.Errorf("reading the slot %s: %w", id, err)
	}
	s, err := format.ParseSlot(text, id)
	if err != nil {
		return nil, fmt.Errorf("reading the slot %s: %w", id, err)
	}
	return s, nil
}

// cheapest gives the slots in the order of what they cost to try: who can write to the
// bank could add some that cost a lot.
func cheapest(slots []*format.Slot) []*format.Slot {
	sorted := slices.Clone(slots)
	slices.SortStableFunc(sorted, func(a, b *format.Slot) int {
		return cmp.Compare(uint64(a.Time)*uint64(a.MemoryKiB), uint64(b.Time)*uint64(b.MemoryKiB))
	})
	return sorted
}

// Slot tells of a slot what can be told without a key.
type Slot struct {
	ID    string          `json:"slot"`
	Kind  format.SlotKind `json:"kind"`
	Label string          `json:"label"`
	// CreatedAt is as the slot has it.
	CreatedAt string `json:"created_at"`
	// Secret is the URL of a Barbican secret.
	Secret string `json:"secret,omitempty"`
	// Damage says why it can't be used; "" for one that can be tried.
	Damage string `json:"damage,omitempty"`
}

// Slots lists the slots, those made first before the others.
func (r *Ring) Slots(ctx context.Context) ([]Slot, error) {
	ids, err := r.ids(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the key domain %s: %w", r.domain, err)
	}
	var out []Slot
	for _, id := range ids {
		s, err := r.slot(ctx, id)
		if damage, is := errors.AsType[*format.DamageError](err); is {
			out = append(out, Slot{ID: id, Damage: damage.Why})
			continue
		}
		if err != nil {
			if karbor.KindOf(err) == karbor.NotFound {
				continue
			}
			return nil, fmt.Errorf("reading the key domain %s: %w", r.domain, err)
		}
		out = append(out, Slot{ID: id, Kind: s.Kind, Label: s.Label, CreatedAt: s.CreatedAt, Secret: s.Secret})
	}
	slices.SortStableFunc(out, func(a, b Slot) int {
		return cmp.Or(strings.Compare(a.CreatedAt, b.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Add adds a slot for a source, and gives its id.
func (r *Ring) Add(ctx context.Context, o *Opened, source *Source) (string, error) {
	now, err := r.bank.Now(ctx)
	if err != nil {
		return "", fmt.Errorf("adding a slot to the key domain %s: %w", r.domain, err)
	}
	s, err := newSlot(ctx, o, source, now)
	if err == nil {
		err = r.write(ctx, s)
	}
	if err != nil {
		return "", fmt.Errorf("adding a slot to the key domain %s: %w", r.domain, err)
	}
	return s.Slot, nil
}

// Remove removes a slot, so that its key opens the domain no more. The one that o was opened
// through is karbor.Conflict: so nobody removes the last way in. Who has had the master
// key keeps it; only new data in a new domain is safe from them.
func (r *Ring) Remove(ctx context.Context, o *Opened, id string) error {
	if err := r.remove(ctx, o, id); err != nil {
		return fmt.Errorf("removing the slot %s of the key domain %s: %w", id, r.domain, err)
	}
	return nil
}

func (r *Ring) remove(ctx context.Context, o *Opened, id string) error {
	if id == o.Slot {
		return karbor.Errorf(karbor.Conflict, "the domain was opened through this slot; open it through another one, which stays, to remove it")
	}
	own, err := r.get(ctx, r.slotKey(o.Slot))
	if err != nil {
		return fmt.Errorf("reading the slot %s, which stays: %w", o.Slot, err)
	}
	if _, err := r.bank.Stat(ctx, r.slotKey(id)); err != nil {
		return err
	}
	if err := r.bank.Delete(ctx, r.slotKey(id)); err != nil {
		return err
	}
	// Another one may have removed the slot that stays, at the same time, through the one
	// that went. It comes back.
	err = r.bank.Create(ctx, r.slotKey(o.Slot), strings.NewReader(string(own)), int64(len(own)))
	if karbor.KindOf(err) == karbor.Conflict {
		return nil
	}
	return err
}

// Rotate puts a slot for a new source in the place of another slot: the new one is there
// before the old one goes. o is opened through the new one from then on, if it was through
// the old.
func (r *Ring) Rotate(ctx context.Context, o *Opened, old string, source *Source) (string, error) {
	if _, err := r.bank.Stat(ctx, r.slotKey(old)); err != nil {
		return "", fmt.Errorf("replacing the slot %s of the key domain %s: %w", old, r.domain, err)
	}
	id, err := r.Add(ctx, o, source)
	if err != nil {
		return "", err
	}
	if o.Slot == old {
		o.Slot = id
	}
	return id, r.Remove(ctx, o, old)
}

// Receipt says what a shredding destroyed.
type Receipt struct {
	Domain      string        `json:"domain"`
	Repository  string        `json:"repository"`
	DestroyedAt time.Time     `json:"destroyed_at"`
	Slots       []ReceiptSlot `json:"slots"`
}

// ReceiptSlot is a slot that was destroyed, with the digest of the object that it was.
type ReceiptSlot struct {
	Slot
	SHA256 string `json:"sha256"`
}

// Shred removes all slots: nobody can ever read again what the domain holds, but for who has
// its master key in memory or a copy of a slot elsewhere. It looks afterwards that none is
// left; where listings lag, until one that was just added would have shown: 10 minutes. The
// receipt is kept in the bank, too. When it fails, the receipt tells what is gone already; it
// may be repeated.
func (r *Ring) Shred(ctx context.Context) (Receipt, error) {
	receipt := Receipt{Domain: r.domain}
	if err := r.shred(ctx, &receipt); err != nil {
		return receipt, fmt.Errorf("shredding the key domain %s: %w", r.domain, err)
	}
	return receipt, nil
}

func (r *Ring) shred(ctx context.Context, receipt *Receipt) error {
	document, err := r.document(ctx)
	if err != nil {
		return err
	}
	receipt.Repository = document.Repository
	left := 0
	if r.bank.Traits().ConsistentList {
		if _, err = r.destroy(ctx, receipt); err == nil {
			left, err = r.destroy(ctx, receipt)
		}
	} else {
		err = r.destroyLate(ctx, receipt)
	}
	if err != nil {
		return err
	}
	if left > 0 {
		return karbor.Transientf("%d slots were added meanwhile; there may be more", left)
	}
	now, err := r.bank.Now(ctx)
	if err != nil {
		return err
	}
	receipt.DestroyedAt = now.UTC().Truncate(time.Microsecond)
	// It stays in the bank, too: without one, nobody can tell a shredded domain from one whose slots
	// were lost.
	key := dedup.ReceiptsPrefix(r.domain) + karbor.NewID()
	return bank.CreateJSON(ctx, r.bank, key, receiptDocument{Format: format.Version, Receipt: *receipt})
}

// receiptDocument is a receipt in the bank.
type receiptDocument struct {
	Format string `json:"format"`
	Receipt
}

// destroyLate removes the slots that are listed, until none has appeared for as long as listings
// may lag.
func (r *Ring) destroyLate(ctx context.Context, receipt *Receipt) error {
	for quiet := 0; ; quiet++ {
		n, err := r.destroy(ctx, receipt)
		if n > 0 {
			quiet = 0
		}
		if err != nil || quiet == looks {
			return err
		}
		if err := wait(ctx, r.listing/looks); err != nil {
			return fmt.Errorf("waiting for slots that are not listed yet: %w", err)
		}
	}
}

// destroy removes the slots that are listed, and tells how many that were.
func (r *Ring) destroy(ctx context.Context, receipt *Receipt) (int, error) {
	slots, err := r.Slots(ctx)
	if err != nil {
		return 0, err
	}
	for n, s := range slots {
		text, err := r.get(ctx, r.slotKey(s.ID))
		if _, damaged := errors.AsType[*format.DamageError](err); err != nil && !damaged {
			return n, err
		}
		if err := r.bank.Delete(ctx, r.slotKey(s.ID)); err != nil {
			return n, err
		}
		sum := sha256.Sum256(text)
		receipt.Slots = append(receipt.Slots, ReceiptSlot{Slot: s, SHA256: hex.EncodeToString(sum[:])})
	}
	return len(slots), nil
}
