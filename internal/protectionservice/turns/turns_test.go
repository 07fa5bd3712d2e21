package turns_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/turns"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// table is where turns lie, in memory, by the clock of the test.
type table struct {
	mu      sync.Mutex
	holder  map[string]string
	until   map[string]time.Time
	left    int
	silence error
}

func newTable() *table { return &table{holder: map[string]string{}, until: map[string]time.Time{}} }

func key(t store.Turn) string { return t.OperationID + " " + t.Name }

// fail has the table give an error from now on, or answer again.
func (b *table) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silence = err
}

func (b *table) TakeTurn(_ context.Context, t store.Turn, lasting time.Duration) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.silence != nil {
		return false, b.silence
	}
	if held := b.holder[key(t)]; held != "" && held != t.Holder && time.Now().Before(b.until[key(t)]) {
		return false, nil
	}
	b.holder[key(t)], b.until[key(t)] = t.Holder, time.Now().Add(lasting)
	return true, nil
}

func (b *table) KeepTurn(_ context.Context, t store.Turn, lasting time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.silence != nil {
		return b.silence
	}
	if b.holder[key(t)] != t.Holder {
		return karbor.Errorf(karbor.Conflict, "it is another's")
	}
	b.until[key(t)] = time.Now().Add(lasting)
	return nil
}

func (b *table) LeaveTurn(_ context.Context, t store.Turn) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left++
	if b.holder[key(t)] == t.Holder {
		delete(b.holder, key(t))
	}
	return nil
}

func keeper(rows turns.Rows) *turns.Keeper {
	return turns.New(rows, time.Now, slog.New(slog.DiscardHandler))
}

// TestHooksInSeveralProcessesAreInTurnOneAtATime is with the real store.
func TestHooksInSeveralProcessesAreInTurnOneAtATime(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "karbor.sqlite"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	a := storetest.Acceptance(karbor.Protect, storetest.NewCheckpoint("project"))
	if err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	var inside, runs atomic.Int64
	var running sync.WaitGroup
	for range 3 {
		process := keeper(s)
		for range 2 {
			running.Go(func() {
				err := process.Of(a.Operation.ID).InTurn(t.Context(), "networking", func(context.Context) error {
					if inside.Add(1) > 1 {
						t.Error("two are in turn")
					}
					runs.Add(1)
					inside.Add(-1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	running.Wait()
	if n := runs.Load(); n != 6 {
		t.Errorf("%d were in turn", n)
	}
}

func TestTurnIsKeptAsLongAsItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := newTable()
		began := time.Now()
		var running sync.WaitGroup
		running.Go(func() {
			if err := keeper(rows).Of("o").InTurn(t.Context(), "n", func(context.Context) error {
				time.Sleep(time.Hour)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if err := keeper(rows).Of("o").InTurn(t.Context(), "n", func(context.Context) error {
			if waited := time.Since(began); waited < time.Hour || waited > time.Hour+2*time.Second {
				t.Errorf("the next one is in turn after %v", waited)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
}

func TestTurnOfADeadProcessIsOverSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := newTable()
		if taken, err := rows.TakeTurn(t.Context(), store.Turn{OperationID: "o", Name: "n", Holder: "dead"}, 30*time.Second); err != nil || !taken {
			t.Fatal(taken, err)
		}
		began := time.Now()
		if err := keeper(rows).Of("o").InTurn(t.Context(), "n", func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 35*time.Second {
			t.Errorf("it took %v", waited)
		}
	})
}

func TestWhatIsDoneInTurnEndsWhenTheTurnIsLost(t *testing.T) {
	for name, lose := range map[string]func(b *table){
		"another has it": func(b *table) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.holder["o n"] = "another"
		},
		"the database does not answer": func(b *table) { b.fail(errors.New("no answer")) },
	} {
		for _, deaf := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", and the hook goes on to its end", false: ""}[deaf], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rows := newTable()
					began := time.Now()
					err := keeper(rows).Of("o").InTurn(t.Context(), "n", func(ctx context.Context) error {
						lose(rows)
						<-ctx.Done()
						if deaf {
							return nil
						}
						return ctx.Err()
					})
					if !karbor.IsTransient(err) {
						t.Errorf("it gives %v", err)
					}
					if took := time.Since(began); took > 30*time.Second {
						t.Errorf("it ends after %v, when another has the turn", took)
					}
				})
			})
		}
	}
}

func TestTurnOutlivesADatabaseThatIsAwayForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := newTable()
		err := keeper(rows).Of("o").InTurn(t.Context(), "n", func(ctx context.Context) error {
			rows.fail(errors.New("no answer"))
			time.Sleep(15 * time.Second)
			rows.fail(nil)
			time.Sleep(time.Minute)
			return ctx.Err()
		})
		if err != nil || rows.left != 1 {
			t.Errorf("it gives %v, and was given back %d times", err, rows.left)
		}
	})
}

func TestHookThatIsCancelledWhileItWaitsEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := newTable()
		if taken, err := rows.TakeTurn(t.Context(), store.Turn{OperationID: "o", Name: "n", Holder: "another"}, time.Hour); err != nil || !taken {
			t.Fatal(taken, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		began := time.Now()
		err := keeper(rows).Of("o").InTurn(ctx, "n", func(context.Context) error { return nil })
		if !errors.Is(err, context.Canceled) || time.Since(began) != 5*time.Second {
			t.Errorf("after %v it gives %v", time.Since(began), err)
		}
	})
}

// deaf is a table that takes its time to say that a turn is kept, whatever its caller's time.
type deaf struct{ *table }

func (d deaf) KeepTurn(context.Context, store.Turn, time.Duration) error {
	time.Sleep(time.Minute)
	return nil
}

func TestWhatIsDoneInTurnEndsInTimeWhereTheDatabaseHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var took time.Duration
		err := keeper(deaf{newTable()}).Of("o").InTurn(t.Context(), "n", func(ctx context.Context) error {
			<-ctx.Done()
			took = time.Since(began)
			return ctx.Err()
		})
		if !karbor.IsTransient(err) || took > 30*time.Second {
			t.Errorf("it ends after %v: %v", took, err)
		}
	})
}
