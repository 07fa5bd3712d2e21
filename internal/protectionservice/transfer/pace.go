package transfer

import (
	"math"
	"sync"
	"time"

	"github.com/karbor/karbor"
)

const (
	// paceSample is the least time between two looks of which a speed is made, and
	// paceMemory how long ago what was moved counts for much less than half.
	paceSample = time.Second
	paceMemory = 10 * time.Second
)

// mostPaces bounds the operations of which something is kept. When there are more, all are
// forgotten.
const mostPaces = 1000

// pace is how fast the bytes of one resource move, in the mean of the last seconds.
type pace struct {
	begun bool
	at    time.Time
	done  int64
	// speed is in bytes a second; negative as long as it is not known.
	speed float64
}

// observe takes note of how many bytes are done.
func (p *pace) observe(done int64, now time.Time) {
	if !p.begun || done < p.done || now.Before(p.at) {
		*p = pace{begun: true, at: now, done: done, speed: -1} // it begins, or begins anew
		return
	}
	passed := now.Sub(p.at)
	if passed < paceSample {
		return
	}
	sample := float64(done-p.done) / passed.Seconds()
	if p.speed < 0 {
		p.speed = sample
	} else {
		p.speed += (sample - p.speed) * (1 - math.Exp(-float64(passed)/float64(paceMemory)))
	}
	p.at, p.done = now, done
}

// Paces are those of the operations that run. They are told by the hooks that move the
// bytes, or, where these run in another process, by who asks how far they are. It is
// safe for concurrent use.
type Paces struct {
	mu  sync.Mutex
	all map[string]map[karbor.NodeKey]*pace
}

// NewPaces makes what knows of no operation.
func NewPaces() *Paces { return &Paces{all: map[string]map[karbor.NodeKey]*pace{}} }

// Observe takes note of how far a resource is, and gives its speed in bytes a second;
// negative as long as that is not known.
func (p *Paces) Observe(operation string, key karbor.NodeKey, done int64, now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.all[operation]
	if of == nil {
		if len(p.all) >= mostPaces {
			clear(p.all)
		}
		of = map[karbor.NodeKey]*pace{}
		p.all[operation] = of
	}
	if of[key] == nil {
		of[key] = &pace{}
	}
	of[key].observe(done, now)
	return int64(of[key].speed)
}

// Forget drops what is known of an operation.
func (p *Paces) Forget(operation string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, operation)
}

// longestLeft bounds an estimate: what is further away is not known.
const longestLeft = 365 * 24 * time.Hour

// TimeLeft estimates how long the rest of a transfer takes at a speed; 0 if nobody knows.
func TimeLeft(done, total, speed int64) time.Duration {
	if speed <= 0 || total <= done {
		return 0
	}
	seconds := float64(total-done) / float64(speed)
	if seconds > longestLeft.Seconds() {
		return 0
	}
	return time.Duration(math.Ceil(seconds)) * time.Second
}
