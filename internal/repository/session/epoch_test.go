package session_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/session"
)

func TestRecordThatCantBeReadLivesLong(t *testing.T) {
	b := banktest.NewMemory()
	b.SetNow(func() time.Time { return time.Unix(1e9, 0) })
	for text, alive := range map[string]bool{
		"no": true, "{}": true, `{"format":"repository/1"}`: true,
		`{"format":"repository/1","session":"00000000-0000-4000-8000-000000000000","sequence":1,"renewed_at":"2001-01-01T00:00:00Z","expires_at":"2031-01-01T00:00:00Z"}`: true,
		`{"format":"repository/1","session":"00000000-0000-4000-8000-000000000000","sequence":1,"renewed_at":"2001-01-01T00:00:00Z","expires_at":"2001-01-01T00:01:00Z"}`: false,
	} {
		if err := b.Put(t.Context(), "v1/repositories/project/sessions/00000000-0000-4000-8000-000000000000/00000001", strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
		if r := record(t, b); r.ExpiresAt.Equal(time.Unix(1e9, 0).Add(session.MaxLife)) != alive {
			t.Errorf("%s lives until %v", text, r.ExpiresAt)
		}
	}
}

// TestNewestEpochIsFound: whatever epochs there were, and whichever of them are gone, the newest
// one is found, and it is told whether one was missed.
func TestNewestEpochIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := banktest.NewMemory()
		newest := rapid.IntRange(0, 6).Draw(t, "newest")
		first := rapid.IntRange(1, max(1, newest-1)).Draw(t, "first")
		known := rapid.IntRange(0, newest).Draw(t, "known")
		for n := first; n <= newest; n++ {
			if err := session.WriteEpoch(context.Background(), b, domain, &session.Epoch{Number: n}); err != nil {
				t.Fatal(err)
			}
		}
		found, whole, err := session.NewestEpoch(context.Background(), b, domain, known)
		if err != nil {
			t.Fatal(err)
		}
		missed := newest > 0 && known+1 < first
		want := newest - max(known, first-1)
		if known > 0 && known < first {
			want = newest - first + 1
		}
		if whole == missed && len(found) > 0 || len(found) != want || len(found) > 0 && found[len(found)-1].Number != newest {
			t.Fatalf("%d to %d are there, %d is known: %d were found, whole is %v", first, newest, known, len(found), whole)
		}
	})
}

func TestDamagedEpochMattersOnlyIfItIsTheNewest(t *testing.T) {
	b := banktest.NewMemory()
	condemn(t, b, 1, set(one), set())
	text, _ := json.Marshal("no epoch")
	if err := b.Create(t.Context(), session.EpochKey(domain, 2), strings.NewReader(string(text)), int64(len(text))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := session.NewestEpoch(t.Context(), b, domain, 0); err == nil {
		t.Error("a damaged epoch is read")
	}
	condemn(t, b, 3, set(two), set())
	found, whole, err := session.NewestEpoch(t.Context(), b, domain, 1)
	if err != nil || len(found) != 1 || found[0].Number != 3 || whole {
		t.Errorf("%v, %v, %v", found, whole, err)
	}
}
