package wrap_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/wrap"
)

func TestTallyAddsUpWhatABankWasAskedSinceItWasTaken(t *testing.T) {
	var tally wrap.Tally
	clock := time.Unix(0, 0)
	now := func() time.Time {
		clock = clock.Add(time.Second) // each call takes one
		return clock
	}
	faulty := banktest.NewFaulty(banktest.NewMemory())
	b := tally.Count(faulty, now)
	for _, text := range []string{"four", "again", "other"} {
		err := b.Create(t.Context(), "a", strings.NewReader(text), int64(len(text)))
		if (err == nil) != (text == "four") {
			t.Fatal(err)
		}
	}
	r, err := b.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil || r.Close() != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(t.Context(), "b", 0, -1); karbor.KindOf(err) != karbor.NotFound {
		t.Fatal(err)
	}
	faulty.Add(banktest.Fault{Method: banktest.Stat})
	if _, err := b.Stat(t.Context(), "a"); err == nil {
		t.Fatal("no fault")
	}
	want := []wrap.Figures{
		{Method: "create", Calls: 3, Bytes: 14, Took: 3 * time.Second, Longest: time.Second},
		{Method: "get", Calls: 2, Bytes: 4, Took: 2 * time.Second, Longest: time.Second},
		{Method: "stat", Calls: 1, Failed: 1, Took: time.Second, Longest: time.Second},
	}
	if diff := cmp.Diff(want, tally.Take()); diff != "" {
		t.Error(diff)
	}
	if again := tally.Take(); again != nil {
		t.Errorf("taken twice: %v", again)
	}
}
