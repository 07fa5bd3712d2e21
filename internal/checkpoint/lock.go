package checkpoint

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// lockers lock objects at the same time.
const lockers = 8

// Lock has the bank lock the documents of an available checkpoint until a time: its
// description first, without which it is not deleted, its newest state, and all that lies
// under it. The data in a repository is none of them. It gives how many objects there are. A
// bank that can't lock is karbor.NotImplemented.
func (c *Checkpoints) Lock(ctx context.Context, projectID, id string, until time.Time) (int, error) {
	if err := checkIDs(projectID, id); err != nil {
		return 0, err
	}
	n, err := c.lock(ctx, projectID, id, until)
	if err != nil {
		return n, fmt.Errorf("locking checkpoint %s: %w", id, err)
	}
	return n, nil
}

func (c *Checkpoints) lock(ctx context.Context, project, id string, until time.Time) (int, error) {
	s, err := c.newest(ctx, project, id)
	switch {
	case err != nil:
		return 0, err
	case s == nil:
		return 0, notFound(id)
	case s.Status != karbor.CheckpointAvailable:
		return 0, karbor.Errorf(karbor.Conflict, "checkpoint %s is %s; only an available one is locked", id, s.Status)
	}
	locked := 0
	for _, key := range []string{descriptionKey(project, id), stateKey(project, id, s.Sequence)} {
		if _, err := bank.Lock(ctx, c.bank, key, until); err != nil {
			return locked, err
		}
		locked++
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(lockers)
	err = eachKey(ctx, c.bank, checkpointPrefix(project, id), func(key string) error {
		if within.Err() != nil || key == descriptionKey(project, id) || !bank.Lockable(key) {
			return within.Err()
		}
		locked++
		group.Go(func() error {
			_, err := bank.Lock(within, c.bank, key, until)
			return err
		})
		return nil
	})
	if groupErr := group.Wait(); groupErr != nil {
		err = groupErr
	}
	return locked, err
}
