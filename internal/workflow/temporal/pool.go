package temporal

import (
	"context"
	"sync"
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

// take waits for a place until ctx ends.
func (p *pools) take(ctx context.Context, name string) error {
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
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	for i, other := range at.waiting {
		if other == turn {
			at.waiting = append(at.waiting[:i], at.waiting[i+1:]...)
			p.mu.Unlock()
			return ctx.Err()
		}
	}
	p.mu.Unlock()
	p.give(name) // the place came at the same moment
	return ctx.Err()
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
