package admission

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// visit comes for a place, works for a time, and says how it went.
func visit(t *testing.T, p *Places, project string, work time.Duration) <-chan error {
	t.Helper()
	out := make(chan error, 1)
	go func() {
		place, err := p.Enter(t.Context(), project)
		if err == nil {
			time.Sleep(work)
			place.Leave()
		}
		out <- err
	}()
	synctest.Wait()
	return out
}

func count(results []<-chan error) (served, refused int) {
	for _, r := range results {
		if err := <-r; err == nil {
			served++
		} else if errors.Is(err, ErrBusy) {
			refused++
		}
	}
	return served, refused
}

// empty fails if anything is left.
func empty(t *testing.T, p *Places) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken != 0 || len(p.queue) != 0 || len(p.working) != 0 {
		t.Errorf("%d places are taken, %d wait, %v", p.taken, len(p.queue), p.working)
	}
}

func TestWhoWaitsForAHangingDiskIsNotTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Places: 4, Now: time.Now})
		var results []<-chan error
		for range 40 { // for a second and a half
			results = append(results, visit(t, p, "a", 300*time.Millisecond))
			time.Sleep(75 * time.Millisecond / 2)
		}
		if served, refused := count(results); served != 40 {
			t.Errorf("%d were served, %d refused", served, refused)
		}
		empty(t, p)
	})
}

func TestClientsThatWaitForTheirAnswersAreNotTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Places: 2, Now: time.Now})
		var clients sync.WaitGroup
		for range 16 {
			clients.Go(func() {
				for range 200 {
					place, err := p.Enter(t.Context(), "a")
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(3 * time.Millisecond)
					place.Leave()
				}
			})
		}
		clients.Wait()
		empty(t, p)
	})
}

func TestBurstIsServedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Places: 4, Now: time.Now})
		var results []<-chan error
		for range 400 {
			results = append(results, visit(t, p, "a", 10*time.Millisecond))
		}
		if served, refused := count(results); served != 400 {
			t.Errorf("%d were served, %d refused", served, refused)
		}
		empty(t, p)
	})
}

func TestWhoIsServedInALastingOverloadHasNotWaitedLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 400 a second can be served, and 800 come.
		p := New(Options{Places: 4, Now: time.Now})
		type result struct {
			waited time.Duration
			err    error
		}
		var results []chan result
		for range 8000 {
			out, began := make(chan result, 1), time.Now()
			go func() {
				place, err := p.Enter(t.Context(), "a")
				out <- result{time.Since(began), err}
				if err == nil {
					time.Sleep(10 * time.Millisecond)
					place.Leave()
				}
			}()
			results = append(results, out)
			time.Sleep(time.Second / 800)
		}
		served, late := 0, time.Duration(0)
		for i, out := range results {
			r := <-out
			if r.err == nil {
				served++
			}
			if i > 800 && r.err == nil { // the first second is that of the burst
				late = max(late, r.waited)
			}
		}
		if served < 3900 || served > 4300 {
			t.Errorf("%d of 8000 were served; there is room for 4000", served)
		}
		if late > 6*time.Millisecond { // one leaves every 2.5 ms
			t.Errorf("one was served that had waited for %v", late)
		}
		time.Sleep(time.Second)
		empty(t, p)
		if _, err := p.Enter(t.Context(), "a"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestProjectThatAsksForMuchTakesNothingFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Places: 4, Now: time.Now})
		var greedy, modest []<-chan error
		for i := range 4000 {
			greedy = append(greedy, visit(t, p, "greedy", 2*time.Millisecond))
			if i%40 == 0 {
				modest = append(modest, visit(t, p, "modest", 2*time.Millisecond))
			}
			time.Sleep(time.Millisecond / 4)
		}
		if served, refused := count(modest); refused > 0 || served != 100 {
			t.Errorf("of the modest %d were served, %d refused", served, refused)
		}
		if _, refused := count(greedy); refused < 2000 {
			t.Errorf("of the greedy only %d were refused", refused)
		}
		empty(t, p)
	})
}

func TestWhoWaitsForTheCloudHasNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Places: 1, Now: time.Now})
		place, err := p.Enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		goOn := place.Rest()
		if err := <-visit(t, p, "b", time.Minute); err != nil {
			t.Errorf("while it rests: %v", err)
		}
		goOn()
		if err := <-visit(t, p, "b", 0); !errors.Is(err, ErrBusy) {
			t.Errorf("while it works: %v", err)
		}
		place.Leave()
		empty(t, p)
	})
}

func TestWhoGivesUpKeepsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Places: 1, Now: time.Now})
		place, err := p.Enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := p.Enter(ctx, "b")
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		place.Leave()
		empty(t, p)
	})
}

func TestPlacesAreNeverMoreThanThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Places: 3, Wait: 20 * time.Millisecond, Busy: 10 * time.Millisecond, Moment: time.Millisecond, Now: time.Now})
		var most []int
		done := make(chan struct{})
		for i := range 500 {
			go func() {
				defer func() { done <- struct{}{} }()
				time.Sleep(time.Duration(i*7919%400) * time.Millisecond)
				place, err := p.Enter(t.Context(), string(rune('a'+i%5)))
				if err != nil {
					return
				}
				p.mu.Lock()
				most = append(most, p.taken)
				p.mu.Unlock()
				time.Sleep(time.Duration(i%9) * time.Millisecond)
				place.Leave()
			}()
		}
		for range 500 {
			<-done
		}
		if slices.Max(most) != 3 {
			t.Errorf("%d were at work at a time", slices.Max(most))
		}
		empty(t, p)
	})
}
