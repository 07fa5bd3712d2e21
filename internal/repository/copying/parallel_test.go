package copying

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// crowded is a bank that keeps no pack before so many are on their way at the same time, and
// counts how many are at most.
type crowded struct {
	bank.Bank
	want int
	all  chan struct{}

	once      sync.Once
	mu        sync.Mutex
	now, most int
}

func (c *crowded) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	if !strings.Contains(key, "/packs/") {
		return c.Bank.Create(ctx, key, body, size)
	}
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	if c.now == c.want {
		c.once.Do(func() { close(c.all) })
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
	}()
	select {
	case <-c.all:
		return c.Bank.Create(ctx, key, body, size)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestPacksTravelAtTheSameTimeAndEachIsToldOnce(t *testing.T) {
	source, b := newSource(t, "key")
	const streams = 9 // each has a pack of its own, on the grid of the chunks
	for i := range streams {
		write(t, source, fmt.Sprintf("s%d", i), random(uint64(i+1), 75*4096))
	}
	// One stream of all that the others have: its packs are all wanted at once.
	var whole []byte
	for i := range streams {
		whole = append(whole, random(uint64(i+1), 75*4096)...)
	}
	write(t, source, "whole", whole)
	c := &crowded{Bank: twin(t, b), want: packsAtOnce, all: make(chan struct{})}
	target := open(t, c, "key")
	var mu sync.Mutex
	landed := map[format.Name]int{}
	before := int64(0)
	r, err := Streams(t.Context(), source, target, []Stream{{From: "whole", To: "whole"}}, Options{
		Progress: func(p Progress) {
			if p.Bytes < before {
				t.Errorf("progress went from %d back to %d", before, p.Bytes)
			}
			before = p.Bytes
		},
		Landed: func(_ context.Context, _ format.Kind, name format.Name) {
			mu.Lock()
			defer mu.Unlock()
			landed[name]++
		},
	})
	if err != nil || !r.Undecoded {
		t.Fatalf("%+v, %v", r, err)
	}
	if c.most < 2 || c.most > packsAtOnce {
		t.Errorf("%d packs were on their way at the same time", c.most)
	}
	if len(landed) != r.Packs || r.Packs < packsAtOnce {
		t.Errorf("%d packs travelled whole, %d were told", r.Packs, len(landed))
	}
	for name, n := range landed {
		if n != 1 {
			t.Errorf("%s was told %d times", name, n)
		}
	}
	expect(t, target, "whole", whole)
}
