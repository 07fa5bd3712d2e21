package openstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

func TestMicroversionIsTheWantedOrTheNearestOffered(t *testing.T) {
	span := func(low, high string) versionRange {
		return versionRange{parseMicroversion(low), parseMicroversion(high)}
	}
	for _, test := range []struct {
		offered versionRange
		want    string
	}{
		{span("2.1", "2.93"), "2.79"}, {span("2.1", "2.79"), "2.79"}, {span("2.1", "2.60"), "2.60"},
		{span("2.90", "2.100"), "2.90"}, {versionRange{}, ""},
	} {
		if got := test.offered.choose("2.79"); got != test.want {
			t.Errorf("of %v to %v, %q is chosen, not %q", test.offered.lowest, test.offered.highest, got, test.want)
		}
	}
}

func TestMicroversionThatIsNotOfferedIsAnError(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	c := a.Session(f.identity(a))
	for version, offered := range map[string]bool{"2.90": true, "2.93": true, "2.94": false} {
		client, err := ComputeFrom(t.Context(), c, version)
		if offered && (err != nil || client.Microversion != version) || !offered && karbor.KindOf(err) != karbor.NotImplemented {
			t.Errorf("asking for %s gave %v, %v", version, client, err)
		}
	}
}

func TestVersionsAreAskedOnceAndMayBeMissing(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	c := a.Session(f.identity(a))
	for range 3 {
		if client, err := Compute(t.Context(), c); err != nil || client.Microversion != "2.79" {
			t.Fatal(client, err)
		}
	}
	if n := len(f.lines("GET /compute/v2.1/")); n != 1 {
		t.Errorf("the versions were asked for %d times", n)
	}
	b := f.authority()
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ map[string]any) bool {
		if r.URL.Path == "/compute/v2.1/" {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	if client, err := Compute(t.Context(), b.Session(f.identity(b))); err != nil || client.Microversion != "" {
		t.Error(client, err)
	}
}

func TestMissingServiceAndForeignSessionAreErrors(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	if _, err := Image(t.Context(), a.Session(f.identity(a))); karbor.KindOf(err) != karbor.NotImplemented {
		t.Errorf("without an image service: %v", err)
	}
	b := f.authority(func(o *Options) { o.Region = "RegionTwo" })
	if _, err := Compute(t.Context(), b.Session(f.identity(b))); karbor.KindOf(err) != karbor.NotImplemented {
		t.Errorf("in another region: %v", err)
	}
	if _, err := Compute(t.Context(), nil); err == nil {
		t.Error("a nil session has a client")
	}
}

func TestCollectWalksAllPagesOnceAndStopsAtTheLimit(t *testing.T) {
	all := make([]string, 1234)
	for i := range all {
		all[i] = fmt.Sprintf("%05d", i)
	}
	page := func(_ context.Context, marker string, limit int) ([]string, bool, error) {
		from, found := slices.BinarySearch(all, marker)
		if found {
			from++
		}
		to := min(len(all), from+min(limit, 100)) // the cloud's own maximum
		return all[from:to], to < len(all), nil
	}
	same := func(s string) string { return s }
	even := func(s string) (string, bool) { return s, (s[4]-'0')%2 == 0 }
	whole, err := Collect(t.Context(), "", 0, page, same, even)
	if err != nil || len(whole) != 617 {
		t.Fatal(len(whole), err)
	}
	var parts []string
	for marker := ""; ; marker = parts[len(parts)-1] {
		part, err := Collect(t.Context(), marker, 70, page, same, even)
		if err != nil || len(part) > 70 {
			t.Fatal(len(part), err)
		}
		if len(part) == 0 {
			break
		}
		parts = append(parts, part...)
	}
	if d := cmp.Diff(whole, parts); d != "" {
		t.Error(d)
	}
	endless := func(context.Context, string, int) ([]string, bool, error) { return []string{"x0001"}, true, nil }
	if _, err := Collect(t.Context(), "", 0, endless, same, even); karbor.KindOf(err) != karbor.OverLimit {
		t.Errorf("an endless list: %v", err)
	}
}

// TestCollectGivesEachThingOnce has the cloud's pages shift while they are read.
func TestCollectGivesEachThingOnce(t *testing.T) {
	pages := [][]string{{"a", "b", "c"}, {"c", "d", "d"}, {"b", "e"}}
	page := func(context.Context, string, int) ([]string, bool, error) {
		now := pages[0]
		pages = pages[1:]
		return now, len(pages) > 0, nil
	}
	same := func(s string) string { return s }
	all, err := Collect(t.Context(), "", 0, page, same, func(s string) (string, bool) { return s, true })
	if d := cmp.Diff([]string{"a", "b", "c", "d", "e"}, all); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestCacheKeepsTheLastUsedAndForgetsTheOld(t *testing.T) {
	c := &clock{at: start}
	k := newCache[int, string](2, c.now)
	k.put(1, "a", start.Add(time.Hour))
	k.put(2, "b", start.Add(time.Minute))
	k.get(1)
	k.put(3, "c", start.Add(time.Hour))
	if _, ok := k.get(2); ok {
		t.Error("the one not used for the longest is still there")
	}
	if v, ok := k.get(1); !ok || v != "a" {
		t.Error("the one just used is gone")
	}
	k.put(1, "d", start.Add(time.Minute))
	c.pass(time.Minute)
	if _, ok := k.get(1); ok {
		t.Error("an old one is still there")
	}
	if k.remove(3); k.order.Len() != 0 || len(k.byKey) != 0 {
		t.Error("something is left")
	}
}

func TestWaitersGoOnWhenTheLeaderGivesUp(t *testing.T) {
	var f flights[string, int]
	ctx, giveUp := context.WithCancel(t.Context())
	leading, ended := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ended)
		_, err := f.do(ctx, "k", func(ctx context.Context) (int, error) {
			close(leading)
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-leading
	wg.Go(func() {
		if v, err := f.do(t.Context(), "k", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
			t.Error(v, err)
		}
	})
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.do(late, "k", func(context.Context) (int, error) { return 0, errors.New("led") }); err == nil {
		t.Error("a caller whose context has ended got a result")
	}
	giveUp()
	wg.Wait()
}
