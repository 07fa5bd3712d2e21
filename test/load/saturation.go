package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// rounds is how often each figure is taken.
	rounds = 3
	// light is the load, in saturations, at which the service counts as unloaded.
	light = 0.1
	// slower is how much slower than unloaded an accepted request may be, at the 99th
	// percentile.
	slower = 5
	// healthTime is how long /healthcheck may take: the time-out of its report.
	healthTime = 2 * time.Second
	// parts is how many figures are taken of the overload.
	parts = 6
)

// verdict writes a line for each thing that must hold, and remembers whether all do.
type verdict struct {
	out   io.Writer
	wrong bool
}

func (v *verdict) check(ok bool, format string, args ...any) {
	word := "holds"
	if !ok {
		word, v.wrong = "DOES NOT HOLD", true
	}
	_, _ = fmt.Fprintf(v.out, "  %-13s  %s\n", word, fmt.Sprintf(format, args...))
}

func (v *verdict) err() error {
	if v.wrong {
		return errVerdict
	}
	return nil
}

// spread is the median of some figures, with the smallest and the largest.
type spread struct{ median, least, most float64 }

func spreadOf(figures []float64) spread {
	if len(figures) == 0 {
		return spread{}
	}
	slices.Sort(figures)
	return spread{figures[len(figures)/2], figures[0], figures[len(figures)-1]}
}

