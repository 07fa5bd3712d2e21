package temporal

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

const (
	// mostAttempts is the most attempts of steps that a process has taken from the cluster.
	// So many it has at hand at most, those that wait for a place among them; one of each
	// share may come beyond that. The rest is for those that are turned away.
	mostAttempts = 1000
	mostAtHand   = 900
	firstAtHand  = 950
	// mostWaiting is the same for those that wait for a place: their hearts beat, too, which
	// costs the cluster more than to give them out again later.
	mostWaiting  = 128
	firstWaiting = 256
	// yieldEvery is how often an attempt that waits for a place looks whether its share takes
	// too much of the room.
	yieldEvery = 5 * time.Second
	// firstAway is how long an attempt rests on the cluster that was turned away; each time
	// doubles it, up to mostAway.
	firstAway = 15 * time.Second
	mostAway  = 2 * time.Minute
)

// slots share the room for attempts in this process: a share may have as many as there is room
// left for, so that there is always some for another one. One that has none is let in beyond
// most, up to first.
type slots struct {
	most, first int

	mu    sync.Mutex
	total int
	held  map[string]int
}

func newSlots(most, first int) *slots {
	return &slots{most: most, first: first, held: map[string]int{}}
}

// share gives whose a pool is.
func share(pool string) string {
	_, whose, _ := strings.Cut(pool, "/")
	return whose
}

// take takes a slot for an attempt, if its share may have one more.
func (s *slots) take(share string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.held[share]
	if n >= s.most-s.total && (n > 0 || s.total >= s.first) {
		return false
	}
	s.held[share]++
	s.total++
	return true
}

// give gives a slot back.
func (s *slots) give(share string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.held[share]--; s.held[share] == 0 {
		delete(s.held, share)
	}
}

// crowded reports whether a share has more slots than there is room left for.
func (s *slots) crowded(share string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.held[share]
	return n > 1 && n > s.most-s.total
}

// away turns an attempt away that has not begun: the cluster itself gives it out again, and no
// history tells of it. A cluster on which an older version asked for it hands it back to the
// interpreter, which rests and asks again.
func away(ctx context.Context) error {
	rest := firstAway
	for range activity.GetInfo(ctx).Attempt - 1 {
		if rest = min(2*rest, mostAway); rest == mostAway {
			break
		}
	}
	return temporal.NewApplicationErrorWithOptions("this worker has no room for it", "away", temporal.ApplicationErrorOptions{
		NextRetryDelay: time.Duration(float64(rest) * (0.8 + 0.4*rand.Float64())),
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}
