package openstack

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
)

func (f *fakeCloud) addService(token, role string) {
	f.add(token, "nova", "service", map[string]any{"roles": []any{map[string]any{"id": "9", "name": role}}})
}

func TestAServiceTokenLetsAnEndedTokenBeUsed(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	f.addService("nova-own", "service")
	f.addService("nova-plain", "member")
	f.add("ended", "alice", "alpha", map[string]any{"expires_at": start.Add(-time.Minute).Format(time.RFC3339), "catalog": f.catalog()})
	if _, err := a.Validate(t.Context(), "ended"); karbor.KindOf(err) != karbor.Unauthorized {
		t.Fatalf("an ended token alone: %v", err)
	}
	id, err := a.ValidateFor(t.Context(), "ended", "nova-own")
	if err != nil || id.UserID != "alice-id" || !id.FromService {
		t.Fatalf("got %+v, %v", id, err)
	}
	for name, service := range map[string]karbor.Secret{"no service role": "nova-plain", "not valid": "stolen", "ended": "ended", "empty": ""} {
		if _, err := a.ValidateFor(t.Context(), "ended", service); karbor.KindOf(err) != karbor.Unauthorized || err == nil {
			t.Errorf("a service token that is %s: %v", name, err)
		}
	}
	// What is known of it by a service token helps nobody without one.
	if _, err := a.Validate(t.Context(), "ended"); karbor.KindOf(err) != karbor.Unauthorized {
		t.Errorf("an ended token alone, afterwards: %v", err)
	}
	if _, err := a.ValidateFor(t.Context(), "unknown", "nova-own"); karbor.KindOf(err) != karbor.Unauthorized || err == nil {
		t.Errorf("an unknown token: %v", err)
	}
}

func TestASessionWithAnEndedTokenCarriesOurServiceToken(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	f.addService("nova-own", "service")
	f.add("ended", "alice", "alpha", map[string]any{"expires_at": start.Add(-time.Minute).Format(time.RFC3339), "catalog": f.catalog()})
	id, err := a.ValidateFor(t.Context(), "ended", "nova-own")
	if err != nil {
		t.Fatal(err)
	}
	f.compute = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Auth-Token") != "ended" || r.Header.Get("X-Service-Token") == "" {
			reply(w, 401, nil)
			return
		}
		reply(w, 200, map[string]any{})
	}
	client, err := Compute(t.Context(), a.Session(id))
	if err != nil {
		t.Fatal(err)
	}
	f.tokens["ended"] = map[string]any{} // the fake lets it in, as a service with a service token would
	if _, err := client.Get(t.Context(), client.ServiceURL("servers", "x"), nil, nil); err != nil {
		t.Errorf("asking as an ended token with a service token: %v", err)
	}
	fresh := f.identity(a)
	client, err = Compute(t.Context(), a.Session(fresh))
	if err != nil {
		t.Fatal(err)
	}
	f.compute = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Service-Token") != "" {
			t.Error("a token that is good goes with a service token")
		}
		reply(w, 200, map[string]any{})
	}
	if _, err := client.Get(t.Context(), client.ServiceURL("servers", "x"), nil, nil); err != nil {
		t.Error(err)
	}
}

func TestAccessRulesOfAnApplicationCredentialAreTold(t *testing.T) {
	f := newFakeCloud(t)
	a := f.authority()
	rule := map[string]any{"id": "r1", "service": "data-protect", "method": "GET", "path": "/v1/*/plans"}
	f.add("bound", "alice", "alpha", map[string]any{"application_credential": map[string]any{"id": "x", "restricted": true, "access_rules": []any{rule}}})
	f.add("nothing", "alice", "alpha", map[string]any{"application_credential": map[string]any{"id": "x", "restricted": true, "access_rules": []any{}}})
	f.add("free", "alice", "alpha", map[string]any{"application_credential": map[string]any{"id": "x", "restricted": true, "access_rules": nil}})
	for token, want := range map[karbor.Secret][]karbor.AccessRule{
		"bound": {{Service: "data-protect", Method: "GET", Path: "/v1/*/plans"}}, "nothing": {}, "free": nil,
	} {
		for range 2 { // from Keystone, and from memory
			id, err := a.Validate(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, id.AccessRules); d != "" {
				t.Errorf("%s: %s", token.Reveal(), d)
			}
		}
	}
	for _, s := range f.lines("GET /v3/auth/tokens") {
		if got := s.header.Get("OpenStack-Identity-Access-Rules"); got != "1.0" {
			t.Errorf("Keystone is asked with the header %q", got)
		}
	}
}
