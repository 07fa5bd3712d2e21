package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// Options of Open. The durations are those of leases (docs/format/layout1.md).
type Options struct {
	// Now is the local clock. Only differences of its times count. Required.
	Now func() time.Time
	// Expire is how long a session lives after its last renewal, at most MaxLife; 0 is 600 s.
	Expire time.Duration
	// Renew is how often it is renewed; 0 is a fifth of Expire.
	Renew time.Duration
	// Margin is how much of its life must be left to publish anything, and how long that
	// may take at most; 0 is a sixth of Expire.
	Margin time.Duration
	// Settle is after how long listings show what was there, at most Expire; negative is
	// at once. 0 is what the bank promises: at once, or Expire.
	Settle time.Duration
}

// Fill gives the options with what stands for their zeros.
func (o Options) Fill(t bank.Traits) (Options, error) {
	if o.Expire == 0 {
		o.Expire = 600 * time.Second
	}
	if o.Renew == 0 {
		o.Renew = o.Expire / 5
	}
	if o.Margin == 0 {
		o.Margin = o.Expire / 6
	}
	if o.Settle == 0 && !t.ConsistentList {
		o.Settle = o.Expire
	}
	o.Settle = max(o.Settle, 0)
	switch {
	case o.Now == nil:
		return o, karbor.Errorf(karbor.Internal, "a session needs a clock")
	case o.Expire < 0 || o.Expire > MaxLife || o.Renew <= 0 || o.Margin <= 0 || o.Renew+o.Margin >= o.Expire || o.Settle > o.Expire:
		return o, karbor.Errorf(karbor.Invalid, "a session can't expire after %v, be renewed every %v with a margin of %v, and wait %v for listings",
			o.Expire, o.Renew, o.Margin, o.Settle)
	}
	return o, nil
}

// Session is a dedup.Session. When it dies, because it could not be renewed in time, Run begins
// it again under another id, and what its streams refer to is looked at.
type Session struct {
	bank    bank.Bank
	domain  string
	options Options
	wake    chan struct{} // asks Run to look at once

	renewing chan struct{} // holds a token while one changes what the bank says
	id       string
	sequence int       // of the newest record; 0 is none
	tried    int       // the highest number that was tried
	litter   []litter  // records that may be there, and do not count
	told     time.Time // when the newest record was about to be written, by the bank's clock
	read     int       // the newest epoch when the index was read

	version    atomic.Uint64 // changes whenever more packs count as absent
	generation atomic.Uint64

	mu        sync.RWMutex
	epoch     int
	condemned map[format.Name]struct{} // the newest epoch's list
	gone      map[format.Name]struct{} // of all epochs that were seen
	streams   map[*stream]struct{}
	reread    func(ctx context.Context, anew bool) error
	former    map[format.Name]struct{} // that older ones condemned, until the index was read since
	since     time.Time                // local, before the bank's clock was read for the newest record
	expires   time.Time                // what the newest record tells, by the bank's clock
	live      bool                     // since is of a session that has told its epoch
	closed    bool                     // for good
	changed   chan struct{}            // closed when one of the above has changed
}

var _ dedup.Session = (*Session)(nil)

// Open begins a session in a domain. Who opens it calls Run while it is used, and Close.
func Open(ctx context.Context, b bank.Bank, domain string, o Options) (*Session, error) {
	o, err := o.Fill(b.Traits())
	if err != nil {
		return nil, err
	}
	s := &Session{
		bank: b, domain: domain, options: o, wake: make(chan struct{}, 1),
		condemned: map[format.Name]struct{}{}, gone: map[format.Name]struct{}{}, former: map[format.Name]struct{}{},
		streams: map[*stream]struct{}{}, changed: make(chan struct{}), renewing: make(chan struct{}, 1),
	}
	// A bank that hangs must not hang who opens: what takes longer is dead at its beginning.
	try, cancel := context.WithTimeout(ctx, 2*o.Expire)
	defer cancel()
	if err := s.begin(try); err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			err = &karbor.Error{Kind: karbor.Unavailable, Transient: true, Cause: err, Message: fmt.Sprintf("the bank gave no answer for %v", 2*o.Expire)}
		}
		// Nothing refers to anything yet.
		s.end()
		tidy, cancel := context.WithTimeout(ctx, o.Margin)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("opening a session in the repository of %s: %w", domain, err), s.sweep(tidy))
	}
	return s, nil
}

// lock waits until nobody else changes what the bank says.
func (s *Session) lock(ctx context.Context) error {
	select {
	case s.renewing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Session) unlock() { <-s.renewing }

// Left is how long the session lives on, if it is not renewed; 0 if it is dead.
func (s *Session) Left() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.left()
}

func (s *Session) left() time.Duration {
	if !s.live || s.closed {
		return 0
	}
	return max(0, s.options.Expire-Elapsed(s.options.Now(), s.since))
}

// Attach implements dedup.Session.
func (s *Session) Attach(reread func(ctx context.Context, anew bool) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reread != nil {
		return karbor.Errorf(karbor.Internal, "a session belongs to one domain, opened once")
	}
	s.reread = reread
	return nil
}

