package main

import (
	"fmt"
	"math/bits"
	"time"
)

// histogram counts times in buckets that are 3 % wide. It is for one goroutine.
type histogram struct {
	counts [buckets]int64
	n      int64
	most   time.Duration
}

const (
	fine    = 5 // bits of a time that tell its buckets apart
	buckets = (64 - fine) << fine
)

// bucket gives the place of a time in microseconds.
func bucket(micros uint64) int {
	if micros < 1<<fine {
		return int(micros)
	}
	shift := bits.Len64(micros) - 1 - fine
	return (shift+1)<<fine + int(micros>>shift) - 1<<fine
}

// lowest gives the smallest time of a bucket.
func lowest(b int) time.Duration {
	if b < 1<<fine {
		return time.Duration(b) * time.Microsecond
	}
	shift := b>>fine - 1
	return time.Duration(uint64(b&(1<<fine-1)|1<<fine)<<shift) * time.Microsecond
}

func (h *histogram) add(d time.Duration) {
	h.counts[min(bucket(uint64(max(d, 0).Microseconds())), buckets-1)]++
	h.n++
	h.most = max(h.most, d)
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.n += o.n
	h.most = max(h.most, o.most)
}

// quantile gives the time that a share of all do not exceed, up to the width of a
// bucket; 0 if there is none.
func (h *histogram) quantile(q float64) time.Duration {
	rank, seen := int64(q*float64(h.n)), int64(0)
	for i, n := range h.counts {
		if seen += n; seen > rank {
			return min(lowest(i+1), h.most)
		}
	}
	return h.most
}

// milliseconds writes a time for people.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}
