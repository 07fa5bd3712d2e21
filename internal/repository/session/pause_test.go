package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// paused is a bank whose clock goes on while the local one stands still.
type paused struct {
	*banktest.Memory
	ahead time.Duration
}

func (p *paused) Now(ctx context.Context) (time.Time, error) {
	now, err := p.Memory.Now(ctx)
	return now.Add(p.ahead), err
}

// TestPausedProcessPublishesNothingInADeadSession: the machine is paused for longer than a session
// lives, and no clock of its own tells.
func TestPausedProcessPublishesNothingInADeadSession(t *testing.T) {
	for name, gone := range map[string]bool{"what it refers to is there": false, "what it refers to is gone": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &paused{Memory: banktest.NewMemory()}
				store(t, b, one)
				s := open(t, b, options())
				first := record(t, b.Memory).Session
				r := s.Begin()
				if !refer(r, one) {
					t.Fatal("it does not refer to the pack")
				}
				b.ahead = 2 * expire
				if gone {
					if err := b.Delete(t.Context(), dedup.PackKey(domain, format.Data, one)); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.Run(ctx, nil) }()
				published := ""
				err := r.While(t.Context(), func(context.Context) error {
					published = record(t, b.Memory).Session
					return nil
				})
				if gone && (published != "" || !karbor.IsTransient(err)) {
					t.Errorf("it is published: %v", err)
				}
				if !gone && (err != nil || published == "" || published == first) {
					t.Errorf("it is published by the session %q after %q: %v", published, first, err)
				}
				cancel()
				r.End(true)
				if err := errors.Join(<-ended, s.Close(t.Context())); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestPausedSessionIsNotProlonged: one that is dead by the bank's clock is begun again.
func TestPausedSessionIsNotProlonged(t *testing.T) {
	b := &paused{Memory: banktest.NewMemory()}
	s := open(t, b, options())
	first := record(t, b).Session
	b.ahead = expire
	for range 2 {
		_ = s.Renew(t.Context()) // it may find out by failing
	}
	if r := record(t, b); r.Session == first {
		t.Errorf("the session %s lives on until %v", first, r.ExpiresAt)
	}
}
