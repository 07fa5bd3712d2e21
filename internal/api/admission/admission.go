// Package admission decides which requests are worked on now, which wait, and which
// are turned away because there is more to do than can be done.
//
// As many work at a time as the machine has use for; the others wait. A wait is short
// where there is no more than a burst: as long as only few wait now and then, the
// service gets through what it is asked for, and all are served. Where a crowd has
// been waiting all the time for a while, it does not: then every further one would wait
// as long as it may, and be served late. So who comes then may only wait a moment, and
// is turned away after it, until nobody has been for a while; and of those, who has come
// last is next, as some can't be served in any case, and the others are served soon. (The
// method is known as controlled delay with adaptive order: Nichols and Jacobson,
// "Controlling Queue Delay", 2012; Maurer, "Fail at Scale", 2015.)
//
// All that waits must wait here, and not for a processor, where nobody counts it: who
// has got a place lets all others run first, so that they get in line.
//
// Projects take turns: the one that has the fewest at work is next. So a project that
// asks for much is turned away, and not one that asks for little.
package admission

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// lookPause is the time between two looks at the network.
const lookPause = time.Millisecond

// ErrBusy says that there is more to do than can be done.
var ErrBusy = errors.New("there is more to do than can be done")

// Options of New.
type Options struct {
	// Places is how many requests work at a time, 1 or more.
	Places int
	// Wait is how long a request may wait for its place in a burst; 0 stands for
	// DefaultWait. Busy is how long a crowd must have been waiting all the time, while
	// others were served, for there to be more to do than can be done; 0 stands for
	// DefaultBusy. Then a request may wait for Moment, or until the next but one leaves,
	// if that takes longer; 0 stands for DefaultMoment.
	Wait, Busy, Moment time.Duration
	// Calm is how long nobody must have been turned away for that to be over; 0 stands
	// for DefaultCalm.
	Calm time.Duration
	// Look lets all others run that can, and those for whom something has come over the
	// network; nil does without the latter. It is called by one at a time.
	Look func()
	Now  func() time.Time
}

// Defaults of Options.
const (
	DefaultWait   = 5 * time.Second
	DefaultBusy   = 100 * time.Millisecond
	DefaultMoment = 2 * time.Millisecond
	DefaultCalm   = time.Second
)

// crowd is how many must wait for each place to be a crowd. Clients that each wait for
// their answer before they ask again are none, as long as they are not too many.
const crowd = 8

// busyServed is how many must have been served, while a crowd was waiting all the time,
// for there to be more to do than can be done. Where nobody is served, as a disk hangs,
// turning others away would help nobody.
const busyServed = 64

// Places are those of the requests that work. They are safe for concurrent use.
type Places struct {
	options Options

	mu      sync.Mutex
	taken   int
	working map[string]int // how many of each project work
	queue   []*waiter      // the longest waiting first
	// calm is when there was no crowd last, refused when somebody was turned away last.
	calm, refused time.Time
	// served counts who left since calm. gap is the time between two who leave while
	// others wait, as a moving mean, and left when the last did.
	served int
	gap    time.Duration
	left   time.Time
	// looked is when the last look at the network was over; looking is closed at the end
	// of the one that is under way.
	looked  time.Time
	looking chan struct{}
}

// waiter is a request that waits for its place.
type waiter struct {
	project string
	// until is when it is turned away; brief says that this is a moment after it came.
	until time.Time
	brief bool
	// told gets whether it has its place.
	told chan bool
}

// New makes places, all of them free.
func New(o Options) *Places {
	if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	if o.Busy <= 0 {
		o.Busy = DefaultBusy
	}
	if o.Moment <= 0 {
		o.Moment = DefaultMoment
	}
	if o.Calm <= 0 {
		o.Calm = DefaultCalm
	}
	o.Places = max(o.Places, 1)
	return &Places{options: o, working: map[string]int{}, calm: o.Now()}
}

// Place is that of one request.
type Place struct {
	places  *Places
	project string
}

// Enter waits for the place of a request of a project, which Leave must give back. The
// error is ErrBusy, or that of ctx.
func (p *Places) Enter(ctx context.Context, project string) (*Place, error) {
	if w, free := p.come(project); !free {
		if err := p.wait(ctx, w); err != nil {
			return nil, err
		}
	}
	p.yield()
	return &Place{p, project}, nil
}

