package verification

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// marksPrefix begins the keys of the marks of damaged packs.
func marksPrefix(domain string) string { return "v1/repositories/" + domain + "/damaged/" }

// markDocument is a mark.
type markDocument struct {
	Format  string `json:"format"`
	Pack    string `json:"pack"`
	FoundAt string `json:"found_at"`
	Why     string `json:"why"`
}

// Mark marks packs as damaged in their bank. From then on writers do not trust what they
// hold, and store it again when it comes by: so the next protect of the source mends what can
// be mended.
func Mark(ctx context.Context, b bank.Bank, domain string, damaged []Damage, now time.Time) error {
	for i := range damaged {
		d := &damaged[i]
		if d.Kind == 0 {
			continue
		}
		key := marksPrefix(domain) + d.Pack.String()
		err := bank.CreateJSON(ctx, b, key, markDocument{
			Format: format.Version, Pack: d.Pack.String(), FoundAt: now.UTC().Format(time.RFC3339), Why: d.Why,
		})
		if err != nil && karbor.KindOf(err) != karbor.Conflict {
			return fmt.Errorf("marking the pack %s as damaged: %w", d.Pack, err)
		}
	}
	return nil
}

// Unmark takes the mark of a pack away. None is no error.
func Unmark(ctx context.Context, b bank.Bank, domain string, pack format.Name) error {
	if err := b.Delete(ctx, marksPrefix(domain)+pack.String()); err != nil {
		return fmt.Errorf("removing the mark of the pack %s: %w", pack, err)
	}
	return nil
}

// Marked gives the packs that are marked as damaged.
func Marked(ctx context.Context, b bank.Bank, domain string) (map[format.Name]bool, error) {
	marked, prefix := map[format.Name]bool{}, marksPrefix(domain)
	err := eachObject(ctx, b, prefix, func(i bank.Info) error {
		if name, ok := format.ParseName(i.Key[len(prefix):]); ok {
			marked[name] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the packs that are marked as damaged: %w", err)
	}
	return marked, nil
}

// tidy removes the marks of packs that were found whole. all says that all streams of the domain
// were walked through: then the marks go, too, of packs that are not there and not needed.
func (r *run) tidy(ctx context.Context, all bool) error {
	marked, err := Marked(ctx, r.bank, r.name)
	if err != nil {
		return err
	}
	all = all && r.last != nil && !r.last.blind
	for name := range marked {
		whole, gone := false, all
		for _, kind := range []format.Kind{format.Data, format.Pages} {
			p := packID{kind, name}
			_, listed := r.listed[p]
			whole = whole || r.looked[p]
			gone = gone && !listed && !r.last.reaches(p)
		}
		if whole || gone {
			if err := Unmark(ctx, r.bank, r.name, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Distrust is a dedup.Session for writers that do not trust the packs that are marked as
// damaged: they count as absent. It adds that to another session, or to none.
type Distrust struct {
	dedup.Session // may be nil

	mu     sync.RWMutex
	marked map[format.Name]bool
}

// NewDistrust adds distrust to a session; nil is none.
func NewDistrust(s dedup.Session) *Distrust { return &Distrust{Session: s} }

// Load takes in the marks that the bank has. It is called before a stream is written.
func (d *Distrust) Load(ctx context.Context, b bank.Bank, domain string) error {
	marked, err := Marked(ctx, b, domain)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.marked = marked
	return nil
}

func (d *Distrust) absent(pack format.Name) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.marked[pack]
}

// Attach implements dedup.Session.
func (d *Distrust) Attach(reread func(ctx context.Context, anew bool) error) error {
	if d.Session == nil {
		return nil
	}
	return d.Session.Attach(reread)
}

// Begin implements dedup.Session.
func (d *Distrust) Begin() dedup.References {
	inner := dedup.Unguarded()
	if d.Session != nil {
		inner = d.Session.Begin()
	}
	return &distrusting{inner, d}
}

// distrusting are the references of a stream.
type distrusting struct {
	dedup.References
	owner *Distrust
}

// Refer implements dedup.References.
func (r *distrusting) Refer(generation uint64, pack format.Name, kind format.Kind) bool {
	return !r.owner.absent(pack) && r.References.Refer(generation, pack, kind)
}
