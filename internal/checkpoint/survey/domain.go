package survey

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/format"
)

const domainsRoot = "v1/repositories/"

// maxSmall bounds the documents of a domain, in bytes; lists of packs are longer.
const (
	maxSmall = 64 << 10
	maxList  = 64 << 20
)

// Domain is what a bank tells of a key domain to who has no key.
type Domain struct {
	Name string `json:"name"`
	// Repository tells it apart from others of the same name, in other banks.
	Repository string    `json:"repository,omitempty"`
	CreatedAt  string    `json:"created_at,omitempty"`
	Slots      []Slot    `json:"slots"`
	Sessions   []Session `json:"sessions"`
	Packs      Count     `json:"packs"`
	Pages      Count     `json:"pages"`
	Segments   Count     `json:"index_segments"`
	// Epoch is the number of the newest epoch, 0 if there is none; Condemned is how
	// many packs it condemns that are to be deleted.
	Epoch     int `json:"epoch"`
	Condemned int `json:"condemned"`
	// CollectedAt is when the newest collection told last that it was at work or had ended, in its
	// Collection: "done", "at work", or "broken off". Zero and "" if there was none.
	CollectedAt time.Time `json:"collected_at,omitzero"`
	Collection  string    `json:"collection,omitempty"`
	// Receipts is how often its slots were destroyed.
	Receipts int `json:"receipts,omitempty"`
	// Marked is how many packs are marked as damaged: what they hold is stored again when
	// it is protected next.
	Marked int `json:"marked_damaged"`
	// Requires is what later versions ask of readers and writers, such as "readers/x": this one
	// refuses what is asked for.
	Requires []string `json:"requires,omitempty"`
	// Unknown are objects whose keys are not of the domain's forms.
	Unknown Count `json:"unknown"`
	// Damage says what of the domain's documents can't be understood.
	Damage []string `json:"damage,omitempty"`
}

// Slot is a key slot.
type Slot struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Label     string `json:"label"`
	CreatedAt string `json:"created_at"`
}

// Session is a session of a writer or of the collector.
type Session struct {
	ID string `json:"id"`
	// Alive says that it has not ended, by the bank's clock.
	Alive     bool      `json:"alive"`
	Epoch     int       `json:"epoch"`
	RenewedAt time.Time `json:"renewed_at"`
	ExpiresAt time.Time `json:"expires_at"`

	number int
}

// domains collects the domains while all keys of a bank go by.
type domains struct{ all []*Domain }

// add takes in an object under domainsRoot; it reports whether its key is of a known
// form.
func (d *domains) add(i bank.Info) bool {
	parts := strings.Split(strings.TrimPrefix(i.Key, domainsRoot), "/")
	if len(parts) < 2 || !karbor.IsResourceID(parts[0]) {
		return false
	}
	if last := len(d.all) - 1; last < 0 || d.all[last].Name != parts[0] {
		d.all = append(d.all, &Domain{Name: parts[0], Slots: []Slot{}, Sessions: []Session{}})
	}
	one := d.all[len(d.all)-1]
	known := one.take(parts[1:], i)
	if !known {
		one.Unknown.add(i)
	}
	return known
}

// take counts an object by its key below the domain's.
func (d *Domain) take(parts []string, i bank.Info) bool {
	switch len(parts) {
	case 1:
		return parts[0] == "format"
	case 2:
		return d.takeTwo(parts[0], parts[1], i)
	}
	if len(parts) != 3 {
		return false
	}
	name, isName := format.ParseName(parts[2])
	n, isNumber := parseNumber(parts[2])
	switch {
	case parts[0] == "packs" && isName && name.String()[:2] == parts[1]:
		d.Packs.add(i)
	case parts[0] == "pages" && isName && name.String()[:2] == parts[1]:
		d.Pages.add(i)
	case parts[0] == "sessions" && isNumber && karbor.IsUUID(parts[1]):
		if last := len(d.Sessions) - 1; last < 0 || d.Sessions[last].ID != parts[1] {
			d.Sessions = append(d.Sessions, Session{ID: parts[1]})
		}
		d.Sessions[len(d.Sessions)-1].number = n
	case parts[0] == "requires" && (parts[1] == "readers" || parts[1] == "writers"):
		d.Requires = append(d.Requires, parts[1]+"/"+parts[2])
	default:
		return false
	}
	return true
}

func (d *Domain) takeTwo(folder, last string, i bank.Info) bool {
	switch folder {
	case "slots":
		if !karbor.IsUUID(last) {
			return false
		}
		d.Slots = append(d.Slots, Slot{ID: last})
	case "index":
		if _, ok := format.ParseName(last); !ok {
			return false
		}
		d.Segments.add(i)
	case "epochs":
		n, ok := parseNumber(last)
		if !ok {
			return false
		}
		d.Epoch = max(d.Epoch, n)
	case "collectors":
		_, ok := parseNumber(last)
		return ok
	case "receipts":
		d.Receipts++
	case "damaged":
		if _, ok := format.ParseName(last); !ok {
			return false
		}
		d.Marked++
	default:
		return false
	}
	return true
}

