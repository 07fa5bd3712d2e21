package collection

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

// lease says which collector is at work in a domain: the record with the highest number
// counts.
type lease struct {
	bank   bank.Bank
	prefix string
	times  session.Options
	id     string

	mu     sync.Mutex
	number int
	since  time.Time // by the local clock
	// expires is when the newest record ends, by the bank's clock.
	expires time.Time
	held    bool
	broken  bool
	// began is when the lease was taken, by the bank's clock.
	began time.Time
}

// leaseRecord is one renewal.
type leaseRecord struct {
	Format    string    `json:"format"`
	Collector string    `json:"collector"`
	Sequence  int       `json:"sequence"`
	RenewedAt time.Time `json:"renewed_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// Done says that the collection has come to its end.
	Done bool `json:"done"`
	// BeganAt is when the collection began, by the bank's clock.
	BeganAt time.Time `json:"began_at"`
}

func newLease(b bank.Bank, domain string, times session.Options) *lease {
	return &lease{bank: b, prefix: "v1/repositories/" + domain + "/collectors/", times: times, id: karbor.NewID()}
}

func (l *lease) key(n int) string { return fmt.Sprintf("%s%08d", l.prefix, n) }

// acquire takes the lease, if nobody else has it.
func (l *lease) acquire(ctx context.Context) error {
	l.lose() // what an earlier collection held
	l.began = time.Time{}
	newest, old, err := l.newest(ctx)
	if err != nil {
		return err
	}
	if newest > 0 {
		r, err := l.read(ctx, newest)
		if err != nil {
			return err
		}
		now, err := l.bank.Now(ctx)
		if err != nil {
			return err
		}
		if now.Before(r.ExpiresAt) && r.Collector != l.id {
			return karbor.Errorf(karbor.Conflict, "another collector is at work; it has said so until %s", r.ExpiresAt.UTC().Format(time.RFC3339))
		}
		l.broken = !r.Done
	}
	if err := l.write(ctx, newest+1, l.times.Expire, false); err != nil {
		return err
	}
	if err := l.confirm(ctx); err != nil {
		l.lose()
		return err
	}
	return l.drop(ctx, old)
}

// confirm makes sure that the record just written is the newest. A process that stood still between
// its look and its record may have written one under a number that others have used, and removed,
// since: theirs count.
func (l *lease) confirm(ctx context.Context) error {
	newest, _, err := l.newest(ctx)
	if err == nil && newest != l.number {
		err = karbor.Errorf(karbor.Conflict, "another collector has begun to work")
	}
	return err
}

// unclean reports whether the collection before was broken off.
func (l *lease) unclean() bool { return l.broken }

// newest finds the number of the newest record: the last listed one, and from key to key; and
// gives those that a listing has shown.
func (l *lease) newest(ctx context.Context) (n int, listed []bank.Info, err error) {
	const tries = 4
	for range tries {
		if listed, err = l.list(ctx); err != nil {
			return 0, nil, err
		}
		n = 0
		if len(listed) > 0 {
			n, _ = strconv.Atoi(strings.TrimPrefix(listed[len(listed)-1].Key, l.prefix))
		}
		for {
			_, err := l.bank.Stat(ctx, l.key(n+1))
			if karbor.KindOf(err) == karbor.NotFound {
				break
			}
			if err != nil {
				return 0, nil, err
			}
			n++
		}
		// Records go in order: if the last one is still there, none behind it was.
		if n > 0 {
			if _, err = l.bank.Stat(ctx, l.key(n)); err == nil {
				return n, listed, nil
			}
			if karbor.KindOf(err) != karbor.NotFound {
				return 0, nil, err
			}
			continue
		}
		if again, err := l.list(ctx); err != nil || len(again) == 0 {
			return 0, nil, err
		}
	}
	return 0, nil, karbor.Transientf("the collectors' records change faster than they can be read")
}

func (l *lease) list(ctx context.Context) (out []bank.Info, err error) {
	for marker := ""; ; {
		page, err := l.bank.List(ctx, l.prefix, marker, bank.MaxList)
		if err != nil {
			return nil, err
		}
		for _, i := range page {
			if n, err := strconv.Atoi(strings.TrimPrefix(i.Key, l.prefix)); err == nil && n > 0 && l.key(n) == i.Key {
				out = append(out, i)
			}
			marker = i.Key
		}
		if len(page) < bank.MaxList {
			return out, nil
		}
	}
}

// read reads a record. One that can't be understood is of a collector that lives as long as
// any may.
func (l *lease) read(ctx context.Context, n int) (*leaseRecord, error) {
	var r leaseRecord
	err := session.ReadDocument(ctx, l.bank, l.key(n), &r)
	_, bad := errors.AsType[*format.DamageError](err)
	if err != nil && !bad {
		return nil, err
	}
	if bad || r.Format != format.Version || r.Sequence != n || r.ExpiresAt.After(r.RenewedAt.Add(session.MaxLife)) {
		i, err := l.bank.Stat(ctx, l.key(n))
		if err != nil {
			return nil, err
		}
		return &leaseRecord{ExpiresAt: i.ModTime.Add(session.MaxLife)}, nil
	}
	return &r, nil
}

// write writes a record. One of this collector that is there already, as the answer of an
// earlier try was lost, is passed over; that of another is karbor.Conflict.
func (l *lease) write(ctx context.Context, n int, life time.Duration, done bool) error {
	ctx, cancel := context.WithTimeout(bank.Urgent(ctx), l.times.Margin)
	defer cancel()
	for ; ; n++ {
		since := l.times.Now()
		now, err := l.bank.Now(ctx)
		if err != nil {
			return err
		}
		now = now.UTC().Truncate(time.Microsecond)
		if l.late(now) {
			return karbor.Errorf(karbor.Conflict, "the collector's lease could not be renewed in time")
		}
		began := l.start(now)
		err = session.CreateDocument(ctx, l.bank, l.key(n), leaseRecord{Format: format.Version, Collector: l.id, Sequence: n,
			RenewedAt: now, ExpiresAt: now.Add(life), Done: done, BeganAt: began})
		if karbor.KindOf(err) == karbor.Conflict {
			if r, readErr := l.read(ctx, n); readErr == nil && r.Collector == l.id {
				continue
			}
			return karbor.Errorf(karbor.Conflict, "another collector has begun to work")
		}
		if err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.number, l.since, l.expires, l.held = n, since, now.Add(life), life > 0
		return nil
	}
}

// start gives when the collection began, which is now if it is told for the first time.
func (l *lease) start(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() {
		l.began = now
	}
	return l.began
}

// drop removes records that do not count any more, in order, when listings show the next one
// for sure.
func (l *lease) drop(ctx context.Context, listed []bank.Info) error {
	now, err := l.bank.Now(ctx)
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(listed) && now.Sub(listed[i+1].ModTime) > l.times.Settle; i++ {
		if err := l.bank.Delete(ctx, listed[i].Key); err != nil {
			return err
		}
	}
	return nil
}

func (l *lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		return 0
	}
	return l.times.Expire - session.Elapsed(l.times.Now(), l.since)
}

func (l *lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
}

// late reports whether a time of the bank is behind the end of the lease that is held.
func (l *lease) late(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held && !now.Before(l.expires)
}

// run renews the lease until ctx ends; it ends ctx when the lease is lost.
func (l *lease) run(ctx context.Context, lost context.CancelCauseFunc) {
	wait := l.times.Renew
	for sleep(ctx, wait) == nil {
		wait = l.times.Renew
		err := l.renew(ctx)
		if karbor.KindOf(err) == karbor.Conflict || err != nil && l.left() < l.times.Margin {
			lost(fmt.Errorf("the collector's lease is lost: %w", err))
			return
		}
		if err != nil {
			wait /= 8
		}
	}
}

func (l *lease) renew(ctx context.Context) error {
	if left := l.left(); left < l.times.Margin {
		return karbor.Errorf(karbor.Conflict, "the collector's lease could not be renewed in time")
	}
	l.mu.Lock()
	n := l.number
	l.mu.Unlock()
	return l.write(ctx, n+1, l.times.Expire, false)
}

// release gives the lease up. done says that the collection has come to its end.
func (l *lease) release(ctx context.Context, done bool) error {
	if l.left() < l.times.Margin {
		return nil
	}
	l.mu.Lock()
	n := l.number
	l.mu.Unlock()
	return l.write(ctx, n+1, 0, done)
}

// while does something that nobody may do who has lost the lease, and bounds it. The bank's clock is
// asked, too: the local one may have stood still, as in a machine that was paused.
func (l *lease) while(ctx context.Context, do func(context.Context) error) error {
	if left := l.left(); left < l.times.Margin {
		return karbor.Transientf("the collector's lease has %v left, which is too little", max(0, left.Round(time.Second)))
	}
	ctx, cancel := context.WithTimeout(ctx, l.times.Margin)
	defer cancel()
	now, err := l.bank.Now(ctx)
	if err != nil {
		return fmt.Errorf("reading the bank's clock: %w", err)
	}
	if l.late(now) {
		l.lose()
	}
	if l.left() < l.times.Margin || l.late(now.Add(l.times.Margin)) {
		return karbor.Transientf("the collector's lease has ended, or is about to, by the bank's clock")
	}
	return do(ctx)
}
