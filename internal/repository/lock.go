package repository

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/verification"
)

const (
	// packLockers lock packs at the same time.
	packLockers = 8
	// lockRounds is how often it is looked again where the packs are: a compaction may move
	// what they hold meanwhile.
	lockRounds = 4
)

// Lock has the bank lock all packs that streams of a domain lead to, and the document of
// the domain, until a time. The streams are named by the keys of their manifests, and verified
// as with verification.Quick first: what is damaged is an error. It gives how many objects
// there are. Key slots are never locked.
func (d *Domains) Lock(ctx context.Context, domain string, manifests []string, until time.Time) (int, error) {
	u, err := d.Use(ctx, domain)
	if err != nil {
		return 0, err
	}
	defer u.Done()
	l := packLock{bank: d.options.Bank, domain: domain, until: until, locked: map[string]bool{}}
	if err := l.lock(ctx, dedup.DocumentKey(domain)); err != nil {
		return 0, err
	}
	streams := make([]verification.Stream, len(manifests))
	for i, key := range manifests {
		streams[i], _ = verification.ParseStream(key)
	}
	for range lockRounds {
		if err := u.Refresh(ctx); err != nil {
			return len(l.locked), err
		}
		state := verification.NewState()
		found, err := verification.Streams(ctx, u.Domain(), streams, verification.Options{Depth: verification.Quick, State: state, Now: d.options.Now})
		if err != nil {
			return len(l.locked), err
		}
		if !found.Good() {
			return len(l.locked), d.damaged(ctx, domain, "to be locked", found)
		}
		fresh, err := l.all(ctx, state)
		if err != nil || fresh == 0 {
			return len(l.locked), err
		}
	}
	return len(l.locked), karbor.Transientf("the packs of domain %s were moved while they were being locked", domain)
}

// packLock is the work of Lock.
type packLock struct {
	bank   bank.Bank
	domain string
	until  time.Time

	mu     sync.Mutex
	locked map[string]bool
}

// all locks the packs that are not locked yet, and gives how many those were.
func (l *packLock) all(ctx context.Context, of *verification.State) (fresh int, err error) {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(packLockers)
	of.Each(func(kind format.Kind, name format.Name) {
		key := dedup.PackKey(l.domain, kind, name)
		l.mu.Lock()
		known := l.locked[key]
		l.mu.Unlock()
		if known || within.Err() != nil {
			return
		}
		fresh++
		group.Go(func() error {
			err := l.lock(within, key)
			if err != nil && karbor.KindOf(err) == karbor.NotFound {
				return nil // it was rewritten: the next round finds where
			}
			return err
		})
	})
	return fresh, group.Wait()
}

func (l *packLock) lock(ctx context.Context, key string) error {
	if _, err := bank.Lock(ctx, l.bank, key, l.until); err != nil {
		return fmt.Errorf("locking %s: %w", key, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.locked[key] = true
	return nil
}
