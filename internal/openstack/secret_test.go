package openstack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/karbor/karbor"
)

func TestPayloadOfASecretIsReadAsTheServiceUser(t *testing.T) {
	const id = "2f5a2a61-0d5c-4a3c-9e0b-5d2f9c3a7e11"
	f := newFakeCloud(t)
	code := http.StatusOK
	payload := string([]byte{0, 1, 0xff}) + strings.Repeat("k", 29)
	f.setHook(func(w http.ResponseWriter, r *http.Request, _ map[string]any) bool {
		if r.URL.Path != "/key-manager/v1/secrets/"+id+"/payload" {
			return false
		}
		if r.Header.Get("Accept") != "application/octet-stream" || r.Header.Get("X-Auth-Token") == "" {
			t.Errorf("headers %v", r.Header)
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(payload))
		return true
	})
	a := f.authority()
	// The address of the URL does not count: a token goes to the catalogue's Barbican only.
	got, err := a.Payload(t.Context(), "https://evil.example/v1/secrets/"+id)
	if err != nil || string(got) != payload {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for _, url := range []string{"", "https://barbican.example/v1/secrets/x", "https://barbican.example/v1/secrets/" + id + "/payload"} {
		if _, err := a.Payload(t.Context(), url); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, code = range []int{http.StatusNotFound, http.StatusForbidden} {
		if _, err := a.Payload(t.Context(), id); err == nil || karbor.KindOf(err) != karbor.Unavailable || karbor.IsTransient(err) {
			t.Errorf("answer %d: %v", code, err)
		}
	}
	code = http.StatusServiceUnavailable
	if _, err := a.Payload(t.Context(), id); !karbor.IsTransient(err) {
		t.Errorf("answer %d: %v", code, err)
	}
	code, payload = http.StatusOK, strings.Repeat("x", maxPayload+1)
	if _, err := a.Payload(t.Context(), id); err == nil {
		t.Error("a payload without an end was read")
	}
}
