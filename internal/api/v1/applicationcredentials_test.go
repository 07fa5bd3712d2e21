package v1_test

import (
	"strings"
	"testing"
)

func TestApplicationCredentialIsRegisteredShownAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/application_credential"
	w.call(t, "member", "GET", path, "", v11).want(t, 404)
	a := w.call(t, "member", "PUT", path, `{"application_credential": {"id": "abc", "secret": "hunter2"}}`, v11).want(t, 200)
	if a.str("application_credential.id") != "abc" || strings.Contains(a.text, "hunter2") {
		t.Errorf("answer is %s", a.text)
	}
	if a := w.call(t, "member", "GET", path, "", v11).want(t, 200); a.str("application_credential.id") != "abc" {
		t.Errorf("shown as %s", a.text)
	}
	w.call(t, "member", "DELETE", path, "", v11).want(t, 200)
	w.call(t, "member", "GET", path, "", v11).want(t, 404)
}

func TestApplicationCredentialRefusesBadBodiesAndKeepsTheSecretOutOfFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, body := range map[string]string{
		"no secret":      `{"application_credential": {"id": "abc"}}`,
		"bad id":         `{"application_credential": {"id": "../x", "secret": "hunter2"}}`,
		"unknown member": `{"application_credential": {"id": "abc", "secret": "hunter2", "roles": []}}`,
		"secret no text": `{"application_credential": {"id": "abc", "secret": ["hunter2"]}}`,
		"does not work":  `{"application_credential": {"id": "abc", "secret": "wrong"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			a := w.call(t, "member", "PUT", "/application_credential", body, v11).want(t, 400)
			if strings.Contains(a.text, "hunter2") {
				t.Errorf("the fault tells the secret: %s", a.text)
			}
		})
	}
}