func (s spread) times() string {
	return fmt.Sprintf("%.2f ms (%.2f to %.2f)", s.median, s.least, s.most)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quantiles collects the figures of several measurements.
type quantiles struct{ half, high, highest []float64 }

func (q *quantiles) add(h *histogram) {
	q.half = append(q.half, ms(h.quantile(0.5)))
	q.high = append(q.high, ms(h.quantile(0.99)))
	q.highest = append(q.highest, ms(h.most))
}

// saturation measures how the service bears twice of what it can do.
func saturation(ctx context.Context, k *site, s settings, out io.Writer) error {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	say("%s; state in %s", k.processors, k.folder)
	say("of 100 requests 65 get a plan, 25 list 100 plans, 10 create one\n")
	most, err := capacity(ctx, k, s, say)
	if err != nil {
		return err
	}
	v := &verdict{out: out}
	calm, err := unloaded(ctx, k, s, most.median, "before", say)
	if err != nil {
		return err
	}
	say("\n%s at %.0f requests a second, %.1f x the saturation, over %d connections:", s.overload, s.factor*most.median, s.factor, s.connections)
	probes := probe(ctx, k)
	sum, times, unsent := &tally{}, quantiles{}, int64(0)
	for i := range parts {
		t, n := offer(ctx, k, s.factor*most.median, s.connections, s.overload/parts)
		report(say, fmt.Sprintf("  part %d of %d", i+1, parts), t, s.overload/parts)
		times.add(&t.accepted)
		sum.merge(t)
		unsent += n
	}
	health := probes()
	if err := ctx.Err(); err != nil {
		return err
	}
	after, err := unloaded(ctx, k, s, most.median, "after", say)
	if err != nil {
		return err
	}
	high, bound := spreadOf(times.high), slower*calm.median
	offered := float64(sum.all()) / s.overload.Seconds()
	say("\naccepted %.0f a second, shed %.0f; accepted p50 %s, p99 %s, longest %s; shed p99 %s",
		float64(sum.accepted.n)/s.overload.Seconds(), float64(sum.shed.n)/s.overload.Seconds(),
		spreadOf(times.half).times(), high.times(), milliseconds(sum.accepted.most), milliseconds(sum.shed.quantile(0.99)))
	for word, n := range sum.wrong {
		say("  %d times %s", n, word)
	}
	say("\nVerdict")
	v.check(offered >= 0.95*s.factor*most.median, "%.0f requests a second were offered, of %.0f (%d found no connection)", offered, s.factor*most.median, unsent)
	v.check(sum.failed == 0, "every request was answered with success, 429 or 503 (%d were not)", sum.failed)
	v.check(sum.shed.n > 0 && sum.bare == 0, "what is too much is shed with Retry-After (%d shed, %d without it)", sum.shed.n, sum.bare)
	v.check(health.failed == 0 && health.accepted.most <= healthTime, "/healthcheck was well, and took %s at most, of %s (%d of %d were not well)",
		milliseconds(health.accepted.most), healthTime, health.failed, health.all())
	v.check(ms(sum.accepted.quantile(0.99)) <= bound, "p99 of what was accepted is %s, of %.2f ms: %d x the unloaded %.2f ms",
		milliseconds(sum.accepted.quantile(0.99)), bound, slower, calm.median)
	v.check(after.median <= bound, "afterwards p99 is %.2f ms again, of %.2f ms", after.median, bound)
	return v.err()
}

// capacity gives how many requests a second the service answers at most.
func capacity(ctx context.Context, k *site, s settings, say func(string, ...any)) (spread, error) {
	var best []float64
	for range rounds {
		var high float64
		var at int
		for _, n := range []int{4, 8, 16, 32} {
			t, took := press(ctx, k, n, s.round/4, 0)
			if err := ctx.Err(); err != nil {
				return spread{}, err
			}
			if t.failed > 0 {
				return spread{}, fmt.Errorf("%d requests of %d failed: %v", t.failed, t.all(), t.wrong)
			}
			if rate := float64(t.accepted.n) / took.Seconds(); rate > high {
				high, at = rate, n
			}
		}
		say("saturation: %.0f requests a second, with %d connections", high, at)
		best = append(best, high)
	}
	most := spreadOf(best)
	say("saturation: %.0f requests a second (%.0f to %.0f)\n", most.median, most.least, most.most)
	return most, nil
}

// unloaded gives the 99th percentile of the times, in milliseconds, when there is
// little to do.
func unloaded(ctx context.Context, k *site, s settings, most float64, when string, say func(string, ...any)) (spread, error) {
	var q quantiles
	for range rounds {
		t, _ := offer(ctx, k, light*most, s.connections, s.round)
		if err := ctx.Err(); err != nil {
			return spread{}, err
		}
		if t.accepted.n == 0 || t.failed > 0 {
			return spread{}, fmt.Errorf("unloaded, %d requests of %d failed: %v", t.failed, t.all(), t.wrong)
		}
		report(say, "unloaded, "+when, t, s.round)
		q.add(&t.accepted)
	}
	return spreadOf(q.high), nil
}

func report(say func(string, ...any), what string, t *tally, took time.Duration) {
	say("%-18s %6.0f/s accepted, %6.0f/s shed, %d failed; p50 %s, p99 %s, longest %s", what,
		float64(t.accepted.n)/took.Seconds(), float64(t.shed.n)/took.Seconds(), t.failed,
		milliseconds(t.accepted.quantile(0.5)), milliseconds(t.accepted.quantile(0.99)), milliseconds(t.accepted.most))
}

// probePause is the time between two looks at the health.
const probePause = 250 * time.Millisecond

// probe looks at the health until its answer is called, which gives what was seen.
func probe(ctx context.Context, k *site) func() *tally {
	ctx, cancel := context.WithCancel(ctx)
	seen, request := &tally{}, newMix(k).health
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(probePause)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			began := time.Now()
			status, err := once(ctx, k.host, request)
			if status != http.StatusOK {
				seen.failed++
				continue
			}
			seen.add(status, false, err, time.Since(began))
		}
	})
	return func() *tally {
		cancel()
		group.Wait()
		return seen
	}
}

// once makes a request over a connection of its own, as a load balancer does.
func once(ctx context.Context, host string, request []byte) (int, error) {
	c, err := dial(ctx, host)
	if err != nil {
		return 0, err
	}
	status, _, _, err := c.ask(request)
	return status, errors.Join(err, c.Close())
}
