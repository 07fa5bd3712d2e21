package contract

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ticket is a token with its end, and the login that gets the next one. A cloud
// may give out tokens that live for a minute; the suite runs for many.
type ticket struct {
	login object

	mu    sync.Mutex
	token string
	renew time.Time
}

// newTicket reads the answer to a login; nil if it tells no end.
func newTicket(login object, a *answer) *ticket {
	k := &ticket{login: login}
	if !k.read(a, time.Now()) {
		return nil
	}
	return k
}

// read takes over a token. It is renewed after half of its life, so that the
// work that it starts has the other half.
func (k *ticket) read(a *answer, now time.Time) bool {
	end, err := time.Parse(keystoneTime, a.text("token", "expires_at"))
	k.token, k.renew = a.header.Get("X-Subject-Token"), now.Add(end.Sub(now)/2)
	return err == nil && k.token != ""
}

// current gives the session's token, and a new one when the old one is getting
// on in years.
func (s *session) current(ctx context.Context) (string, error) {
	k := s.ticket
	if k == nil {
		return s.token, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if now.Before(k.renew) {
		return k.token, nil
	}
	a, err := s.stranger().try(ctx, http.MethodPost, "identity", "/auth/tokens", k.login)
	if err != nil {
		return "", fmt.Errorf("renewing the token of %s: %w", s.name, err)
	}
	if a.status != http.StatusCreated || !k.read(a, now) {
		return "", fmt.Errorf("renewing the token of %s: got %d", s.name, a.status)
	}
	return k.token, nil
}

// anew makes the session begin with a new token. Cinder writes a backup with the
// token of who asked for it, so that a token with half of its life behind it may
// end in the middle.
func (s *session) anew() *session {
	if k := s.ticket; k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.renew = time.Time{}
	}
	return s
}
