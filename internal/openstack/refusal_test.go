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
	f.compute = doubting
	return f, c
}

// doubting is a service that can't have a token validated.
func doubting(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusServiceUnavailable, map[string]any{
		"message": middlewareDoubt + ".<br /><br />\n\n\n", "code": "503 Service Unavailable", "title": "Service Unavailable",
	})
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
	away := func() {
		t.Helper()
		if err := ask(t, c); karbor.KindOf(err) != karbor.Unavailable || !karbor.IsTransient(err) {
			t.Errorf("got %v", err)
		}
	}
	away()
	before := f.trustTokens()
	for range 5 {
		away()
	}
	if n := f.trustTokens() - before; n != 0 {
		t.Errorf("in the same moment %d tokens more were asked for", n)
	}
	f.clock.pass(silenceLife)
	f.forbid(http.StatusForbidden)
	if err := ask(t, c); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("got %v", err)
	}
}

func TestATokenThatLayThereIsNoAnswerOfKeystones(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	who := f.identity(a)
	d, err := a.Delegate(t.Context(), who, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Resume(t.Context(), d); err != nil { // an earlier session of this delegation
		t.Fatal(err)
	}
	c := a.Prefer(d, who)
	f.compute = doubting
	f.forbid(http.StatusForbidden)
	before := f.trustTokens()
	if err := ask(t, c); !karbor.IsTransient(err) {
		t.Errorf("of the user's own token: %v", err)
	}
	for range 3 {
		if err := ask(t, c); karbor.KindOf(err) != karbor.Unauthorized {
			t.Errorf("of the one that lay there: %v", err)
		}
	}
	if n := f.trustTokens() - before; n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
}

func TestARefusalIsNotHeldAgainstATokenThatKeystoneGaveSince(t *testing.T) {
	f, c := lent(t)
	f.forbid(http.StatusForbidden)
	if err := ask(t, c); karbor.KindOf(err) != karbor.Unauthorized {
		t.Fatalf("while the role is lost: %v", err)
	}
	f.setHook(nil) // the role is given back
	first := true
	f.compute = func(w http.ResponseWriter, r *http.Request) {
		if first {
			first = false
			reply(w, http.StatusUnauthorized, map[string]any{})
			return
		}
		doubting(w, r) // the service can't reach Keystone for a moment
	}
	for range 3 {
		if err := ask(t, c); karbor.KindOf(err) != karbor.Unavailable || !karbor.IsTransient(err) {
			t.Errorf("with the new token: %v", err)
		}
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
