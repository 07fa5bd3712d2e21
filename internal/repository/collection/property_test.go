package collection_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
)

// TestCollectionFreesWhatIsNotNeededAndNothingElse writes, deletes and collects by chance.
func TestCollectionFreesWhatIsNotNeededAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w := &world{base: banktest.NewMemory(), deleted: map[string]deletion{}, streams: map[string][]int{}}
		d, err := dedup.Create(ctx, w.base, domain, master(), time.Now(), dedup.Options{Workers: 1, Index: dedup.NewMemory()})
		if err != nil {
			t.Fatal(err)
		}
		c, err := collection.New(d, collection.Options{Times: times()})
		if err != nil {
			t.Fatal(err)
		}
		for step := range rapid.IntRange(1, 7).Draw(t, "steps") {
			key := manifestOf(domain, step)
			of := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 3).Draw(t, "items")
			stream, err := d.Writer(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range of {
				if _, err := stream.Write(item(n)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := stream.Commit(ctx, key); err != nil {
				t.Fatal(err)
			}
			w.streams[key] = of
			for old := range step {
				if rapid.IntRange(0, 2).Draw(t, "delete") == 0 {
					_ = w.remove(ctx, manifestOf(domain, old))
				}
			}
			if rapid.Bool().Draw(t, "collect") {
				if _, err := c.Collect(ctx, nil); err != nil {
					t.Fatal(err)
				}
				if garbage := w.garbage(ctx); len(garbage) > 0 {
					t.Fatalf("left: %v", garbage)
				}
			}
		}
		if w.lostNothing(ctx); len(w.faults) > 0 {
			t.Fatal(w.faults)
		}
	})
}
