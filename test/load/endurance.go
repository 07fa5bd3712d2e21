package main

import (
	"context"
	"fmt"
	"io"
	"slices"
)

const (
	// steady is how many connections ask all the time.
	steady = 8
	// growth is how much more memory than after a tenth of the requests the service may
	// have later, as a factor, and growthBytes what it may have in any case: what the
	// collector leaves differs by some megabytes.
	growth      = 1.1
	growthBytes = 8 << 20
)

// endurance makes very many requests, and looks at the service's memory.
func endurance(ctx context.Context, k *site, s settings, out io.Writer) error {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	say("%s; state in %s", k.processors, k.folder)
	say("of 100 requests 65 get a plan, 25 list 100 plans, 10 create one; %d in all\n", s.requests)
	first, err := k.resident()
	if err != nil {
		return err
	}
	say("%10d requests  %6.1f MiB resident", 0, float64(first)/(1<<20))
	made, resident := 0, map[int]int64{}
	var later []int64
	for _, percent := range []int{1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100} {
		count := s.requests/100*percent - made
		t, took := press(ctx, k, steady, 0, count)
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.failed > 0 || t.shed.n > 0 {
			return fmt.Errorf("%d requests failed, %d were shed: %v", t.failed, t.shed.n, t.wrong)
		}
		made += count
		now, err := k.resident()
		if err != nil {
			return err
		}
		if resident[percent] = now; percent > 10 {
			later = append(later, now)
		}
		say("%10d requests  %6.1f MiB resident  %3d %%, %.0f a second, p99 %s", made, float64(now)/(1<<20), percent,
			float64(count)/took.Seconds(), milliseconds(t.accepted.quantile(0.99)))
	}
	say("\nVerdict")
	v := &verdict{out: out}
	bound := max(int64(growth*float64(resident[10])), resident[10]+growthBytes)
	v.check(slices.Max(later) <= bound, "after 10 %% of the requests there are at most %.1f MiB resident, of %.1f MiB: %.1f MiB at 1 %%, %.1f at 10 %%, %.1f at 50 %%, %.1f at 100 %%",
		float64(slices.Max(later))/(1<<20), float64(bound)/(1<<20), mib(resident[1]), mib(resident[10]), mib(resident[50]), mib(resident[100]))
	return v.err()
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
