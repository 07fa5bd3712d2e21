package failure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/testcloud"
)

// tenant is a user of the cloud who speaks to the service.
type tenant struct {
	*site
	user  testcloud.User
	token string
}

// tenant logs a user in.
func (s *site) tenant(name string) *tenant {
	s.t.Helper()
	u, ok := s.cloud.User(name)
	if !ok {
		s.t.Fatalf("there is no user %s", name)
	}
	a := s.cloud.Do(s.t, "", "POST", "/v3/auth/tokens", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{
			"user": map[string]any{"id": u.ID, "password": u.Password}}},
		"scope": map[string]any{"project": map[string]any{"id": u.ProjectID}},
	}})
	if a.Status != http.StatusCreated {
		s.t.Fatalf("logging in: %d %s", a.Status, a.Body)
	}
	return &tenant{site: s, user: u, token: a.Header.Get("X-Subject-Token")}
}

// answer is one of the service's.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// message gives the sentence of an error.
func (a answer) message() string {
	for _, inner := range a.body {
		if m, ok := inner.(map[string]any); ok {
			text, _ := m["message"].(string)
			return text
		}
	}
	return ""
}

var client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// send sends a request as it is. The header is given in pairs.
func (u *tenant) send(method, path, body string, header ...string) (answer, error) {
	req, err := http.NewRequest(method, u.api+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("X-Auth-Token", u.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if req.Header.Del(header[i]); header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, header: res.Header, text: string(text)}
	if len(bytes.TrimSpace(text)) > 0 && err == nil {
		err = json.Unmarshal(text, &a.body)
	}
	return a, err
}

// ask sends a request below the tenant's project.
func (u *tenant) ask(method, path, body string, header ...string) answer {
	u.t.Helper()
	a, err := u.send(method, "/v1/"+u.user.ProjectID+path, body, append([]string{"OpenStack-API-Version", "data-protect 1.1"}, header...)...)
	if err != nil {
		u.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// must sends a request that has to succeed, and gives what is in its envelope.
func (u *tenant) must(method, path, body, envelope string) map[string]any {
	u.t.Helper()
	a := u.ask(method, path, body)
	if a.status != http.StatusOK {
		u.t.Fatalf("%s %s: %d %s", method, path, a.status, a.text)
	}
	inner, _ := a.body[envelope].(map[string]any)
	return inner
}

// refused sends a request that has to be refused, with words in the sentence.
func (u *tenant) refused(status int, method, path, body string, words ...string) {
	u.t.Helper()
	a := u.ask(method, path, body)
	if a.status != status {
		u.t.Errorf("%s %s: %d %s, want %d", method, path, a.status, a.text, status)
	}
	says(u.t, a.message(), words...)
}

// says compares a sentence with the words that must be in it.
func says(t *testing.T, sentence string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(sentence, w) {
			t.Errorf("%q does not say %q", sentence, w)
		}
	}
}

// resource is one of a plan's.
type resource struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (r resource) key() string { return r.Type + "#" + r.ID }

// image makes an image with bytes that nothing else has.
func (u *tenant) image(name string, size int) resource {
	u.t.Helper()
	var made struct{ ID string }
	a := u.cloud.Do(u.t, u.token, "POST", "/image/v2/images", map[string]any{"name": name, "disk_format": "raw", "container_format": "bare"})
	if err := json.Unmarshal(a.Body, &made); err != nil || a.Status != http.StatusCreated {
		u.t.Fatalf("making an image: %d %s", a.Status, a.Body)
	}
	data := make([]byte, size)
	seed := [32]byte([]byte(made.ID)[:32])
	_, _ = rand.NewChaCha8(seed).Read(data) // never fails
	a = u.cloud.Do(u.t, u.token, "PUT", "/image/v2/images/"+made.ID+"/file", bytes.NewReader(data), "Content-Type", "application/octet-stream")
	if a.Status != http.StatusNoContent {
		u.t.Fatalf("uploading an image: %d %s", a.Status, a.Body)
	}
	return resource{"OS::Glance::Image", made.ID, name}
}

// volume makes a volume of 1 GiB without a byte in it.
func (u *tenant) volume(name string) resource {
	u.t.Helper()
	var made struct{ Volume struct{ ID, Status string } }
	base := "/volume/v3/" + u.user.ProjectID + "/volumes"
	a := u.cloud.Do(u.t, u.token, "POST", base, map[string]any{"volume": map[string]any{"name": name, "size": 1}})
	if err := json.Unmarshal(a.Body, &made); err != nil || a.Status != http.StatusAccepted {
		u.t.Fatalf("making a volume: %d %s", a.Status, a.Body)
	}
	await(u.t, "the volume", func() bool {
		a := u.cloud.Do(u.t, u.token, "GET", base+"/"+made.Volume.ID, nil)
		return json.Unmarshal(a.Body, &made) == nil && made.Volume.Status == "available"
	})
	return resource{"OS::Cinder::Volume", made.Volume.ID, name}
}

// plan makes a plan and gives its id.
func (u *tenant) plan(provider string, resources ...resource) string {
	u.t.Helper()
	text, err := json.Marshal(map[string]any{"plan": map[string]any{
		"name": "plan", "provider_id": provider, "parameters": map[string]any{}, "resources": resources}})
	if err != nil {
		u.t.Fatal(err)
	}
	return u.must("POST", "/plans", string(text), "plan")["id"].(string)
}

func checkpoints(provider string) string { return "/providers/" + provider + "/checkpoints" }

// protect asks for a checkpoint and gives its id.
func (u *tenant) protect(provider, plan string) string {
	u.t.Helper()
	return u.must("POST", checkpoints(provider), fmt.Sprintf(`{"checkpoint": {"plan_id": %q}}`, plan), "checkpoint")["id"].(string)
}

// kept protects resources and waits for success.
func (u *tenant) kept(provider string, resources ...resource) string {
	u.t.Helper()
	id := u.protect(provider, u.plan(provider, resources...))
	if cp := u.settled(provider, id); cp["status"] != "available" {
		u.t.Fatalf("the checkpoint is %v", cp)
	}
	return id
}

func (u *tenant) restore(provider, checkpoint string) string {
	u.t.Helper()
	return u.must("POST", "/restores", restoreBody(provider, checkpoint), "restore")["id"].(string)
}

func restoreBody(provider, checkpoint string) string {
	// The originals are still there, and would do.
	return fmt.Sprintf(`{"restore": {"provider_id": %q, "checkpoint_id": %q,
		"parameters": {"OS::Glance::Image": {"upload": "always"}}}}`, provider, checkpoint)
}

// passing are the states that pass by.
var passing = []any{"protecting", "deleting", "in_progress"}

// settled waits until nothing works on a checkpoint, and gives it; one that is
// deleted has only that state.
func (u *tenant) settled(provider, id string) map[string]any {
	u.t.Helper()
	return u.await(checkpoints(provider)+"/"+id, "checkpoint")
}

// restored waits for the end of a restore, and gives it.
func (u *tenant) restored(id string) map[string]any {
	u.t.Helper()
	return u.await("/restores/"+id, "restore")
}

func (u *tenant) await(path, envelope string) map[string]any {
	u.t.Helper()
	var found map[string]any
	await(u.t, "the end of "+path, func() bool {
		a := u.ask("GET", path, "")
		if a.status == http.StatusNotFound {
			found = map[string]any{"status": "deleted"}
			return true
		}
		found, _ = a.body[envelope].(map[string]any)
		return a.status == http.StatusOK && !slices.Contains(passing, found["status"])
	})
	return found
}

// logOf gives the log of the newest operation of a kind on a checkpoint or restore.
func (u *tenant) logOf(kind, member, id string) map[string]any {
	u.t.Helper()
	a := u.ask("GET", "/operation_logs?"+member+"="+id, "")
	list, _ := a.body["operation_logs"].([]any)
	for _, item := range list {
		if l := item.(map[string]any); l["operation_type"] == kind {
			return l
		}
	}
	u.t.Fatalf("there is no log of %s: %s", kind, a.text)
	return nil
}

// ended checks a log: its state, its times, and words in its error.
func ended(t *testing.T, log map[string]any, status string, words ...string) {
	t.Helper()
	if log["status"] != status || log["started_at"] == nil || log["ended_at"] == nil {
		t.Errorf("the log is %v, want it ended as %s", log, status)
	}
	text, _ := log["error_info"].(string)
	if (text == "") != (len(words) == 0) {
		t.Errorf("error_info is %q", text)
	}
	says(t, text, words...)
}