// Run renews the session until ctx ends, and then returns nil. When that fails it tries again,
// eight times as often. failed, if given, hears of each failure.
func (s *Session) Run(ctx context.Context, failed func(error)) error {
	wait := s.options.Renew
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-s.wake:
			timer.Stop()
		}
		err := s.Renew(ctx)
		wait = s.options.Renew
		if err != nil && ctx.Err() == nil {
			wait /= 8
			if failed != nil {
				failed(err)
			}
		}
	}
}

// Renew renews the session, or begins it again if it is dead. Run does that.
func (s *Session) Renew(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	s.mu.RLock()
	closed, dead := s.closed, s.left() < s.options.Margin
	s.mu.RUnlock()
	if closed {
		return karbor.Errorf(karbor.Conflict, "the session is closed")
	}
	var err error
	if dead {
		err = s.again(ctx)
	} else {
		// A bank that hangs must not hang the next renewal.
		try, cancel := context.WithTimeout(ctx, s.options.Renew)
		err = s.prolong(try)
		cancel()
	}
	if err != nil {
		return fmt.Errorf("renewing the session in the repository of %s: %w", s.domain, err)
	}
	return nil
}

// prolong tells that the session lives on, and the newest epoch.
func (s *Session) prolong(ctx context.Context) error {
	if whole, err := s.learn(ctx); err != nil {
		return err
	} else if !whole {
		return s.again(ctx) // an epoch was removed before this session had told it: it is taken for dead
	}
	if err := s.tell(ctx); err != nil {
		return err
	}
	if err := s.sweep(ctx); err != nil {
		return err
	}
	epoch := s.known()
	if s.read == epoch {
		return nil
	}
	// What was condemned may lie elsewhere now, and what was once may be gone.
	s.mu.RLock()
	anew := len(s.former) > 0
	s.mu.RUnlock()
	if err := s.refresh(ctx, anew); err != nil {
		return err
	}
	s.read = epoch
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.former) > 0 {
		s.generation.Add(1) // what was looked up before may tell of them
		clear(s.former)
	}
	return nil
}

// again begins a session in place of one that is dead.
func (s *Session) again(ctx context.Context) error {
	s.mu.Lock()
	s.live = false
	s.mu.Unlock()
	try, cancel := context.WithTimeout(ctx, s.options.Expire)
	defer cancel()
	if err := s.begin(try); err != nil {
		return err
	}
	return s.sweep(try)
}

// Close ends the session. What its streams published must show in listings for sure before the
// session may go; until then it is left to its end. No stream may be begun afterwards.
func (s *Session) Close(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	s.mu.Lock()
	s.forget()
	s.closed = true
	needed := len(s.streams) > 0
	s.change()
	s.mu.Unlock()
	if !needed {
		s.end()
	}
	if err := s.sweep(ctx); err != nil {
		return fmt.Errorf("closing the session in the repository of %s: %w", s.domain, err)
	}
	return nil
}

// end makes litter of all records of the session: nobody need wait for it any more.
func (s *Session) end() {
	if s.sequence > 0 {
		s.litter = append(s.litter, litter{key: recordKey(s.domain, s.id, s.sequence)})
		s.sequence = 0
	}
	for i := range s.litter {
		s.litter[i].needed = time.Time{}
	}
}

// litter is a record that does not count any more.
type litter struct {
	key string
	// needed is until when it stays, by the bank's clock: until listings show the record in its
	// place. Who lists the sessions must see one of them. Zero is no longer than now.
	needed time.Time
}

// replaced is a record in whose place another was written just now.
func (s *Session) replaced(key string) litter {
	if s.options.Settle == 0 {
		return litter{key: key}
	}
	return litter{key: key, needed: s.told.Add(s.options.Margin + s.options.Settle)}
}

// sweep removes records that do not count, and that nobody needs.
func (s *Session) sweep(ctx context.Context) error {
	var stay []litter
	for i, l := range s.litter {
		if s.told.Before(l.needed) {
			stay = append(stay, l)
			continue
		}
		if err := s.bank.Delete(bank.Urgent(ctx), l.key); err != nil {
			s.litter = append(stay, s.litter[i:]...)
			return fmt.Errorf("removing an old record: %w", err)
		}
	}
	s.litter = stay
	return nil
}

// change wakes those who wait for a change. Its caller holds mu.
func (s *Session) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// known is the newest epoch that is known.
func (s *Session) known() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.epoch
}

// refresh reads the index anew.
func (s *Session) refresh(ctx context.Context, anew bool) error {
	s.mu.RLock()
	reread := s.reread
	s.mu.RUnlock()
	if reread == nil {
		return nil
	}
	return reread(ctx, anew)
}

// forget drops the streams that are over. Its caller holds mu.
func (s *Session) forget() {
	now := s.options.Now()
	maps.DeleteFunc(s.streams, func(st *stream, _ struct{}) bool { return st.over(now) })
}

// unpublished gives the streams that have not ended.
func (s *Session) unpublished() []*stream {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(s.streams)), (*stream).ended)
}
