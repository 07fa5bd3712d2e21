package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// stream is what one stream refers to.
type stream struct {
	session *Session
	last    atomic.Pointer[lastRef]

	mu   sync.Mutex
	refs map[format.Name]ref
	lost bool
	done bool
	// until is when, by the local clock, a stream that is done need not be noted any more.
	until time.Time
}

type ref struct {
	kind format.Kind
	// stored is false while the stream itself stores the pack.
	stored bool
}

// lastRef is what was referred to last, so that most look-ups need no lock.
type lastRef struct {
	name    format.Name
	version uint64
}

// Begin implements dedup.Session.
func (s *Session) Begin() dedup.References {
	st := &stream{session: s, refs: map[format.Name]ref{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	s.streams[st] = struct{}{}
	return st
}

// Generation implements dedup.References.
func (st *stream) Generation() uint64 { return st.session.generation.Load() }

// Refer implements dedup.References.
func (st *stream) Refer(generation uint64, pack format.Name, kind format.Kind) bool {
	s := st.session
	if l := st.last.Load(); l != nil && l.name == pack && l.version == s.version.Load() {
		return true // it is noted
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if generation != s.generation.Load() || s.absent(pack) {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if _, noted := st.refs[pack]; !noted {
		st.refs[pack] = ref{kind, true}
	}
	st.last.Store(&lastRef{pack, s.version.Load()})
	return true
}

// Store implements dedup.References.
func (st *stream) Store(pack format.Name, kind format.Kind) (stored func(context.Context, error) error) {
	s := st.session
	s.mu.RLock()
	defer s.mu.RUnlock()
	generation := s.generation.Load()
	st.mu.Lock()
	defer st.mu.Unlock()
	if _, noted := st.refs[pack]; !noted && s.absent(pack) {
		// Only a pack that is copied as it is can have the name of one that was there before.
		return func(_ context.Context, err error) error {
			return errors.Join(err, karbor.Transientf("the pack %s is condemned: what it holds must be stored in another one", pack))
		}
	}
	st.refs[pack] = ref{kind, false}
	return func(ctx context.Context, err error) error {
		if err != nil {
			return err // it stays noted: it may be there all the same
		}
		st.mu.Lock()
		st.refs[pack] = ref{kind, true}
		st.mu.Unlock()
		if s.generation.Load() == generation {
			return nil
		}
		// A session was begun meanwhile, and has not looked at it.
		if err := st.check(ctx, pack, kind); err != nil {
			return err
		}
		return st.whole()
	}
}

// verify looks at all that the stream refers to: rule 7.
func (st *stream) verify(ctx context.Context) error {
	const atOnce = 8
	st.mu.Lock()
	refs := make(map[format.Name]ref, len(st.refs))
	for name, r := range st.refs {
		if r.stored {
			refs[name] = r
		}
	}
	st.mu.Unlock()
	checks, ctx := errgroup.WithContext(ctx)
	checks.SetLimit(atOnce)
	for name, r := range refs {
		checks.Go(func() error { return st.check(ctx, name, r.kind) })
	}
	return checks.Wait()
}

// check looks whether a pack that the stream refers to is there, and not condemned. If it is
// not, the stream is lost.
func (st *stream) check(ctx context.Context, pack format.Name, kind format.Kind) error {
	s := st.session
	s.mu.RLock()
	absent := s.absent(pack)
	s.mu.RUnlock()
	if !absent {
		_, err := s.bank.Stat(ctx, dedup.PackKey(s.domain, kind, pack))
		if err != nil && karbor.KindOf(err) != karbor.NotFound {
			return fmt.Errorf("looking for the pack %s: %w", pack, err)
		}
		absent = err != nil
	}
	if absent {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.lost = true
	}
	return nil
}

// whole reports, as a transient error, that the stream is lost.
func (st *stream) whole() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.lost {
		return karbor.Transientf("the session ended meanwhile, and what the stream had referred to was collected: it must be written again")
	}
	return nil
}

// While implements dedup.References: rule 6.
func (st *stream) While(ctx context.Context, write func(context.Context) error) error {
	s := st.session
	for lives := false; !lives; {
		err := st.wait(ctx)
		if err == nil {
			lives, err = s.confirm(ctx)
		}
		if err != nil {
			return err
		}
	}
	bounded, cancel := context.WithTimeout(ctx, s.options.Margin)
	defer cancel()
	if err := write(bounded); err != nil {
		return err
	}
	if s.Left() <= 0 {
		return karbor.Transientf("the session ended before the bank had answered: it must be written again")
	}
	return nil
}

// confirm reports whether the session lives by the bank's clock, too. The local one may have stood
// still, as in a machine that was paused. A session that is dead is begun again.
func (s *Session) confirm(ctx context.Context) (lives bool, err error) {
	s.mu.RLock()
	since := s.since
	s.mu.RUnlock()
	bounded, cancel := context.WithTimeout(bank.Urgent(ctx), s.options.Margin)
	defer cancel()
	now, err := s.bank.Now(bounded)
	if err != nil {
		return false, fmt.Errorf("reading the bank's clock: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expires.Sub(now) >= s.options.Margin {
		return s.live, nil
	}
	if s.since.Equal(since) { // it was not renewed meanwhile
		s.live = false
	}
	return false, nil
}

// wait waits until the session lives.
func (st *stream) wait(ctx context.Context) error {
	s := st.session
	patience := time.NewTimer(s.options.Expire)
	defer patience.Stop()
	for {
		s.mu.RLock()
		left, changed, closed := s.left(), s.changed, s.closed
		s.mu.RUnlock()
		if err := st.whole(); err != nil {
			return err
		}
		if closed {
			return karbor.Errorf(karbor.Conflict, "the session is closed")
		}
		if left >= s.options.Margin {
			return nil
		}
		select {
		case s.wake <- struct{}{}:
		default:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-patience.C:
			return karbor.Transientf("the session has %v left, which is too little to publish, and could not be renewed", left.Round(time.Second))
		}
	}
}

// End implements dedup.References: rules 3 and 5.
func (st *stream) End(sure bool) {
	s := st.session
	hold := s.options.Settle
	if !sure {
		hold += s.options.Margin // the manifest may come as late as that
	}
	st.mu.Lock()
	st.done, st.until = true, s.options.Now().Add(hold)
	st.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
}

func (st *stream) ended() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.done
}

// over reports whether the stream need not be noted any more.
func (st *stream) over(now time.Time) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.done && !now.Before(st.until)
}

// among puts those packs of a set that the stream refers to into another.
func (st *stream) among(condemned, into map[format.Name]struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for name := range condemned {
		if _, noted := st.refs[name]; noted {
			into[name] = struct{}{}
		}
	}
}
