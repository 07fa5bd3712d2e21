package survey_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/checkpoint/survey"
	"github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/verification"
)

// verify verifies all of a bank, with the golden repository's key.
func verify(t testing.TB, m *banktest.Memory, depth verification.Depth) (*survey.Verified, error) {
	t.Helper()
	domains, err := repository.NewDomains(repository.Options{Bank: m, Now: func() time.Time { return later },
		Keys: []*keyring.Source{keyring.KeyFile(filepath.Join("..", "..", "..", "test", "reader", "testdata", "golden", "v1", "key"))}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := survey.Verify(t.Context(), survey.VerifyOptions{Bank: m, Checkpoints: open(t, m), Keys: domains, Depth: depth,
		Now: func() time.Time { return later }})
	return found, errors.Join(err, domains.Close(t.Context()))
}

func TestVerificationFindsWhatIsDamagedAndNothingElse(t *testing.T) {
	found, err := verify(t, golden(t), verification.Full)
	if err != nil || !found.Good() || found.Streams != 1 || len(found.Domains) != 1 || found.Domains[0].Result.Streams != 10 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, test := range []struct {
		key   string
		depth verification.Depth
		good  bool
	}{
		{firstPart, verification.Full, false}, {firstPart, verification.Quick, true}, {volume + "/data/volume/manifest", verification.Quick, false},
		{domain + "/packs/16/16ce88ba809c57d34aa53e53aeafb66b1b6327375b9a210b5bbb1b5b9e183f0f", verification.Stored, false},
	} {
		m := golden(t)
		text := []byte(m.Snapshot()[test.key])
		text[len(text)/2] ^= 0x20
		if strings.HasSuffix(test.key, "manifest") {
			text = text[1:]
		}
		put(t, m, test.key, string(text))
		found, err := verify(t, m, test.depth)
		if err != nil || found.Good() != test.good {
			t.Errorf("%s, %s: good is %v, %v", test.key, test.depth, found.Good(), err)
		}
	}
}

// TestVerificationBearsGarbage puts garbage over and between the objects: what can't be read is
// found or keeps the key from opening, and nothing panics.
func TestVerificationBearsGarbage(t *testing.T) {
	whole := golden(t)
	var keys []string
	for key := range whole.Snapshot() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	texts := []string{"", "{", "null", "[]", "{}", `{"format":"repository/1"}`, "KARBORPK", "KARBORIX\x01", strings.Repeat("\xff", 100)}
	for seed := range uint64(24) {
		random := rand.New(rand.NewPCG(seed, 0))
		m := whole.Clone()
		m.SetNow(func() time.Time { return later })
		for range 1 + random.IntN(4) {
			put(t, m, keys[random.IntN(len(keys))], texts[random.IntN(len(texts))])
		}
		depth := []verification.Depth{verification.Quick, verification.Full}[seed%2]
		_, err := verify(t, m, depth)
		// Without its format document or a slot there is nothing to verify by.
		if err != nil && karbor.KindOf(err) != karbor.Unavailable && !strings.Contains(err.Error(), "damaged") {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// endless is a bank with a great many objects that mean nothing.
type endless struct {
	bank.Bank
	number int
}

func (e endless) key(n int) string {
	return fmt.Sprintf("v1/%s/p/garbage-%09d", []string{"checkpoints", "indices", "leases", "repositories", "states", "unknown"}[n*6/e.number], n)
}

// List implements bank.Bank.
func (e endless) List(_ context.Context, prefix, marker string, limit int) ([]bank.Info, error) {
	from := max(prefix, marker)
	low, high := 0, e.number
	for low < high {
		if middle := (low + high) / 2; e.key(middle) < from {
			low = middle + 1
		} else {
			high = middle
		}
	}
	var out []bank.Info
	for n := low; n < e.number && len(out) < limit; n++ {
		key := e.key(n)
		if key <= marker {
			continue
		}
		if !strings.HasPrefix(key, prefix) {
			break
		}
		out = append(out, bank.Info{Key: key, Size: 1})
	}
	return out, nil
}

func TestAHugeListingIsBorne(t *testing.T) {
	b := endless{banktest.NewMemory(), 300_000}
	c, err := checkpoint.Open(t.Context(), b, checkpoint.Options{Now: func() time.Time { return later }})
	if err != nil {
		t.Fatal(err)
	}
	s, err := survey.Look(t.Context(), b, c, nil)
	if err != nil || len(s.Domains) != 1 {
		t.Fatalf("%d domains, %v", len(s.Domains), err)
	}
	var objects int64
	for _, a := range s.Areas {
		objects += a.Objects
	}
	if objects != 300_000 || len(s.Examples) > 5 {
		t.Errorf("%d objects, examples %q", objects, s.Examples)
	}
	notes := 0
	r, err := survey.Check(t.Context(), b, c, survey.CheckOptions{Found: func(survey.Finding) error { notes++; return nil }})
	if err != nil || r.Checkpoints != 0 || notes < 100_000 {
		t.Errorf("%+v with %d findings, %v", r, notes, err)
	}
}
