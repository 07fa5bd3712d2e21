package collection_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/session"
)

// spoilEpoch changes a bit of an epoch.
func spoilEpoch(t *testing.T, b *banktest.Memory, n int) {
	t.Helper()
	key := session.EpochKey(domain, n)
	text := b.Snapshot()[key]
	if text == "" {
		t.Fatalf("there is no epoch %d", n)
	}
	put(t, b, key, strings.Replace(text, `"epoch"`, `"epoci"`, 1))
}

// TestCollectionReplacesADamagedEpoch: a writer that knows the epoch lives on with an index that tells
// of what was deleted; others can't begin until the next collection.
func TestCollectionReplacesADamagedEpoch(t *testing.T) {
	for name, clean := range map[string]bool{"its collection came to its end": true, "its collection was broken off": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, b := newDomain(t)
				write(t, d, manifestOf(domain, 1), 1, 2)
				write(t, d, manifestOf(domain, 2), 3, 4)
				knows, err := session.Open(t.Context(), b, domain, times())
				if err != nil {
					t.Fatal(err)
				}
				writer := open(t, b, nil)
				if writer, err = writer.In(t.Context(), knows); err != nil {
					t.Fatal(err)
				}
				remove(t, b, manifestOf(domain, 1))
				c, err := collection.New(open(t, b, nil), collection.Options{Times: times()})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				r, err := c.Collect(ctx, func(p collection.Progress) {
					switch p.Phase {
					case collection.Waiting:
						if err := knows.Renew(t.Context()); err != nil {
							t.Error(err)
						}
					case collection.Indexing:
						if !clean {
							cancel()
						}
					default:
					}
				})
				cancel()
				if clean != (err == nil) || r.Deleted != 2 || r.Epoch != 1 {
					t.Fatalf("%+v, %v", r, err)
				}
				spoilEpoch(t, b, 1)
				if _, err := session.Open(t.Context(), b, domain, times()); !karbor.IsTransient(err) || !strings.Contains(err.Error(), session.EpochKey(domain, 1)) {
					t.Errorf("a session beside a damaged epoch: %v", err)
				}
				if _, err := collect(t, open(t, b, nil), collection.Options{DryRun: true}); err != nil {
					t.Errorf("dry run: %v", err)
				}
				write(t, writer, manifestOf(domain, 3), 1, 3) // it knows what is condemned
				if c, err = collection.New(open(t, b, nil), collection.Options{Times: times()}); err != nil {
					t.Fatal(err)
				}
				if err := c.Mend(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := knows.Renew(t.Context()); err != nil {
					t.Fatal(err)
				}
				write(t, writer, manifestOf(domain, 4), 2, 4)
				remove(t, b, manifestOf(domain, 2))
				time.Sleep(time.Second)
				r, err = collect(t, open(t, b, nil), collection.Options{})
				if err != nil || r.Epoch != 3 {
					t.Errorf("%+v, %v", r, err)
				}
				for key, of := range map[string][]int{manifestOf(domain, 3): {1, 3}, manifestOf(domain, 4): {2, 4}} {
					if err := reads(t, open(t, b, nil), key, of...); err != nil {
						t.Errorf("%s: %v", key, err)
					}
				}
				if s, err := session.Open(t.Context(), b, domain, times()); err != nil || s.Close(t.Context()) != nil {
					t.Errorf("a session afterwards: %v", err)
				}
				if err := knows.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// jumping is a bank whose clock may go ahead of the local one.
type jumping struct {
	*banktest.Memory
	ahead time.Duration
}

func (j *jumping) Now(ctx context.Context) (time.Time, error) {
	now, err := j.Memory.Now(ctx)
	return now.Add(j.ahead), err
}

// TestPausedCollectorDeletesNothing: its machine is paused for longer than its lease lives, and no
// clock of its own tells.
func TestPausedCollectorDeletesNothing(t *testing.T) {
	d, memory := newDomain(t)
	write(t, d, manifestOf(domain, 1), 1, 2)
	remove(t, memory, manifestOf(domain, 1))
	b := &jumping{Memory: memory}
	c, err := collection.New(open(t, b, nil), collection.Options{Times: times()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Collect(t.Context(), func(p collection.Progress) {
		if p.Phase == collection.MarkingAgain || p.Phase == collection.Waiting {
			b.ahead = 2 * expire
		}
	})
	if err == nil || r.Deleted != 0 || len(packs(memory)) != 2 {
		t.Errorf("%+v, %v, %d packs are left", r, err, len(packs(memory)))
	}
	if r, err = c.Collect(t.Context(), nil); err != nil || r.Deleted != 2 {
		t.Errorf("again: %+v, %v", r, err)
	}
}
