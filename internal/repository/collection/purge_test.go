package collection_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/collection"
	"github.com/karbor/karbor/internal/repository/session"
)

func purge(t *testing.T, b *banktest.Memory, o collection.PurgeOptions) (collection.Purged, error) {
	t.Helper()
	o.Times = times()
	return collection.Purge(t.Context(), b, domain, o)
}

// TestPurgeOfAShreddedDomainLeavesWhatTellsOfIt, and nothing goes before it is sure that nobody needs it.
func TestPurgeOfAShreddedDomainLeavesWhatTellsOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		write(t, d, manifestOf(domain, 1), 1, 2, 3)
		write(t, d, manifestOf("tenant-2", 2), 4)
		prefix := "v1/repositories/" + domain + "/"
		before := len(b.Snapshot())
		refused := func(why string) {
			t.Helper()
			if _, err := purge(t, b, collection.PurgeOptions{}); karbor.KindOf(err) != karbor.Conflict || len(b.Snapshot()) < before {
				t.Errorf("%s: %v, %d objects", why, err, len(b.Snapshot()))
			}
		}
		put(t, b, prefix+"receipts/10000000-0000-4000-8000-000000000001", "{}")
		put(t, b, prefix+"slots/10000000-0000-4000-8000-000000000002", "{}")
		refused("there is a slot")
		remove(t, b, prefix+"slots/10000000-0000-4000-8000-000000000002")
		remove(t, b, prefix+"receipts/10000000-0000-4000-8000-000000000001")
		refused("there is no receipt")
		put(t, b, prefix+"receipts/10000000-0000-4000-8000-000000000001", "{}")
		if _, err := session.Open(t.Context(), b, domain, times()); err != nil {
			t.Fatal(err)
		}
		refused("there is a session")
		time.Sleep(expire)
		all := len(b.Snapshot())
		would, err := purge(t, b, collection.PurgeOptions{DryRun: true})
		if err != nil || len(b.Snapshot()) != all || would.Objects == 0 {
			t.Errorf("dry run: %+v, %v", would, err)
		}
		got, err := purge(t, b, collection.PurgeOptions{})
		if err != nil || got != would {
			t.Errorf("%+v, %v, want %+v", got, err, would)
		}
		var left []string
		for key := range b.Snapshot() {
			if rest, ours := strings.CutPrefix(key, prefix); ours && !strings.HasPrefix(rest, "collectors/") {
				left = append(left, rest)
			}
		}
		slices.Sort(left)
		if diff := cmp.Diff([]string{"format", "receipts/10000000-0000-4000-8000-000000000001"}, left); diff != "" {
			t.Error(diff)
		}
		if n := len(b.Snapshot()); n != all-got.Objects+2 {
			t.Errorf("%d objects are left of %d", n, all)
		}
	})
}

func TestPurgeLeavesWhatTheBankHasLockedForLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, b := newDomain(t)
		write(t, d, manifestOf(domain, 1), 1, 2, 3)
		b.SetLocks(time.Hour)
		var pack string
		for key := range b.Snapshot() {
			if strings.Contains(key, "/packs/") {
				pack = key
			}
		}
		if _, err := b.Lock(t.Context(), pack, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		put(t, b, "v1/repositories/"+domain+"/receipts/10000000-0000-4000-8000-000000000001", "{}")
		got, err := purge(t, b, collection.PurgeOptions{})
		if err != nil || got.Locked != 1 || got.Objects == 0 || b.Snapshot()[pack] == "" {
			t.Errorf("%+v, %v", got, err)
		}
		time.Sleep(2 * time.Hour)
		if got, err = purge(t, b, collection.PurgeOptions{}); err != nil || got.Locked != 0 || b.Snapshot()[pack] != "" {
			t.Errorf("when the lock is over: %+v, %v", got, err)
		}
	})
}
