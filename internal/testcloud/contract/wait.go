package contract

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// until looks at path until the value at where is want, and gives the last
// answer. On the way only the values of way may show up.
func (s *session) until(t *testing.T, service, path string, where []any, want string, way ...string) *answer {
	t.Helper()
	end := time.Now().Add(s.Wait)
	for {
		a := s.get(t, service, path).want(t, http.StatusOK)
		got := a.text(where...)
		if got == want {
			return a
		}
		if !slices.Contains(way, got) {
			t.Fatalf("%s: the state is %q, want %q, and on the way only %q: %.800s", a.what, got, want, way, a.body)
		}
		if time.Now().After(end) {
			t.Fatalf("%s: the state is still %q after %v, want %q", a.what, got, s.Wait, want)
		}
		time.Sleep(s.Pause)
	}
}

// untilGone looks at path until it gives 404; before, only the states of way
// may show up.
func (s *session) untilGone(t *testing.T, service, path string, where []any, way ...string) {
	t.Helper()
	end := time.Now().Add(s.Wait)
	for {
		a := s.get(t, service, path).want(t, http.StatusOK, http.StatusNotFound)
		if a.status == http.StatusNotFound {
			return
		}
		if got := a.text(where...); !slices.Contains(way, got) {
			t.Fatalf("%s: the state is %q on its way to be gone, want one of %q", a.what, got, way)
		}
		if time.Now().After(end) {
			t.Fatalf("%s: still there after %v", a.what, s.Wait)
		}
		time.Sleep(s.Pause)
	}
}

// eventually tries check until it is true.
func (s *session) eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(s.Wait); !check(); time.Sleep(s.Pause) {
		if time.Now().After(end) {
			t.Fatalf("still not so after %v: %s", s.Wait, what)
		}
	}
}
