package verification_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/session"
	"github.com/karbor/karbor/internal/repository/verification"
)

// Writers, deletions and the collector are at work while a domain is verified: what is not
// damaged is not taken for it.
func TestWhatMovesIsNotTakenForDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		verification.NewDomain(t, b)
		times := session.Options{Now: time.Now, Expire: time.Minute, Margin: 5 * time.Second}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			defer cancel()
			if err := churn(ctx, t, b, times); err != nil {
				t.Error(err)
			}
		})
		running.Go(func() {
			collector, err := collection.New(verification.Reopen(t, b), collection.Options{Times: times})
			for err == nil {
				if _, err = collector.Collect(ctx, nil); err == nil {
					time.Sleep(time.Second)
				}
			}
			if ctx.Err() == nil {
				t.Error(err)
			}
		})
		verified, streams := 0, 0
		d := verification.Reopen(t, slow{b})
		for ctx.Err() == nil {
			r, err := verification.Domain(t.Context(), d, "", verification.Options{Workers: 2, Now: time.Now})
			if err != nil || !r.Good() {
				t.Errorf("verification %d: %+v, %v", verified, r, err)
				cancel()
				break
			}
			verified++
			streams += r.Streams
			time.Sleep(7 * time.Second)
		}
		running.Wait()
		if !t.Failed() && (verified < 5 || streams < 20) {
			t.Errorf("only %d verifications of %d streams", verified, streams)
		}
	})
}

// slow is a bank that takes its time to read.
type slow struct{ *banktest.Memory }

func (s slow) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	time.Sleep(time.Second)
	return s.Memory.Get(ctx, key, offset, length)
}

// alive is how many streams later one is deleted.
const alive = 12

// churn writes streams that share most, and deletes most of them again.
func churn(ctx context.Context, t *testing.T, b *banktest.Memory, times session.Options) error {
	s, err := session.Open(ctx, b, verification.Project, times)
	if err != nil {
		return err
	}
	renewing, stop := context.WithCancel(ctx)
	var renewal sync.WaitGroup
	renewal.Go(func() { _ = s.Run(renewing, func(err error) { t.Error(err) }) })
	d, err := verification.Reopen(t, b).In(ctx, s)
	for i := 0; i < 150 && err == nil; i++ {
		if err = writeOne(ctx, d, i); err == nil && i%4 != 0 && i >= alive {
			err = b.Delete(ctx, verification.ManifestOf(i-alive, 1))
		}
		time.Sleep(7 * time.Second)
	}
	stop()
	renewal.Wait()
	return errors.Join(err, s.Close(ctx))
}

func writeOne(ctx context.Context, d *dedup.Domain, i int) error {
	w, err := d.Writer(ctx)
	if err != nil {
		return err
	}
	for part := range 4 {
		seed := i/5 + part
		if part == 0 {
			seed = 1000 + i // nobody else has it
		}
		if _, err := w.Write(verification.Random(uint64(seed), 200<<10)); err != nil {
			w.Abort()
			return fmt.Errorf("stream %d: %w", i, err)
		}
	}
	_, err = w.Commit(ctx, verification.ManifestOf(i, 1))
	return err
}
