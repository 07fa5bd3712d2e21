package dedup

import (
	"context"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/format"
)

// Session is a writer's part in the protocol by which writers and the collector share a
// domain (docs/format/collection.md). It belongs to one Domain. Its methods may be called
// concurrently.
type Session interface {
	// Attach tells the session how the index of its domain is read again: anew is without
	// the packs that no segment names. Open and In call it once.
	Attach(reread func(ctx context.Context, anew bool) error) error
	// Begin begins a stream.
	Begin() References
}

// References are what one stream refers to. Its methods may be called concurrently; none
// follows End.
type References interface {
	// Generation is asked before the index is, and what the index says is handed to Refer
	// with it: what was looked up in an older generation may not count any more.
	Generation() uint64
	// Refer notes that the stream refers to a pack that the index tells of. False
	// means that the pack counts as absent: then the stream does not refer to it.
	Refer(generation uint64, pack format.Name, kind format.Kind) bool
	// Store notes that the stream is about to store a pack. It is called before the
	// pack is there, and what it gives after it is, and with the writing's error.
	Store(pack format.Name, kind format.Kind) (stored func(ctx context.Context, err error) error)
	// While calls write while the session lives, and bounds it so that it ends before
	// anybody takes the session for dead. It waits for a session that is dead to be
	// begun again. It fails when what the stream refers to may be gone; the whole
	// stream must be written again then.
	While(ctx context.Context, write func(ctx context.Context) error) error
	// End says that the stream is published or given up. What it referred to is kept
	// until that shows in listings. sure is false for a stream that may have been
	// published although that failed.
	End(sure bool)
}

// SessionIndex is an Index that a domain with a session needs.
type SessionIndex interface {
	SegmentIndex
	// ForgetUnnamed forgets the packs that no segment names: Add has brought them. The next
	// Sync forgets whatever is not listed then: an own segment that no listing has
	// shown yet may have been replaced long ago.
	ForgetUnnamed() error
}

// unguarded is the References of a domain without a session: of one that nobody collects.
type unguarded struct{}

func (unguarded) Generation() uint64                          { return 0 }
func (unguarded) Refer(uint64, format.Name, format.Kind) bool { return true }
func (unguarded) Store(format.Name, format.Kind) func(context.Context, error) error {
	return func(_ context.Context, err error) error { return err }
}
func (unguarded) While(ctx context.Context, write func(context.Context) error) error {
	return write(ctx)
}
func (unguarded) End(bool) {}

// In gives the domain for a writer in a session. It shares the index with this one, and
// reads it anew, as a session must after it has begun. Damaged segments are left out.
func (d *Domain) In(ctx context.Context, s Session) (*Domain, error) {
	inside := *d
	inside.options.Session = s
	if err := inside.attach(); err != nil {
		return nil, err
	}
	return &inside, inside.reread(ctx, true)
}

// attach makes the domain and its session know each other.
func (d *Domain) attach() error {
	if d.options.Session == nil {
		return nil
	}
	if _, ok := d.options.Index.(SessionIndex); !ok {
		return karbor.Errorf(karbor.Internal, "a session needs an index that knows which segment names a pack")
	}
	return d.options.Session.Attach(d.reread)
}

// reread reads the index again. A segment that is damaged only makes it know less.
func (d *Domain) reread(ctx context.Context, anew bool) error {
	if x, ok := d.options.Index.(SessionIndex); ok && anew {
		if err := x.ForgetUnnamed(); err != nil {
			return err
		}
	}
	_, err := d.LoadIndex(ctx)
	return err
}

// references gives those of a new stream.
func (d *Domain) references() References {
	if d.options.Session == nil {
		return unguarded{}
	}
	return d.options.Session.Begin()
}

// Begin gives the references of who stores packs without a Writer, as the compaction does. ok is
// false if the domain has no session to guard them.
func (d *Domain) Begin() (refs References, ok bool) {
	return d.references(), d.options.Session != nil
}
