package openstack

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

// ask sends one request to the compute service as c, and explains its error.
func ask(t *testing.T, c karbor.Cloud) error {
	t.Helper()
	client, err := Compute(t.Context(), c)
	if err != nil {
		return err
	}
	_, err = client.Get(t.Context(), client.ServiceURL("thing"), nil, nil)
	return Explain(err, "asking for a thing")
}

func TestTenantSessionUsesOnlyItsOwnToken(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	c := a.Session(f.identity(a))
	if c.ProjectID() != "alpha-id" || c.UserID() != "alice-id" {
		t.Errorf("acts in project %s as %s", c.ProjectID(), c.UserID())
	}
	if err := ask(t, c); err != nil {
		t.Fatal(err)
	}
	f.remove("alice-own")
	err := ask(t, c)
	if karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("with an ended token: %v", err)
	}
	noSecrets(t, err)
	for _, s := range append(f.lines("GET /compute"), f.lines("GET /v3/auth/catalog")...) {
		if s.token != "alice-own" {
			t.Errorf("%s went out with the token %s", s.line, s.token)
		}
	}
}

func TestRequestsCarryAgentMicroversionAndRequestID(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	c := a.Session(f.identity(a))
	ctx := WithRequestID(t.Context(), "req-01234567-89ab-cdef-0123-456789abcdef")
	client, err := Compute(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(ctx, client.ServiceURL("thing"), nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(WithRequestID(ctx, "evil\r\nheader"), client.ServiceURL("plain"), nil, nil); err != nil {
		t.Fatal(err)
	}
	got := f.lines("GET /compute/v2.1/thing")[0].header
	for name, want := range map[string]string{
		"User-Agent": "karbor", "X-Openstack-Nova-Api-Version": "2.79",
		"X-Openstack-Request-Id": "req-01234567-89ab-cdef-0123-456789abcdef",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, not %q", name, got.Get(name), want)
		}
	}
	if id := f.lines("GET /compute/v2.1/plain")[0].header.Get("X-Openstack-Request-Id"); id != "" {
		t.Errorf("a bad request id went out: %q", id)
	}
}

func TestDelegateMakesATrustWithTheCallersRoles(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	id := f.identity(a)
	d, err := a.DelegateUntil(t.Context(), id, start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	want := Delegation{TrustID: "trust-1", ProjectID: "alpha-id", UserID: "alice-id", ExpiresAt: start.Add(time.Hour)}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	trust := map[string]any{
		"trustor_user_id": "alice-id", "trustee_user_id": "karbor-id", "project_id": "alpha-id", "impersonation": true,
		"roles": []any{map[string]any{"name": "member"}}, "expires_at": "2026-03-01T13:00:00.000000Z",
	}
	if diff := cmp.Diff(trust, f.trusts["trust-1"]); diff != "" {
		t.Error(diff)
	}
	if s := f.lines("POST /v3/OS-TRUST/trusts")[0]; s.token != "alice-own" {
		t.Errorf("the trust was made with the token %s", s.token)
	}
}

func TestDelegateOfADelegatedTokenSaysWhatToDo(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	f.add("ac", "alice", "alpha", map[string]any{"application_credential": map[string]any{"id": "x"}})
	id, err := a.Validate(t.Context(), "ac")
	if err != nil {
		t.Fatal(err)
	}
	for _, can := range []bool{false, true} { // true: only Keystone knows better
		id.CanDelegate = can
		_, err = a.Delegate(t.Context(), id, 0)
		if karbor.KindOf(err) != karbor.Forbidden || !strings.Contains(karbor.Sentence(err), "register an application credential") {
			t.Errorf("got %v", err)
		}
	}
}

func TestResumeActsThroughTheTrustAndRenewsOncePerCall(t *testing.T) {
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
	if err := ask(t, c); err != nil {
		t.Fatal(err)
	}
	before := len(f.lines("POST /v3/auth/tokens"))
	f.remove(c.(*session).grants.held().token.Reveal())
	if err := ask(t, c); err != nil {
		t.Errorf("after the token's end: %v", err)
	}
	if n := len(f.lines("POST /v3/auth/tokens")) - before; n != 1 {
		t.Errorf("%d tokens were got, not one", n)
	}
	f.compute = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	before, asked := len(f.lines("POST /v3/auth/tokens")), len(f.lines("GET /compute/v2.1/thing"))
	if err := ask(t, c); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("got %v", err)
	}
	if n, m := len(f.lines("POST /v3/auth/tokens"))-before, len(f.lines("GET /compute/v2.1/thing"))-asked; n != 1 || m != 2 {
		t.Errorf("%d tokens were got and %d requests sent, not 1 and 2", n, m)
	}
	again, err := a.Resume(t.Context(), d)
	if err != nil || again.(*session).grants.held() != c.(*session).grants.held() {
		t.Errorf("a second session of the delegation does not share its token: %v", err)
	}
}

func TestResumeWithAnApplicationCredential(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	d := Delegation{ApplicationCredentialID: "ac", Secret: "ac-secret", ProjectID: "alpha-id", UserID: "alice-id"}
	c, err := a.Resume(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(t, c); err != nil {
		t.Fatal(err)
	}
	d.Secret = "wrong-pass"
	_, err = a.Resume(t.Context(), d)
	if karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("with a wrong secret: %v", err)
	}
	noSecrets(t, err)
	d.Secret, d.ProjectID = "ac-secret", "beta-id"
	if _, err = a.Resume(t.Context(), d); karbor.KindOf(err) != karbor.Forbidden {
		t.Errorf("with another project: %v", err)
	}
}

func TestPreferGoesOnThroughTheDelegationWhenTheOwnTokenEnds(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	id := f.identity(a)
	d, err := a.Delegate(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Prefer(d, id)
	if err := ask(t, c); err != nil {
		t.Fatal(err)
	}
	if s := f.lines("GET /compute/v2.1/thing")[0]; s.token != "alice-own" {
		t.Errorf("the first request went out with %s", s.token)
	}
	f.remove("alice-own")
	if err := ask(t, c); err != nil {
		t.Fatal(err)
	}
	used := f.lines("GET /compute/v2.1/thing")
	if last := used[len(used)-1].token; !strings.HasPrefix(last, "alice-token-") {
		t.Errorf("the last request went out with %s", last)
	}
	f.remove(used[len(used)-1].token)
	if err := ask(t, c); err != nil {
		t.Errorf("after the end of the trust's token: %v", err)
	}
	d.ProjectID = "beta-id"
	if other := a.Prefer(d, id); other.(*session).grants.issuer != nil {
		t.Error("a delegation of another project is used")
	}
}

func TestRevokeDeletesTheTrustAsTheTrustor(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	d, err := a.Delegate(t.Context(), f.identity(a), 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // gone is no error
		if err := a.Revoke(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	gone := f.lines("DELETE /v3/OS-TRUST/trusts/trust-1")
	if len(gone) != 1 || !strings.HasPrefix(gone[0].token, "alice-token-") {
		t.Errorf("got %+v", gone)
	}
	if _, err := a.Resume(t.Context(), d); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("after the revocation: %v", err)
	}
}

func TestWrongServicePasswordDoesNotEndADelegation(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	d, err := a.Delegate(t.Context(), f.identity(a), 0)
	if err != nil {
		t.Fatal(err)
	}
	b := f.authority(func(o *Options) { o.Password = "wrong-pass" })
	_, err = b.Resume(t.Context(), d)
	if karbor.KindOf(err) != karbor.Unavailable {
		t.Errorf("got %v", err)
	}
	noSecrets(t, err)
}

func TestDelegationSurvivesItsEncoding(t *testing.T) {
	for _, d := range []Delegation{
		{TrustID: "t", ProjectID: "p", UserID: "u", ExpiresAt: start},
		{ApplicationCredentialID: "a", Secret: "s", ProjectID: "p", UserID: "u"},
	} {
		got, err := DecodeDelegation(d.Encode())
		if diff := cmp.Diff(d, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if text, _ := json.Marshal(d); strings.Contains(string(text), `"s"`) {
			t.Errorf("plain JSON shows the secret: %s", text)
		}
	}
	for _, bad := range []string{"", "{}", `{"trust_id":"t"}`, `{"trust_id":"t","application_credential_id":"a","project_id":"p","user_id":"u"}`} {
		if _, err := DecodeDelegation([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestPasswordFindsTheOnlyProjectAndRenews(t *testing.T) {
	home, f := newFakeCloud(t), newFakeCloud(t)
	a := home.authority(f.reached)
	c, err := a.Password(t.Context(), f.server.URL+"/v3/", PasswordAuth{Username: "alice", Password: "alice-pass"})
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(t, c); err != nil || c.ProjectID() != "alpha-id" || c.UserID() != "alice-id" {
		t.Fatalf("as %s in %s: %v", c.UserID(), c.ProjectID(), err)
	}
	f.remove(c.(*session).grants.held().token.Reveal())
	if err := ask(t, c); err != nil {
		t.Error(err)
	}
	if n := len(home.lines("")); n != 0 {
		t.Errorf("the own Keystone got %d requests", n)
	}
	_, err = a.Password(t.Context(), f.server.URL, PasswordAuth{Username: "alice", Password: "wrong-pass"})
	if karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("with a wrong password: %v", err)
	}
	noSecrets(t, err)
}

func TestKeystonesTextIsNeverRepeated(t *testing.T) {
	f := newFakeCloud(t)
	f.setHook(func(w http.ResponseWriter, _ *http.Request, _ map[string]any) bool {
		reply(w, 400, map[string]any{"error": map[string]any{"message": "On instance['password']: 'alice-pass'"}})
		return true
	})
	_, err := f.authority().Password(t.Context(), f.server.URL, PasswordAuth{Username: "alice", Password: "alice-pass", Project: "alpha"})
	if karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("got %v", err)
	}
	noSecrets(t, err)
}
