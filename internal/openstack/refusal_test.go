package openstack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
)

// lent gives a session by a trust whose user then loses what the trust was made with, and the
// cloud that has both.
func lent(t *testing.T) (*fakeCloud, karbor.Cloud) {
	t.Helper()
	f := newFakeCloud(t)
	a := f.authority()
	d, err := a.Delegate(t.Context(), f.identity(a), 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Resume(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	f.compute = func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusServiceUnavailable, map[string]any{
			"message": middlewareDoubt + ".<br /><br />\n\n\n", "code": "503 Service Unavailable", "title": "Service Unavailable",
		})
	}
	return f, c
}

// forbid has Keystone give no tokens for trusts.
func (f *fakeCloud) forbid(status int) {
	f.setHook(func(w http.ResponseWriter, r *http.Request, body map[string]any) bool {
		auth, _ := body["auth"].(map[string]any)
		scope, _ := auth["scope"].(map[string]any)
		if r.Method != http.MethodPost || scope["OS-TRUST:trust"] == nil {
			return false
		}
		reply(w, status, map[string]any{"error": map[string]any{"message": "Trustor is disabled."}})
		return true
	})
}

func TestAServiceThatCanNotValidateTheTokenOfARefusedTrustIsNotAway(t *testing.T) {
	f, c := lent(t)
	f.forbid(http.StatusForbidden)
	err := ask(t, c)
	if karbor.KindOf(err) != karbor.Unauthorized || karbor.IsTransient(err) || !strings.Contains(err.Error(), "its user is disabled or has lost a role") {
		t.Errorf("got %v of kind %d, transient %v", err, karbor.KindOf(err), karbor.IsTransient(err))
	}
	noSecrets(t, err)
}

// trustTokens is how many tokens for trusts Keystone was asked for.
func (f *fakeCloud) trustTokens() int {
	n := 0
	for _, s := range f.lines("POST /v3/auth/tokens") {
		auth, _ := s.body["auth"].(map[string]any)
		if scope, _ := auth["scope"].(map[string]any); scope["OS-TRUST:trust"] != nil {
			n++
		}
	}
	return n
}

func TestKeystoneIsAskedOnceInAWhileOfATrustThatAServiceDoubts(t *testing.T) {
	for status, kind := range map[int]karbor.Kind{http.StatusCreated: karbor.Unavailable, http.StatusForbidden: karbor.Unauthorized} {
		f, c := lent(t)
		if status != http.StatusCreated {
			f.forbid(status)
		}
		for round := range 3 {
			before := f.trustTokens()
			for range 5 {
				if err := ask(t, c); err == nil || karbor.KindOf(err) != kind {
					t.Errorf("%d: got %v", status, err)
				}
				f.clock.pass(answerLife / 6)
			}
			if n := f.trustTokens() - before; n != 1 {
				t.Errorf("%d, round %d: %d tokens were asked for", status, round, n)
			}
			f.clock.pass(answerLife / 6)
		}
	}
}

func TestThatKeystoneIsAwayIsNoAnswer(t *testing.T) {
	f, c := lent(t)
	f.forbid(http.StatusServiceUnavailable)
	_ = ask(t, c)
	f.forbid(http.StatusForbidden)
	if err := ask(t, c); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("got %v", err)
	}
}

func TestAServiceThatCanNotReachKeystoneIsAway(t *testing.T) {
	f, c := lent(t)
	away := func(what string) {
		t.Helper()
		if err := ask(t, c); karbor.KindOf(err) != karbor.Unavailable || !karbor.IsTransient(err) {
			t.Errorf("%s: got %v of kind %d", what, err, karbor.KindOf(err))
		}
	}
	away("the trust is good")
	f.forbid(http.StatusServiceUnavailable)
	away("Keystone is away, too")
	f.forbid(http.StatusForbidden)
	f.compute = func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusServiceUnavailable, map[string]any{"message": "The server is being maintained."})
	}
	away("the service itself is")
}

func TestATokenThatKeystoneForbidsToLookUpIsNotValid(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ map[string]any) bool {
		if r.Method != http.MethodGet {
			return false
		}
		reply(w, http.StatusForbidden, map[string]any{"error": map[string]any{"message": "Trustor is disabled."}})
		return true
	})
	if _, err := a.Validate(t.Context(), "alice-own"); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("got %v of kind %d", err, karbor.KindOf(err))
	}
}