// parseNumber reads a number of 8 digits, from 1 on.
func parseNumber(s string) (int, bool) {
	if len(s) != 8 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}

// read reads the small documents of the domain. What is damaged is noted; an error is one
// of the bank.
func (d *Domain) read(ctx context.Context, b bank.Bank, now time.Time) error {
	prefix := domainsRoot + d.Name + "/"
	err := d.document(ctx, b, "format", maxSmall, func(text []byte) error {
		doc, _, err := format.ParseDocument(text, d.Name)
		if err == nil {
			d.Repository, d.CreatedAt = doc.Repository, doc.CreatedAt
		}
		return err
	})
	if karbor.KindOf(err) == karbor.NotFound {
		d.note("there is no format document: the data of the domain can't be read")
		err = nil
	}
	if err != nil {
		return err
	}
	for i := range d.Slots {
		s := &d.Slots[i]
		err := d.document(ctx, b, "slots/"+s.ID, maxSmall, func(text []byte) error {
			slot, err := format.ParseSlot(text, s.ID)
			if err == nil {
				s.Kind, s.Label, s.CreatedAt = string(slot.Kind), slot.Label, slot.CreatedAt
			}
			return err
		})
		if err != nil && karbor.KindOf(err) != karbor.NotFound {
			return err
		}
	}
	if len(d.Slots) == 0 && d.Receipts == 0 {
		d.note("there is no key slot: only who has the master key itself can read the domain")
	}
	err = d.readSessions(ctx, b, now)
	if err == nil {
		err = d.readCollection(ctx, b, now)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", prefix, err)
	}
	return d.readEpoch(ctx, b)
}

func (d *Domain) note(text string) { d.Damage = append(d.Damage, text) }

// document reads a document of the domain, and has it parsed.
func (d *Domain) document(ctx context.Context, b bank.Bank, key string, limit int64, parse func([]byte) error) error {
	text, err := readWhole(ctx, b, domainsRoot+d.Name+"/"+key, limit)
	if err != nil {
		return err
	}
	if int64(len(text)) > limit {
		d.note(fmt.Sprintf("%s has more than %d bytes", key, limit))
	} else if err := parse(text); err != nil {
		d.note(key + ": " + err.Error())
	}
	return nil
}

// readWhole gives an object's bytes, or limit+1 of them.
func readWhole(ctx context.Context, b bank.Bank, key string, limit int64) ([]byte, error) {
	body, err := b.Get(ctx, key, 0, limit+1)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return text, nil
}

// sessionRecord is what lies under a session's number; docs/format/collection.md.
type sessionRecord struct {
	Format    string    `json:"format"`
	Epoch     int       `json:"epoch"`
	RenewedAt time.Time `json:"renewed_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// checked reads a checked document, which lies under key.
func checked(key string, text []byte, into any) error {
	if err := format.CheckDigest(key, text); err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (d *Domain) readSessions(ctx context.Context, b bank.Bank, now time.Time) error {
	prefix := domainsRoot + d.Name + "/"
	for i := range d.Sessions {
		s := &d.Sessions[i]
		key := fmt.Sprintf("sessions/%s/%08d", s.ID, s.number)
		err := d.document(ctx, b, key, maxList, func(text []byte) error {
			var r sessionRecord
			if err := checked(prefix+key, text, &r); err != nil {
				return err
			}
			s.Epoch, s.RenewedAt, s.ExpiresAt = r.Epoch, r.RenewedAt, r.ExpiresAt
			s.Alive = now.Before(r.ExpiresAt)
			return nil
		})
		if err != nil && karbor.KindOf(err) != karbor.NotFound { // it has just ended
			return err
		}
	}
	return nil
}

// readCollection looks for the newest collection.
func (d *Domain) readCollection(ctx context.Context, b bank.Bank, now time.Time) error {
	last, err := collection.ReadLast(ctx, b, d.Name)
	if err != nil || last.Told.IsZero() && last.Until.IsZero() {
		return err
	}
	d.CollectedAt, d.Collection = last.Told, "broken off"
	switch {
	case last.Done:
		d.Collection = "done"
	case now.Before(last.Until):
		d.Collection = "at work"
	}
	return nil
}

func (d *Domain) readEpoch(ctx context.Context, b bank.Bank) error {
	if d.Epoch == 0 {
		return nil
	}
	key := fmt.Sprintf("epochs/%08d", d.Epoch)
	err := d.document(ctx, b, key, maxList, func(text []byte) error {
		var e struct {
			Condemned []string `json:"condemned"`
			Gone      []string `json:"gone"`
		}
		if err := checked(domainsRoot+d.Name+"/"+key, text, &e); err != nil {
			return err
		}
		slices.Sort(e.Gone)
		for _, name := range e.Condemned {
			if _, gone := slices.BinarySearch(e.Gone, name); !gone {
				d.Condemned++
			}
		}
		return nil
	})
	if karbor.KindOf(err) == karbor.NotFound {
		return nil
	}
	return err
}
