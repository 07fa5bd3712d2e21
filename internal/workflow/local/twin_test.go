package local_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/internal/workflow"
	"github.com/karbor/karbor/internal/workflow/local"
)

// TestTwinsDoNotTakeTheLeaseFromEachOtherForEver runs two processes of one name, as two copies
// of a machine have, each of which begins anew when it lost the lease.
func TestTwinsDoNotTakeTheLeaseFromEachOtherForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		ctx, end := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var engines []*local.Engine
		for range 2 {
			e, err := local.New(local.Options{Journal: s.Journal(), Owner: "twin", Now: time.Now, Options: workflow.Options{
				Actions: map[string]workflow.Action{"long": func(ctx context.Context, _ *workflow.Task) error {
					select {
					case <-time.After(5 * time.Minute):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}}}})
			if err != nil {
				t.Fatal(err)
			}
			engines = append(engines, e)
			all.Go(func() {
				for ctx.Err() == nil {
					if err := e.Run(ctx); err != nil && !errors.Is(err, local.ErrFenced) {
						t.Error(err)
					}
					select {
					case <-time.After(2 * time.Second):
					case <-ctx.Done():
					}
				}
			})
			time.Sleep(10 * time.Second) // of the fake clock
		}
		if err := engines[0].Start(t.Context(), "operation", workflow.Steps{{ID: "a", Action: "long"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		d, err := engines[1].Describe(t.Context(), "operation")
		if err != nil || d.State != workflow.Succeeded {
			t.Errorf("after three times its length it is %s, %+v, %v", d.State, d.Steps, err)
		}
		end()
		all.Wait()
	})
}

func TestHowManyAreBeforeIsToldByWhoDoesNotRunThem(t *testing.T) {
	s := openStore(t)
	e, err := local.New(local.Options{Journal: s.Journal(), Owner: "api", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for _, project := range []string{"one", "other"} {
			if err := e.Start(t.Context(), fmt.Sprint(project, i), workflow.Steps{{ID: "a", Limit: "main/" + project}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Those of others are not before it.
	for i := range 3 {
		if d, err := e.Describe(t.Context(), fmt.Sprint("one", i)); err != nil || d.Before != i {
			t.Errorf("before %d are %d, %v", i, d.Before, err)
		}
	}
	if err := e.Cancel(t.Context(), "one0", ""); err != nil {
		t.Fatal(err)
	}
	if d, err := e.Describe(t.Context(), "one2"); err != nil || d.Before != 1 {
		t.Errorf("after the first was cancelled, %d are before the last, %v", d.Before, err)
	}
}
