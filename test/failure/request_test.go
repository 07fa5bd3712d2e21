package failure

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBadBodiesAre400AndStoreNothing(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	img := resource{"OS::Glance::Image", "00000000-0000-4000-8000-000000000001", "i"}
	plan := u.plan(imageProvider, img)
	before := s.idle()
	targets := []string{"/plans", checkpoints(imageProvider), "/restores"}
	for _, c := range []struct {
		name, body, kind string
		words            []string
	}{
		{"no body", "", "", []string{"body"}},
		{"no JSON", "{", "", []string{"JSON"}},
		{"Python", "{'plan': {}}", "", []string{"JSON"}},
		{"no object", "[1]", "", nil},
		{"a huge body", `{"plan": {"name": "` + strings.Repeat("x", 1<<20+1000) + `"}}`, "", []string{"larger"}},
		{"a deep body", `{"plan": ` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000) + "}", "", []string{"nested"}},
		{"a body deeper than a stack", strings.Repeat("[", 500_000), "", []string{"JSON"}},
		{"another content type", "{}", "text/plain", []string{"text/plain"}},
		{"a form", "a=b", "application/x-www-form-urlencoded", []string{"x-www-form-urlencoded"}},
		{"a foreign member", `{"plan": {"colour": 1}, "checkpoint": {"colour": 1}, "restore": {"colour": 1}}`, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range targets {
				header := []string{}
				if c.kind != "" {
					header = []string{"Content-Type", c.kind}
				}
				a, err := u.send("POST", "/v1/"+u.user.ProjectID+path, c.body, header...)
				// Who sends too much may be cut off before it reads the answer.
				for err != nil && len(c.body) > 1<<20 {
					a, err = u.send("POST", "/v1/"+u.user.ProjectID+path, c.body, header...)
				}
				if err != nil {
					t.Fatal(err)
				}
				// What is too large is a fault of another name.
				if large := c.words != nil && c.words[0] == "larger"; !large && a.status != http.StatusBadRequest ||
					large && a.status != http.StatusRequestEntityTooLarge {
					t.Errorf("POST %s: %d %.300s", path, a.status, a.text)
				}
				says(t, a.message(), c.words...)
			}
		})
	}
	for _, path := range append(targets, "/operation_logs") {
		a := u.ask("GET", path, "")
		for name, list := range a.body {
			if l, ok := list.([]any); !ok || len(l) > 1 || len(l) == 1 && l[0].(map[string]any)["id"] != plan {
				t.Errorf("%s has %s: %v", path, name, list)
			}
		}
	}
	s.same(t, before)
}

func TestOthersThingsAnswerAsUnknownOnes(t *testing.T) {
	s := newSite(t)
	u, other := s.tenant("demo"), s.tenant("other")
	img := u.image("disk", 1000)
	plan := u.plan(imageProvider, img)
	cp := u.protect(imageProvider, plan)
	u.settled(imageProvider, cp)
	restore := u.restore(imageProvider, cp)
	u.restored(restore)
	log := u.logOf("restore", "restore_id", restore)["id"].(string)
	const unknown = "00000000-0000-4000-8000-0000000000ff"
	checkpoint := checkpoints(imageProvider) + "/"
	tests := []struct{ method, path, body, id string }{
		{"GET", "/plans/%s", "", plan}, {"PUT", "/plans/%s", `{"plan": {"name": "x"}}`, plan}, {"DELETE", "/plans/%s", "", plan},
		{"GET", checkpoint + "%s", "", cp}, {"DELETE", checkpoint + "%s", "", cp},
		{"PUT", checkpoint + "%s", `{"os-resetState": {"state": "error"}}`, cp},
		{"GET", "/restores/%s", "", restore}, {"GET", "/operation_logs/%s", "", log},
		{"POST", checkpoints(imageProvider), `{"checkpoint": {"plan_id": "%s"}}`, plan},
		{"POST", "/restores", `{"restore": {"provider_id": "` + imageProvider + `", "checkpoint_id": "%s", "parameters": {}}}`, cp},
	}
	for _, c := range tests {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			send := func(id string) (int, string) {
				path, body := c.path, c.body
				if strings.Contains(path, "%s") {
					path = fmt.Sprintf(path, id)
				} else {
					body = fmt.Sprintf(body, id)
				}
				a := other.ask(c.method, path, body)
				return a.status, strings.ReplaceAll(a.text, id, "ID")
			}
			status, text := send(c.id)
			if wantStatus, want := send(unknown); status != http.StatusNotFound || wantStatus != status || text != want {
				t.Errorf("for another's: %d %s, for an unknown: %d %s", status, text, wantStatus, want)
			}
			for _, bad := range []string{"x", "..%2f..", strings.Repeat("a", 300), "00000000-0000-4000-8000-00000000000g"} {
				if status, text := send(bad); status != http.StatusBadRequest && !(status == http.StatusNotFound && strings.Contains(bad, "..")) {
					t.Errorf("for %.20q: %d %s", bad, status, text)
				}
			}
		})
	}
	for _, path := range []string{"/plans", checkpoints(imageProvider), "/restores", "/operation_logs"} {
		for _, query := range []string{"", "?all_tenants=1", "?project_id=" + u.user.ProjectID, "?plan_id=" + plan, "?checkpoint_id=" + cp} {
			for name, list := range other.ask("GET", path+query, "").body {
				if diff := cmp.Diff([]any{}, list); diff != "" {
					t.Errorf("%s%s shows %s of another project: %s", path, query, name, diff)
				}
			}
		}
	}
	if cp := u.settled(imageProvider, cp); cp["status"] != "available" {
		t.Errorf("after all that the checkpoint is %v", cp)
	}
}

func TestPlanWithWhatTheProviderCannotProtectIsRefusedByName(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	vol := resource{"OS::Cinder::Volume", "00000000-0000-4000-8000-000000000001", "data"}
	before := s.idle()
	body := fmt.Sprintf(`{"checkpoint": {"plan_id": %q}}`, u.plan(imageProvider, vol))
	u.refused(400, "POST", checkpoints(imageProvider), body, "images", vol.Type, vol.ID, vol.Name)
	u.refused(400, "POST", checkpoints(noopProvider), body, "provider")
	u.refused(404, "POST", checkpoints("00000000-0000-4000-8000-0000000000ff"), body, "provider")
	if list := u.ask("GET", "/operation_logs", "").body["operation_logs"].([]any); len(list) > 0 {
		t.Errorf("refused requests have logs: %v", list)
	}
	s.same(t, before)
}

// TestResourceWithAnUnlikelyIDDoesNotStopTheOthers has a plan with an id as long
// as may be: it names nothing in the cloud, and must harm nobody but its plan.
func TestResourceWithAnUnlikelyIDDoesNotStopTheOthers(t *testing.T) {
	s := newSite(t)
	u, other := s.tenant("demo"), s.tenant("other")
	strange := resource{"OS::Glance::Image", strings.Repeat("a", 255), "strange"}
	before := s.idle()
	body := fmt.Sprintf(`{"checkpoint": {"plan_id": %q}}`, u.plan(imageProvider, strange))
	u.refused(400, "POST", checkpoints(imageProvider), body, strange.ID)
	other.kept(noopProvider, resource{"OS::Cinder::Volume", "00000000-0000-4000-8000-000000000001", "v"})
	s.same(t, before)
}
