package local

import (
	"fmt"
	"testing"
)

// loads gives the operations that are loaded, in order, until there is none or no room.
func loads(q *queue) []string {
	var out []string
	for {
		id := q.next()
		if id == "" {
			return out
		}
		out = append(out, id)
	}
}

func fill(q *queue, share string, n int) {
	for i := range n {
		q.add(fmt.Sprint(share, i), share)
	}
}

func TestAShareLeavesAsMuchRoomAsItTakes(t *testing.T) {
	q := newQueue(16)
	fill(q, "a", 40)
	if got := loads(q); len(got) != 8 || got[0] != "a0" || got[7] != "a7" {
		t.Errorf("alone it has %v", got)
	}
	fill(q, "b", 40)
	if got := loads(q); len(got) != 4 || got[0] != "b0" {
		t.Errorf("beside it another has %v", got)
	}
	// Room that comes free is for who has less.
	for i := range 8 {
		q.drop(fmt.Sprint("a", i))
	}
	if got := loads(q); q.loaded["a"] > q.loaded["b"]+1 || len(got) == 0 {
		t.Errorf("then %v are loaded: %v", q.loaded, got)
	}
}

func TestEachShareHasOneOperationInMemory(t *testing.T) {
	q := newQueue(16)
	fill(q, "a", 40)
	loads(q)
	for i := range 100 {
		fill(q, fmt.Sprint("s", i), 2)
	}
	loads(q)
	if len(q.loaded) < 2*16-8+1 || q.total != 2*16 {
		t.Errorf("%d shares have %d in memory", len(q.loaded), q.total)
	}
	for i := range 100 {
		share := fmt.Sprint("s", i)
		if q.loaded[share] > 0 {
			q.drop(share + "0")
		}
		loads(q)
	}
	for i := range 100 {
		if share := fmt.Sprint("s", i); len(q.waiting[share]) == 2 {
			t.Errorf("%s never had its turn", share)
		}
	}
}

func TestTheQueueInMemoryIsBounded(t *testing.T) {
	q := newQueue(16)
	fill(q, "a", 10_000)
	loads(q)
	if n := len(q.known); n > 8+pageOf || !q.more["a"] {
		t.Errorf("%d operations are known, and more is %t", n, q.more["a"])
	}
	for i := range 10_000 {
		q.hurry(fmt.Sprint("c", i), "a")
	}
	if n := len(q.known); n > 8+2*pageOf {
		t.Errorf("with those to be cancelled %d are known", n)
	}
}

func TestOneThatIsToBeCancelledGoesFirst(t *testing.T) {
	q := newQueue(16)
	fill(q, "a", 40)
	loads(q)
	q.hurry("a30", "a")
	q.hurry("a0", "a") // it is in memory
	q.hurry("elsewhere", "a")
	if got := fmt.Sprint(loads(q)); got != "[a30 elsewhere]" {
		t.Errorf("loaded are %s", got)
	}
}

func TestOneThatCantBeLoadedWaitsForTheNextLook(t *testing.T) {
	q := newQueue(16)
	fill(q, "a", 2)
	q.more["a"] = true
	for range 2 {
		q.fail(q.next())
	}
	if q.total != 0 || len(q.known) != 0 {
		t.Errorf("%d are in memory, known are %v", q.total, q.known)
	}
	// The journal's list begins with those: more has to be read of it.
	if got := q.hungry()["a"]; got != 2+pageOf {
		t.Errorf("%d are read", got)
	}
	fill(q, "a", 2)
	q.hurry("a0", "a")
	if got := loads(q); len(got) != 0 {
		t.Errorf("loaded are %v", got)
	}
	q.compare(map[string]int{"a": 2})
	fill(q, "a", 2)
	if got := loads(q); len(got) != 2 {
		t.Errorf("after the look %v are loaded", got)
	}
}
