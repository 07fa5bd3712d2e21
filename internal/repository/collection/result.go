package collection

import (
	"fmt"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/repository/format"
)

// Result tells what a collection has done, also one that was broken off.
type Result struct {
	Domain string
	// Epoch is the number of the newest epoch.
	Epoch int
	// Packs and Bytes are what the domain had at the begin.
	Packs int
	Bytes int64
	// Streams, Pages and Chunks are what was marked; a page that several streams
	// share counts once.
	Streams, Pages, Chunks int64
	// Reached is how many bytes of packs streams refer to; a dry run tells.
	Reached int64
	// Freeable is how many bytes more streams below Options.Without alone refer to.
	Freeable int64
	// Condemned is how many packs were condemned, Left how many more there are for the
	// next collection.
	Condemned, Left int
	// Young is how many packs that nothing reaches were left alone by Options.MinAge.
	Young int
	// Locked is how many packs that nothing reaches the bank does not delete yet, and Unlocked when
	// the lock of the first of them ends.
	Locked   int
	Unlocked time.Time
	// Deleted packs had Freed bytes. In a dry run Freed is what Condemned have.
	Deleted int
	Freed   int64
	// Rewritten packs, of which little was reached, were replaced by new ones of Written
	// bytes. In a dry run they are what would be.
	Rewritten int
	Written   int64
	// Kept are condemned packs that stayed: the first MaxKept.
	Kept []Kept
	// KeptPacks is how many stayed.
	KeptPacks int
	// Segments of the index were replaced by NewSegments.
	Segments, NewSegments int
	// Damaged is what could not be read: the first MaxDamaged.
	Damaged []Damage

	began time.Time
}

// Began is when the collection began, by the bank's clock; zero if it did not.
func (r *Result) Began() time.Time { return r.began }

// What a Result names at most.
const (
	MaxKept    = 1000
	MaxDamaged = 1000
)

// Reason says why a condemned pack stayed.
type Reason string

// The reasons.
const (
	// Reached: a stream that was published meanwhile refers to it.
	Reached Reason = "a stream refers to it"
	// InUse: a session keeps it for a stream that it is writing.
	InUse Reason = "a writer keeps it"
	// Failed: the bank did not delete it. It is condemned again.
	Failed Reason = "it could not be deleted"
)

// Kept is a condemned pack that stayed.
type Kept struct {
	Kind format.Kind
	Pack format.Name
	Why  Reason
	// Err is why it could not be deleted.
	Err error
}

// Damage is something that can't be read.
type Damage struct {
	// Manifest is the key of the manifest of the stream that is hurt.
	Manifest string
	Err      error
}

// DamageError says that nothing was condemned, as what some streams refer to can't be known.
type DamageError struct {
	// Damaged are the streams, those that were named to be passed over not among them: the
	// first MaxDamaged.
	Damaged []Damage
}

// Error implements error.
func (e *DamageError) Error() string {
	var b strings.Builder
	if len(e.Damaged) >= MaxDamaged {
		b.WriteString("at least ")
	}
	fmt.Fprintf(&b, "%d streams can't be read as a whole, so that it is not known what they refer to: nothing is deleted", len(e.Damaged))
	for i, d := range e.Damaged {
		if i == 3 {
			b.WriteString("; and so on")
			break
		}
		fmt.Fprintf(&b, "; %s: %v", d.Manifest, d.Err)
	}
	return b.String()
}

func (r *Result) keep(k Kept) {
	r.KeptPacks++
	if len(r.Kept) < MaxKept {
		r.Kept = append(r.Kept, k)
	}
}
