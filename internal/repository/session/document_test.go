package session_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/session"
)

// TestFlippedBitInARecordNeverEndsASession: whatever bit of it flips, the session is taken for one that
// lives and knows nothing; a shorter life or a newer epoch would let the collector go on without it.
func TestFlippedBitInARecordNeverEndsASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := banktest.NewMemory()
		condemn(t, b, 1, set(one), set())
		s := open(t, b, options())
		listed, err := session.List(t.Context(), b, domain)
		if err != nil || len(listed) != 1 {
			t.Fatal(listed, err)
		}
		for _, l := range listed {
			text := []byte(b.Snapshot()[l.Newest.Key])
			for i := range text {
				for bit := range 8 {
					changed := bytes.Clone(text)
					changed[i] ^= 1 << bit
					if err := b.Put(t.Context(), l.Newest.Key, bytes.NewReader(changed), int64(len(changed))); err != nil {
						t.Fatal(err)
					}
					r, err := l.Read(t.Context(), b, domain)
					if err != nil || r.Epoch != 0 || !r.ExpiresAt.Equal(l.Newest.ModTime.Add(session.MaxLife)) {
						t.Fatalf("bit %d of byte %d: %+v, %v", bit, i, r, err)
					}
				}
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestFlippedBitInAnEpochIsDamage(t *testing.T) {
	b := banktest.NewMemory()
	e := &session.Epoch{Number: 1, Condemned: set(one, two), Gone: set(two), CreatedAt: time.Unix(1e9, 0)}
	if err := session.WriteEpoch(t.Context(), b, domain, e); err != nil {
		t.Fatal(err)
	}
	key := session.EpochKey(domain, 1)
	text := []byte(b.Snapshot()[key])
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if err := b.Put(t.Context(), key, bytes.NewReader(changed), int64(len(changed))); err != nil {
			t.Fatal(err)
		}
		if e, err := session.ReadEpoch(t.Context(), b, domain, 1); err == nil {
			t.Errorf("byte %d: %+v", i, e)
		}
	}
}

func TestSessionIsRefusedWhereMoreIsAskedOfWriters(t *testing.T) {
	b := banktest.NewMemory()
	if err := b.Create(t.Context(), "v1/repositories/"+domain+"/requires/writers/extents", strings.NewReader("{}"), 2); err != nil {
		t.Fatal(err)
	}
	_, err := session.Open(t.Context(), b, domain, options())
	if karbor.KindOf(err) != karbor.NotImplemented || !strings.Contains(err.Error(), "extents") {
		t.Errorf("got %v", err)
	}
	if listed, err := session.List(t.Context(), b, domain); err != nil || len(listed) != 0 {
		t.Errorf("what it began is left: %v, %v", listed, err)
	}
}
