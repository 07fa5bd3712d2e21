package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// tally is what became of requests. It is for one goroutine.
type tally struct {
	accepted, shed histogram
	// bare are sheds without Retry-After; failed are requests with any other answer,
	// or none, of which wrong has a few words.
	bare, failed int64
	wrong        map[string]int64
}

func (t *tally) add(status int, retry bool, err error, d time.Duration) {
	switch {
	case err == nil && status/100 == 2:
		t.accepted.add(d)
		return
	case err == nil && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests):
		t.shed.add(d)
		if !retry {
			t.bare++
		}
		return
	}
	t.failed++
	word := fmt.Sprintf("status %d", status)
	if err != nil {
		word = err.Error()
	}
	if t.wrong == nil {
		t.wrong = map[string]int64{}
	}
	if len(t.wrong) < 5 || t.wrong[word] > 0 {
		t.wrong[word]++
	}
}

func (t *tally) merge(o *tally) {
	t.accepted.merge(&o.accepted)
	t.shed.merge(&o.shed)
	t.bare += o.bare
	t.failed += o.failed
	for word, n := range o.wrong {
		if t.wrong == nil {
			t.wrong = map[string]int64{}
		}
		t.wrong[word] += n
	}
}

func (t *tally) all() int64 { return t.accepted.n + t.shed.n + t.failed }

// worker has one connection and its own tally.
type worker struct {
	tally
	host   string
	mix    mix
	random *rand.Rand
	conn   *connection
}

// ask makes one request. Its time counts from then.
func (w *worker) ask(ctx context.Context, then time.Time) {
	if w.conn == nil {
		conn, err := dial(ctx, w.host)
		if err != nil {
			w.add(0, false, err, 0)
			return
		}
		w.conn = conn
	}
	status, retry, gone, err := w.conn.ask(w.mix.next(w.random))
	w.add(status, retry, err, time.Since(then))
	if gone {
		_ = w.conn.Close()
		w.conn = nil
	}
}

func (w *worker) close() {
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// crew makes workers.
func crew(k *site, n int) []*worker {
	m := newMix(k)
	out := make([]*worker, n)
	for i := range out {
		out[i] = &worker{host: k.host, mix: m, random: rand.New(rand.NewPCG(uint64(i), 7))}
	}
	return out
}

// gather adds up what workers have seen, and lets their connections go.
func gather(workers []*worker) *tally {
	sum := &tally{}
	for _, w := range workers {
		sum.merge(&w.tally)
		w.close()
	}
	return sum
}

// press has n connections ask without a pause for a time, or until so many requests
// were made, if count is not 0.
func press(ctx context.Context, k *site, n int, d time.Duration, count int) (*tally, time.Duration) {
	workers, began := crew(k, n), time.Now()
	var group sync.WaitGroup
	for i, w := range workers {
		share := count / n
		if i < count%n {
			share++
		}
		group.Go(func() {
			for made := 0; ctx.Err() == nil && (count == 0 && time.Since(began) < d || made < share); made++ {
				w.ask(ctx, time.Now())
			}
		})
	}
	group.Wait()
	return gather(workers), time.Since(began)
}

// offer makes requests at a rate for a time, whether they are answered or not, over at
// most n connections. Requests come by chance, as from many clients that know nothing of
// each other. The time of each counts from its arrival. unsent are those that found no
// connection.
func offer(ctx context.Context, k *site, rate float64, n int, d time.Duration) (_ *tally, unsent int64) {
	workers, arrivals := crew(k, n), make(chan time.Time, n)
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() {
			for then := range arrivals {
				w.ask(ctx, then)
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	began := time.Now()
	for due := time.Duration(0); due < d && ctx.Err() == nil; {
		if wait := due - time.Since(began); wait > 0 {
			time.Sleep(wait)
		}
		for now := time.Since(began); due <= now; due += time.Duration(random.ExpFloat64() / rate * float64(time.Second)) {
			select {
			case arrivals <- time.Now():
			default:
				unsent++
			}
		}
	}
	close(arrivals)
	group.Wait()
	return gather(workers), unsent
}
