package openstack_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor/internal/openstack"
)

// together waits in one cohort for things that the cloud does in these times. It gives how late
// the last of them was seen, and how often the cloud was asked.
func together(t *testing.T, takes ...time.Duration) (late time.Duration, asked int) {
	t.Helper()
	var (
		cohort openstack.Cohort
		mu     sync.Mutex
		group  sync.WaitGroup
		begin  = time.Now()
		last   time.Duration
	)
	ctx := openstack.WithCohort(t.Context(), &cohort)
	for _, one := range takes {
		last = max(last, one)
		group.Go(func() {
			err := openstack.Poll(ctx, "it", 15*time.Second, func(context.Context) (bool, error) {
				mu.Lock()
				asked++
				mu.Unlock()
				return time.Since(begin) >= one, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	return time.Since(begin) - last, asked
}

// TestThoseThatAreDoneALittleLaterAreSeenSoon has the cloud be done with fifty things in a second, of
// thirty. Who of those that are done at one moment looks first is not the same in each run, nor is then
// how late the last is: mostly under a second, at times a little more.
func TestThoseThatAreDoneALittleLaterAreSeenSoon(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			all := make([]time.Duration, 50)
			for i := range all {
				all[i] = 30*time.Second + time.Duration(random.Int64N(int64(time.Second)))
			}
			if late, asked := together(t, all...); late > 3*time.Second/2 {
				t.Errorf("seed %d: the last is seen %v late, after %d questions", seed, late, asked)
			}
		})
	}
}

// TestThoseThatWaitTogetherSeeTheEndSoon has the cloud be done with fifty things at once, at any time.
func TestThoseThatWaitTogetherSeeTheEndSoon(t *testing.T) {
	const things = 50
	for seconds := 3; seconds < 300; seconds += 7 {
		synctest.Test(t, func(t *testing.T) {
			all := make([]time.Duration, things)
			for i := range all {
				all[i] = time.Duration(seconds) * time.Second
			}
			_, alone := waited(t, all[0])
			late, asked := together(t, all...)
			if late > all[0]/100 {
				t.Errorf("what takes %v is seen %v late", all[0], late)
			}
			if asked > things*alone {
				t.Errorf("for what takes %v the cloud was asked %d times, and %d times for one alone", all[0], asked, alone)
			}
		})
	}
}

// TestOneThatTakesLongDoesNotKeepOthersFromTheirEnd has one of fifty things take ten times as long as the others.
func TestOneThatTakesLongDoesNotKeepOthersFromTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			cohort openstack.Cohort
			group  sync.WaitGroup
			begin  = time.Now()
		)
		ctx := openstack.WithCohort(t.Context(), &cohort)
		for i := range 50 {
			takes := 10 * time.Second
			if i == 7 {
				takes *= 10
			}
			group.Go(func() {
				err := openstack.Poll(ctx, "it", 15*time.Second, func(context.Context) (bool, error) { return time.Since(begin) >= takes, nil })
				if late := time.Since(begin) - takes; err != nil || takes == 10*time.Second && late > 100*time.Millisecond {
					t.Errorf("what takes %v is seen %v late: %v", takes, late, err)
				}
			})
		}
		group.Wait()
	})
}

// TestWhatEndsOneByOneCostsAQuarterMoreLooksAtMost has the cloud do fifty things within a minute, in no order.
func TestWhatEndsOneByOneCostsAQuarterMoreLooksAtMost(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			all := make([]time.Duration, 50)
			apart := 0
			for i := range all {
				all[i] = time.Second + time.Duration(random.Int64N(int64(time.Minute)))
				_, one := waited(t, all[i])
				apart += one
			}
			late, asked := together(t, all...)
			if asked > apart+apart/4 {
				t.Errorf("seed %d: the cloud was asked %d times, and %d times where each waits alone", seed, asked, apart)
			}
			if late > 10*time.Second {
				t.Errorf("seed %d: the last is seen %v late", seed, late)
			}
		})
	}
}

func TestAWaitThatEndsWithItsContextWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cohort openstack.Cohort
		begin := time.Now()
		short, cancel := context.WithTimeout(openstack.WithCohort(t.Context(), &cohort), time.Second)
		defer cancel()
		ended := make(chan error)
		go func() {
			ended <- openstack.Poll(short, "it", time.Minute, func(context.Context) (bool, error) { return false, nil })
		}()
		var looks []time.Duration
		err := openstack.Poll(openstack.WithCohort(t.Context(), &cohort), "it", time.Minute, func(context.Context) (bool, error) {
			looks = append(looks, time.Since(begin))
			return len(looks) == 8, nil
		})
		if err := <-ended; err == nil {
			t.Error("a wait without an end has ended well")
		}
		if err != nil {
			t.Error(err)
		}
		for i := 2; i < len(looks); i++ {
			if looks[i]-looks[i-1] < looks[i-1]-looks[i-2] {
				t.Errorf("the looks are at %v: somebody has hurried them", looks)
			}
		}
	})
}