// yield lets all others run that can. Where there is much to do, all who have got their
// places step back now and then for a look at the network.
func (p *Places) yield() {
	now := p.options.Now()
	p.mu.Lock()
	looking := p.looking
	first := looking == nil && p.options.Look != nil && len(p.queue) > 0 && now.Sub(p.looked) >= lookPause
	if first {
		p.looking = make(chan struct{})
	}
	p.mu.Unlock()
	switch {
	case first:
		p.options.Look()
		now = p.options.Now()
		p.mu.Lock()
		close(p.looking)
		p.looking, p.looked = nil, now
		p.mu.Unlock()
	case looking != nil:
		<-looking
	default:
		runtime.Gosched()
	}
}

// wait waits for the place of one who is in line.
func (p *Places) wait(ctx context.Context, w *waiter) error {
	timer := time.NewTimer(w.until.Sub(p.options.Now()))
	defer timer.Stop()
	select {
	case has := <-w.told:
		if !has {
			return ErrBusy
		}
		return nil
	case <-timer.C:
		if p.forget(w, true) || !<-w.told {
			return ErrBusy
		}
		return nil // its turn came at that very moment
	case <-ctx.Done():
		if !p.forget(w, false) && <-w.told {
			p.leave(w.project)
		}
		return ctx.Err()
	}
}

// come takes a place if one is free, or else gets in line.
func (p *Places) come(project string) (w *waiter, free bool) {
	now := p.options.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look(now)
	if len(p.queue) == 0 {
		p.left = now
		if p.taken < p.options.Places {
			p.take(project)
			return nil, true
		}
	}
	w = &waiter{project: project, until: now.Add(p.options.Wait), told: make(chan bool, 1)}
	if now.Sub(p.calm) >= p.options.Busy && p.served >= busyServed || now.Sub(p.refused) < p.options.Calm {
		w.until, w.brief = now.Add(max(p.options.Moment, 2*p.gap)), true
	}
	p.queue = append(p.queue, w)
	return w, false
}

func (p *Places) take(project string) {
	p.taken++
	p.working[project]++
}

// forget takes a waiter out of the line, who may be turned away; it reports false if it
// is there no more.
func (p *Places) forget(w *waiter, refused bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, w)
	if i < 0 {
		return false
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	if refused {
		p.refused = p.options.Now()
	}
	return true
}

// leave gives a place back, and has the next come in.
func (p *Places) leave(project string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.working[project]--; p.working[project] == 0 {
		delete(p.working, project)
	}
	now := p.options.Now()
	if p.served++; len(p.queue) > 0 {
		const smoothing = 16
		p.gap += (now.Sub(p.left) - p.gap) / smoothing
	}
	p.left = now
	for p.taken < p.options.Places && len(p.queue) > 0 {
		w := p.next()
		// Who has waited for too long is told so, and not served late.
		in := now.Before(w.until)
		if in {
			p.take(w.project)
		} else {
			p.refused = now
		}
		w.told <- in
	}
	p.look(now)
}

// look notes whether a crowd is waiting.
func (p *Places) look(now time.Time) {
	if len(p.queue) < crowd*p.options.Places {
		p.calm, p.served = now, 0
	}
}

// next takes out of the line who is next: of a project that has the fewest at work, the
// first of those who may wait, or else the last of those who may not.
func (p *Places) next() *waiter {
	next := 0
	for i, w := range p.queue {
		first := p.queue[next]
		if less := p.working[w.project] - p.working[first.project]; less < 0 || less == 0 && w.brief && first.brief {
			next = i
		}
	}
	w := p.queue[next]
	p.queue = slices.Delete(p.queue, next, next+1)
	return w
}

// Leave gives the place back.
func (p *Place) Leave() { p.places.leave(p.project) }

// Rest lets another have the place while this request waits for something outside,
// such as a cloud, until the function that it gives is called. That does not wait: for a
// moment, there may be one more at work than there are places.
func (p *Place) Rest() (goOn func()) {
	p.places.leave(p.project)
	return func() {
		p.places.mu.Lock()
		defer p.places.mu.Unlock()
		p.places.take(p.project)
	}
}
