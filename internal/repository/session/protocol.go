package session

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// begin begins a session: rules 1 and 7 of a writer. Its caller holds renewing.
func (s *Session) begin(ctx context.Context) error {
	if s.sequence > 0 {
		s.litter = append(s.litter, litter{key: recordKey(s.domain, s.id, s.sequence)})
	}
	s.id, s.sequence, s.tried = karbor.NewID(), 0, 0
	since, expires, err := s.write(ctx, 0, nil)
	if err != nil {
		return err
	}
	// Only now: either who asks for more of writers sees the session, or the session sees that.
	if err := dedup.Meets(ctx, s.bank, s.domain, dedup.Writers); err != nil {
		return err
	}
	// Only now: either the collector sees the session, or the session sees the epoch.
	if _, err := s.learn(ctx); err != nil {
		return err
	}
	slow := karbor.Transientf("the bank answers too slowly for a session of %v", s.options.Expire)
	if Elapsed(s.options.Now(), since) > s.options.Expire-s.options.Margin {
		return slow
	}
	first := recordKey(s.domain, s.id, s.sequence)
	epoch, keeps := s.keeps()
	told, until, err := s.write(ctx, epoch, keeps)
	if err != nil {
		return err
	}
	s.litter = append(s.litter, s.replaced(first))
	if Elapsed(s.options.Now(), since) >= s.options.Expire || until.Sub(expires) >= s.options.Expire {
		return slow
	}
	if err := s.refresh(ctx, true); err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	s.read = epoch
	// What was looked up before this does not count from now on, or is looked at.
	s.mu.Lock()
	s.generation.Add(1)
	s.version.Add(1)
	clear(s.former)
	s.mu.Unlock()
	for _, st := range s.unpublished() {
		if err := st.verify(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since, s.expires, s.live = told, until, true
	s.change()
	return nil
}

// learn looks for newer epochs: rule 4. whole says that none was missed.
func (s *Session) learn(ctx context.Context) (whole bool, err error) {
	found, whole, err := NewestEpoch(ctx, s.bank, s.domain, s.known())
	if err != nil || len(found) == 0 {
		return whole, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range found {
		for name := range e.Gone {
			s.gone[name] = struct{}{}
		}
	}
	newest := found[len(found)-1]
	for name := range s.condemned {
		if _, still := newest.Condemned[name]; !still {
			s.former[name] = struct{}{}
		}
	}
	s.epoch, s.condemned = newest.Number, newest.Condemned
	s.version.Add(1)
	return whole, nil
}

// absent reports whether a pack counts as absent: rule 2. What was gone in any epoch never
// comes back, as each pack's name is new. What was condemned by an earlier epoch may be gone, too,
// until the index is read again: an epoch that takes the place of a damaged one can't say it.
// Its caller holds mu.
func (s *Session) absent(name format.Name) bool {
	if _, former := s.former[name]; former {
		return true
	}
	if _, condemned := s.condemned[name]; condemned {
		return true
	}
	_, gone := s.gone[name]
	return gone
}

// keeps gives the condemned packs that streams refer to, and the epoch that condemned them.
func (s *Session) keeps() (epoch int, keeps map[format.Name]struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	keeps = map[format.Name]struct{}{}
	for st := range s.streams {
		st.among(s.condemned, keeps)
	}
	return s.epoch, keeps
}

// tell renews the record.
func (s *Session) tell(ctx context.Context) error {
	epoch, keeps := s.keeps()
	old, sequence := s.Left(), s.sequence
	if old < s.options.Margin {
		return karbor.Transientf("the session had only %v left", old.Round(time.Second))
	}
	since, expires, err := s.write(ctx, epoch, keeps)
	if err != nil {
		return err
	}
	s.litter = append(s.litter, s.replaced(recordKey(s.domain, s.id, sequence)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left() <= 0 || expires.Sub(s.expires) >= s.options.Expire {
		s.live = false // it may have been taken for dead before the record was there
		return karbor.Transientf("the session ended while it was renewed")
	}
	s.since, s.expires = since, expires
	return nil
}

// write writes the session's next record. Each try has a number of its own, so that one
// that the bank carries out late changes nothing. since is when its life begins by the local
// clock, expires when it ends by the bank's.
func (s *Session) write(ctx context.Context, epoch int, keeps map[format.Name]struct{}) (since, expires time.Time, err error) {
	ctx, cancel := context.WithTimeout(bank.Urgent(ctx), s.options.Margin)
	defer cancel()
	since = s.options.Now()
	now, err := s.bank.Now(ctx)
	if err != nil {
		return since, expires, err
	}
	s.tried++
	n := s.tried
	r := Record{Format: format.Version, Session: s.id, Sequence: n, Epoch: epoch, Keeps: texts(keeps),
		RenewedAt: stored(now), ExpiresAt: stored(now.Add(s.options.Expire))}
	key := recordKey(s.domain, s.id, n)
	if err := CreateDocument(ctx, s.bank, key, r); err != nil {
		s.litter = append(s.litter, litter{key: key})
		return since, expires, err
	}
	s.sequence, s.told = n, now
	return since, r.ExpiresAt, nil
}

// Elapsed is how long ago a time was, by the monotonic clock or by the wall's: whichever says more.
// While a machine is suspended the former stands still, and the latter may be set.
func Elapsed(now, since time.Time) time.Duration {
	return max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
}
