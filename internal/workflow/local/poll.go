package local

import "log/slog"

// poll learns of operations and cancellations that other processes journalled, now and then,
// and of what comes next for a share of which no more waits in memory.
func (r *run) poll() {
	var err error
	if r.due() {
		r.nextPoll = r.e.now().Add(r.e.options.LeaseFor / 3)
		err = r.learn()
	}
	if err == nil {
		err = r.feed()
	}
	if err != nil && r.ctx.Err() == nil {
		r.e.log.LogAttrs(r.ctx, slog.LevelError, "the journal can't be read", slog.Any("error", err))
	}
}

// due reports whether the whole journal is to be looked at.
func (r *run) due() bool {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	look := r.look || !r.e.now().Before(r.nextPoll)
	r.look = false
	return look
}

// learn looks at the whole journal: who has operations that are not known here, and which
// are to be cancelled.
func (r *run) learn() error {
	shares, err := r.e.journal.Shares(r.ctx)
	if err != nil {
		return err
	}
	r.e.mu.Lock()
	r.queue.compare(shares)
	limit := len(r.queue.known) + pageOf
	r.e.mu.Unlock()
	requested, err := r.e.journal.Requested(r.ctx, limit)
	if err != nil {
		return err
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	for _, found := range requested {
		switch o := r.loaded[found.ID]; {
		case o == nil:
			r.queue.hurry(found.ID, found.Share)
		case o.record.Requested == "":
			r.cancels[found.ID] = found.Requested
			r.signal()
		}
	}
	return nil
}

// feed reads the oldest operations of the shares of which none waits in memory, while the
// journal has some.
func (r *run) feed() error {
	r.e.mu.Lock()
	hungry := r.queue.hungry()
	r.e.mu.Unlock()
	for share, limit := range hungry {
		found, err := r.e.journal.Unfinished(r.ctx, share, limit)
		r.e.mu.Lock()
		r.queue.more[share] = err == nil && len(found) == limit
		for _, o := range found {
			r.queue.add(o.ID, o.Share)
		}
		r.e.mu.Unlock()
		if err != nil {
			return err // the next look finds it hungry again
		}
	}
	return nil
}
