package checkpoint

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestLeaseIsNotTakenForDeadByAFlippedBit: whatever bit of it flips, nobody takes its owner's work over.
func TestLeaseIsNotTakenForDeadByAFlippedBit(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs, err := Open(t.Context(), m, Options{Owner: "worker-1", Now: c.Now})
	must(t, err)
	must(t, cs.Lease().Acquire(t.Context()))
	key := leasePrefix("worker-1") + sequence(1)
	text := []byte(m.Snapshot()[key])
	for i := range text {
		for bit := range 8 {
			changed := bytes.Clone(text)
			changed[i] ^= 1 << bit
			must(t, m.Put(t.Context(), key, bytes.NewReader(changed), int64(len(changed))))
			if alive, err := cs.alive(t.Context(), "worker-1"); err != nil || !alive {
				t.Fatalf("bit %d of byte %d: alive %v, %v", bit, i, alive, err)
			}
		}
	}
	must(t, m.Put(t.Context(), key, strings.NewReader("{"), 1))
	c.move(maxLeaseLife - time.Second)
	if alive, err := cs.alive(t.Context(), "worker-1"); err != nil || !alive {
		t.Errorf("cut off, and almost a day old: alive %v, %v", alive, err)
	}
	c.move(time.Second)
	if alive, err := cs.alive(t.Context(), "worker-1"); err != nil || alive {
		t.Errorf("cut off, and a day old: alive %v, %v", alive, err)
	}
}

// TestLeaseWithoutADigestCountsAsItSays: so the first leases were written.
func TestLeaseWithoutADigestCountsAsItSays(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs, err := Open(t.Context(), m, Options{Now: c.Now})
	must(t, err)
	const text = `{"layout":1,"owner":"worker-1","instance":"5d0c7b1e-3f64-4a0e-8a4b-0b9c1d2e3f40","sequence":2,` +
		`"renewed_at":"2024-03-01T12:00:00Z","expires_at":"2024-03-01T12:10:00Z"}`
	must(t, m.Create(t.Context(), leasePrefix("worker-1")+sequence(2), strings.NewReader(text), int64(len(text))))
	end := time.Date(2024, 3, 1, 12, 10, 0, 0, time.UTC)
	c.move(end.Add(-time.Second).Sub(c.Now()))
	if alive, err := cs.alive(t.Context(), "worker-1"); err != nil || !alive {
		t.Errorf("before its end: alive %v, %v", alive, err)
	}
	c.move(time.Second)
	if alive, err := cs.alive(t.Context(), "worker-1"); err != nil || alive {
		t.Errorf("at its end: alive %v, %v", alive, err)
	}
}
