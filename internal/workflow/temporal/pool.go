package temporal

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// pools are the places of this process, by name.
type pools struct {
	places func(name string) int

	mu   sync.Mutex
	used map[string]*pool
}

// pool is the places of one name. Who waits gets one in the order of coming.
type pool struct {
	used    int
	waiting []chan struct{}
}

func newPools(places func(string) int) *pools {
	return &pools{places: places, used: map[string]*pool{}}
}

// try takes a place if one is free.
func (p *pools) try(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.of(name)
	if at.used >= p.places(name) {
		return false
	}
	at.used++
	return true
}

// errYielded says that who waited for a place waits no longer.
var errYielded = errors.New("others need the room")

// take waits for a place until ctx ends, or until yield, which it calls now and then, says
// that it shall wait no longer: then it gives errYielded.
func (p *pools) take(ctx context.Context, name string, yield func() bool) error {
	p.mu.Lock()
	at := p.of(name)
	if at.used < p.places(name) {
		at.used++
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{}, 1)
	at.waiting = append(at.waiting, turn)
	p.mu.Unlock()
	look := time.NewTicker(yieldEvery)
	defer look.Stop()
	for {
		select {
		case <-turn:
			return nil
		case <-look.C:
			if !yield() {
				continue
			}
			p.leave(name, turn)
			return errYielded
		case <-ctx.Done():
			p.leave(name, turn)
			return ctx.Err()
		}
	}
}

// leave takes one that waits out. If its place came at the same moment, it is given back.
func (p *pools) leave(name string, turn chan struct{}) {
	p.mu.Lock()
	at := p.of(name)
	i := slices.Index(at.waiting, turn)
	if i >= 0 {
		at.waiting = slices.Delete(at.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		p.give(name)
	}
}

// give gives a place back, to who has waited longest.
func (p *pools) give(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.of(name)
	if len(at.waiting) > 0 {
		at.waiting[0] <- struct{}{}
		at.waiting = at.waiting[1:]
		return
	}
	if at.used--; at.used == 0 {
		delete(p.used, name)
	}
}

// of gives a pool; the caller holds the mutex.
func (p *pools) of(name string) *pool {
	at := p.used[name]
	if at == nil {
		at = &pool{}
		p.used[name] = at
	}
	return at
}
