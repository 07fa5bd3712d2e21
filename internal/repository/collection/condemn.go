package collection

import (
	"context"
	"fmt"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/session"
)

// condemn gives the packs to be condemned, and how many are left for the next time.
func (w *work) condemn() (_ []format.Name, left int) {
	before := w.result.began
	condemned, alone := w.marks.unreached(before.Add(-w.options.MinAge), before)
	w.result.Young, w.result.Locked, w.result.Unlocked = alone.young, alone.locked, alone.unlocked
	if n := len(condemned); n > w.options.MaxCondemned {
		return condemned[:w.options.MaxCondemned], n - w.options.MaxCondemned
	}
	return condemned, 0
}

// publish writes the next epoch. What the last one condemned and is gone stays in the list: an
// index that was read before may tell of it.
func (w *work) publish(ctx context.Context, condemned []format.Name) (*session.Epoch, error) {
	e := &session.Epoch{Number: 1, Condemned: map[format.Name]struct{}{}, Gone: map[format.Name]struct{}{}}
	for _, name := range condemned {
		e.Condemned[name] = struct{}{}
	}
	if w.previous != nil {
		e.Number = w.previous.Number + 1
		for name := range w.marks.absent {
			_, listed := w.previous.Condemned[name]
			if _, before := w.previous.Gone[name]; listed && !before {
				e.Condemned[name], e.Gone[name] = struct{}{}, struct{}{}
			}
		}
	}
	return e, w.write(ctx, e)
}

// write writes an epoch.
func (w *work) write(ctx context.Context, e *session.Epoch) error {
	w.changed = true
	err := w.lease.while(ctx, func(ctx context.Context) error {
		var err error
		if e.CreatedAt, err = w.bank.Now(ctx); err != nil {
			return err
		}
		return session.WriteEpoch(ctx, w.bank, w.domain.Name(), e)
	})
	if err != nil {
		return fmt.Errorf("writing the epoch %d: %w", e.Number, err)
	}
	w.result.Epoch = e.Number
	return nil
}

// waiting is one session that is waited for.
type waiting struct {
	session.Listed
	// unlisted says that the newest listing shows none of its records, and missing since when that
	// is known; zero if it is not yet.
	unlisted bool
	missing  time.Time
	expires  time.Time
}

// wait waits until listings show what was there when the epoch was written, and then for every
// session that they show: until it has told the epoch, or is dead for so long that
// what it has published shows. It gives what sessions keep, and the dead ones.
func (w *work) wait(ctx context.Context, e *session.Epoch) (keeps map[format.Name]struct{}, dead []session.Listed, err error) {
	if err := sleep(ctx, w.options.Times.Settle); err != nil {
		return nil, nil, err
	}
	listed, err := session.List(ctx, w.bank, w.domain.Name())
	if err != nil {
		return nil, nil, err
	}
	pending := map[string]*waiting{}
	for id, l := range listed {
		pending[id] = &waiting{Listed: l}
	}
	keeps = map[format.Name]struct{}{}
	patience := w.options.Times.Now().Add(2*w.options.Times.Expire + 2*w.options.Times.Settle)
	// This process's own session is quick to tell.
	pause := min(firstPause, w.options.Times.Renew/8)
	for {
		now, err := w.bank.Now(ctx)
		if err != nil {
			return nil, nil, err
		}
		for id, p := range pending {
			over, isDead, err := w.look(ctx, p, e, now, keeps)
			if err != nil {
				return nil, nil, err
			}
			if isDead {
				dead = append(dead, p.Listed)
			}
			if over {
				delete(pending, id)
			}
		}
		w.progress(Progress{Phase: Waiting, Done: len(listed) - len(pending), Total: len(listed)})
		if len(pending) == 0 {
			return keeps, dead, nil
		}
		if w.options.Times.Now().After(patience) {
			return nil, nil, unheard(pending, e)
		}
		if err := w.relist(ctx, pending, pause); err != nil {
			return nil, nil, err
		}
		pause = min(2*pause, w.options.Times.Renew/8)
	}
}

func unheard(pending map[string]*waiting, e *session.Epoch) error {
	for id, p := range pending {
		return karbor.Transientf("the session %s does not tell that it knows the epoch %d, and says that it lives until %s: nothing was deleted",
			id, e.Number, p.expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// firstPause is how long is waited at first.
const firstPause = 100 * time.Millisecond

// relist waits a while, and looks which records count then.
func (w *work) relist(ctx context.Context, pending map[string]*waiting, pause time.Duration) error {
	if err := sleep(ctx, pause); err != nil {
		return err
	}
	listed, err := session.List(ctx, w.bank, w.domain.Name())
	if err != nil {
		return err
	}
	for id, p := range pending {
		if l, ok := listed[id]; ok {
			p.Listed, p.unlisted, p.missing = l, false, time.Time{}
		} else {
			p.unlisted = true
		}
	}
	return nil
}

// look looks at one session: is it over with, and is it dead?
func (w *work) look(ctx context.Context, p *waiting, e *session.Epoch, now time.Time, keeps map[format.Name]struct{}) (over, dead bool, err error) {
	settle := w.options.Times.Settle
	if p.unlisted && p.missing.IsZero() {
		p.missing = now
	}
	r, err := p.Read(ctx, w.bank, w.domain.Name())
	if karbor.KindOf(err) == karbor.NotFound {
		// It was renewed just now, or has ended: unless a newer record is hidden from
		// listings yet.
		return !p.missing.IsZero() && !now.Before(p.missing.Add(settle)), false, nil
	}
	if err != nil {
		return false, false, err
	}
	p.expires = r.ExpiresAt
	dead = !now.Before(r.ExpiresAt.Add(settle))
	if r.Epoch < e.Number && !dead {
		return false, false, nil
	}
	for _, text := range r.Keeps {
		// What a session told that died just now counts, too.
		if name, ok := format.ParseName(text); ok {
			keeps[name] = struct{}{}
		}
	}
	return true, dead, nil
}
