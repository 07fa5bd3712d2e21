package v1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/preflight"
	"github.com/karbor/karbor/protection"
)

// choices are members of a request that came with 1.4.
const choices = `"resources": ["OS::Nova::Server#s1"], "dependents": "existing",
	"mapping": {"networks": {"*": "n1"}, "power": "stopped"}, "stages": [{"resources": ["OS::Nova::Server#s1"], "delay": 30}]`

func TestMicroversion14AddsTheChoicesOfARestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := restoreBody(w.checkpoint(t, "member"))
	with := func(members string) string {
		return strings.Replace(body, `"parameters": {}`, `"parameters": {}, `+members, 1)
	}
	for _, member := range []string{
		`"resources": ["OS::Nova::Server#s1"]`, `"dependents": "restore"`, `"mapping": {}`, `"stages": []`, `"dry_run": false`,
	} {
		name, _, _ := strings.Cut(strings.TrimPrefix(member, `"`), `"`)
		w.call(t, "member", "POST", "/restores", with(member), v13).want(t, 400, "restore."+name, "not known in version 1.3")
	}
	id := w.call(t, "member", "POST", "/restores", with(choices), v14).want(t, 200).str("restore.id")
	want := karbor.RestoreChoices{
		Resources: []string{"OS::Nova::Server#s1"}, Dependents: karbor.DependentsExisting,
		Mapping: map[string]any{"networks": map[string]any{"*": "n1"}, "power": "stopped"},
		Stages:  []karbor.RestoreStage{{Resources: []string{"OS::Nova::Server#s1"}, Delay: 30}},
	}
	if d := cmp.Diff(want, w.service.restores[0].Choices); d != "" {
		t.Error(d)
	}
	w.service.progress = []karbor.ResourceProgress{
		{Resource: karbor.Resource{Type: karbor.ServerType, ID: "s1"}, State: karbor.ResourceAvailable, Mapped: []string{"The network."}},
	}
	shown := w.call(t, "member", "GET", "/restores/"+id, "", v14).want(t, 200)
	for member, value := range map[string]any{
		"resources": []any{"OS::Nova::Server#s1"}, "dependents": "existing",
		"mapping": map[string]any{"networks": map[string]any{"*": "n1"}, "power": "stopped"},
		"stages":  []any{map[string]any{"resources": []any{"OS::Nova::Server#s1"}, "delay": 30.0}},
		"mapped":  map[string]any{"OS::Nova::Server#s1": []any{"The network."}},
	} {
		if d := cmp.Diff(value, shown.get("restore."+member)); d != "" {
			t.Errorf("%s: %s", member, d)
		}
	}
	if a := w.call(t, "member", "GET", "/restores/"+id, "", v13).want(t, 200); contains(a.text, "mapped") || contains(a.text, "dependents") {
		t.Errorf("1.3 shows what came later: %s", a.text)
	}
	for members, part := range map[string]string{
		`"dependents": "maybe"`: "restore.dependents", `"resources": []`: "restore.resources", `"mapping": {"colours": {}}`: "restore.mapping",
		`"mapping": {"networks": {"a": 5}}`: "restore.mapping.networks", `"mapping": {"power": "flying"}`: "restore.mapping.power",
		`"stages": [{"delay": 5}]`: "restore.stages", `"stages": [{"resources": ["x"], "delay": -1}]`: "restore.stages",
	} {
		w.call(t, "member", "POST", "/restores", with(members), v14).want(t, 400, "badRequest", part)
	}
}

func TestADryRunTellsWhatARestoreWouldComeAcross(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	checkpoint := w.checkpoint(t, "member")
	body := strings.Replace(restoreBody(checkpoint), `"parameters": {}`, `"parameters": {}, "dry_run": true`, 1)
	a := w.call(t, "member", "POST", "/restores", body, v14).want(t, 200)
	want := map[string]any{"preflight": map[string]any{"provider_id": provider, "checkpoint_id": checkpoint, "ready": true, "findings": []any{}}}
	if d := cmp.Diff(want, a.body); d != "" {
		t.Error(d)
	}
	w.service.findings = []preflight.Finding{{
		Resource: "OS::Nova::Server#s1",
		Finding:  protection.Finding{Severity: protection.SeverityError, Message: "There is no flavor.", Remedy: "Map it."},
	}}
	a = w.call(t, "member", "POST", "/restores", body, v14).want(t, 200)
	finding := map[string]any{"severity": "error", "resource": "OS::Nova::Server#s1", "message": "There is no flavor.", "remedy": "Map it."}
	if d := cmp.Diff([]any{finding}, a.get("preflight.findings")); d != "" || a.get("preflight.ready") != false {
		t.Errorf("%s: %s", d, a.text)
	}
	if a := w.call(t, "member", "GET", "/restores", "").want(t, 200); a.text != "{\"restores\":[]}\n" {
		t.Errorf("a dry run is stored: %s", a.text)
	}
	w.service.refuse = karbor.Errorf(karbor.Conflict, "it is not available")
	w.call(t, "member", "POST", "/restores", body, v14).want(t, 409, "not available")
}

func TestAnApplicationCredentialOfAnotherCloudIsHandedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := restoreBody(w.checkpoint(t, "member"))
	with := func(auth string) string {
		return strings.Replace(body, `"restore_target": null, "restore_auth": null`, `"restore_target": "https://other.example/v3", "restore_auth": `+auth, 1)
	}
	const good = `{"type": "application_credential", "id": "app", "secret": "hunter2"}`
	w.call(t, "member", "POST", "/restores", with(good), v13).want(t, 400, "restore.restore_auth.type")
	a := w.call(t, "member", "POST", "/restores", with(good), v14).want(t, 200)
	if contains(a.text, "hunter2") {
		t.Errorf("the answer tells the secret: %s", a.text)
	}
	if d := cmp.Diff(&openstack.PasswordAuth{CredentialID: "app", CredentialSecret: "hunter2"}, w.service.restores[0].Auth); d != "" {
		t.Error(d)
	}
	for auth, part := range map[string]string{
		`{"type": "application_credential", "secret": "hunter2"}`:                                        "restore_auth.id",
		`{"type": "application_credential", "id": "app"}`:                                                "restore_auth.secret",
		`{"type": "application_credential", "id": "app", "secret": "hunter2", "username": "u"}`:          "restore_auth.type",
		`{"type": "password", "username": "u", "password": "hunter2", "id": "app", "secret": "hunter2"}`: "restore_auth.id",
		`{"type": "password", "username": "u"}`:                                                          "restore_auth.password",
	} {
		a := w.call(t, "member", "POST", "/restores", with(auth), v14).want(t, 400, "badRequest", part)
		if contains(a.text, "hunter2") {
			t.Errorf("the message tells the secret: %s", a.text)
		}
	}
}
