package main

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketsHoldTheirTimesWithinThreePercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.Uint64Range(0, 1<<40).Draw(t, "µs")
		d, b := time.Duration(micros)*time.Microsecond, bucket(micros)
		if low, next := lowest(b), lowest(b+1); d < low || d >= next || (next-low)*32 > max(low, 32*time.Microsecond) {
			t.Fatalf("%v is in bucket %d, from %v to %v", d, b, low, next)
		}
	})
}

func TestQuantiles(t *testing.T) {
	var h, other histogram
	for i := range 1000 {
		into := &h
		if i%2 == 0 {
			into = &other
		}
		into.add(time.Duration(i+1) * time.Millisecond)
	}
	h.merge(&other)
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 500, 0.99: 990, 1: 1000} {
		want *= time.Millisecond
		if got := h.quantile(q); got < want || got > want+want/16 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := (&histogram{}).quantile(0.99); got != 0 {
		t.Errorf("of nothing it is %v", got)
	}
}
