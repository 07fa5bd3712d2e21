package wrap_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/wrap"
)

func TestLimitsHoldBackBytesButNotUrgentOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := wrap.Limit(banktest.NewMemory(), wrap.LimitOptions{ReadBytesPerSecond: 1 << 20, WriteBytesPerSecond: 2 << 20})
		content := make([]byte, 10<<20)
		put := func(ctx context.Context) time.Duration {
			start := time.Now()
			if err := b.Put(ctx, "a", bytes.NewReader(content), int64(len(content))); err != nil {
				t.Fatal(err)
			}
			return time.Since(start)
		}
		if took := put(t.Context()); took < 4500*time.Millisecond || took > 5500*time.Millisecond {
			t.Errorf("10 MiB at 2 MiB/s were written in %v", took)
		}
		if took := put(bank.Urgent(t.Context())); took != 0 {
			t.Errorf("what is urgent took %v", took)
		}
		start := time.Now()
		if got := text(t, b, "a"); len(got) != len(content) {
			t.Errorf("%d bytes", len(got))
		}
		if took := time.Since(start); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("10 MiB at 1 MiB/s were read in %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Put(ctx, "b", bytes.NewReader(content), int64(len(content))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a write that can't be done in time: %v", err)
		}
	})
}

func TestNoMoreCallsThanAllowedAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := banktest.NewFaulty(banktest.NewMemory())
		faulty.Add(banktest.Fault{Method: banktest.Any, Block: true})
		b := wrap.Limit(faulty, wrap.LimitOptions{ConcurrentReads: 2, ConcurrentWrites: 3})
		ctx, cancel := context.WithCancel(t.Context())
		for range 5 {
			go func() { _, _ = b.Stat(ctx, "a") }()
			go func() { _ = b.Delete(ctx, "a") }()
		}
		go func() { _ = b.Put(bank.Urgent(ctx), "urgent", strings.NewReader(""), 0) }()
		synctest.Wait()
		count := map[banktest.Method]int{}
		for _, c := range faulty.Calls() {
			count[c.Method]++
		}
		if diff := cmp.Diff(map[banktest.Method]int{banktest.Stat: 2, banktest.Delete: 3, banktest.Put: 1}, count); diff != "" {
			t.Error(diff)
		}
		cancel()
	})
}
