package failure

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/evidence"
)

// drillVersion is the microversion that has drills.
const drillVersion = "data-protect 1.5"

// made makes something in the cloud as the tenant, and gives its id.
func (u *tenant) made(path, envelope string, body map[string]any) string {
	u.t.Helper()
	a := u.cloud.Do(u.t, u.token, "POST", path, map[string]any{envelope: body})
	var answer map[string]struct{ ID string }
	if err := json.Unmarshal(a.Body, &answer); err != nil || a.Status >= 300 {
		u.t.Fatalf("POST %s: %d %s", path, a.Status, a.Body)
	}
	return answer[envelope].ID
}

// server makes a server on a network of its own, with a further volume.
func (u *tenant) server(name string) resource {
	u.t.Helper()
	network := u.made("/network/v2.0/networks", "network", map[string]any{"name": name + "-lan"})
	u.made("/network/v2.0/subnets", "subnet", map[string]any{"network_id": network, "cidr": "10.20.30.0/24", "ip_version": 4})
	a := u.cloud.Do(u.t, u.token, "GET", "/compute/v2.1/flavors", nil)
	var flavors struct{ Flavors []struct{ ID, Name string } }
	if err := json.Unmarshal(a.Body, &flavors); err != nil || len(flavors.Flavors) == 0 {
		u.t.Fatalf("the flavors: %d %s", a.Status, a.Body)
	}
	server := u.made("/compute/v2.1/servers", "server", map[string]any{
		"name": name, "flavorRef": flavors.Flavors[0].ID, "imageRef": u.image(name+"-base", 1<<20).ID, "networks": []any{map[string]any{"uuid": network}},
	})
	u.active(server)
	volume := u.volume(name + "-data")
	u.made("/compute/v2.1/servers/"+server+"/os-volume_attachments", "volumeAttachment", map[string]any{"volumeId": volume.ID})
	return resource{"OS::Nova::Server", server, name}
}

func (u *tenant) active(server string) {
	u.t.Helper()
	await(u.t, "the server", func() bool {
		a := u.cloud.Do(u.t, u.token, "GET", "/compute/v2.1/servers/"+server, nil)
		return strings.Contains(string(a.Body), `"ACTIVE"`)
	})
}

// inProof sends a request in the microversion of drills.
func (u *tenant) inProof(method, path, body string) answer {
	u.t.Helper()
	return u.ask(method, path, body, "OpenStack-API-Version", drillVersion)
}

// drill asks for a drill with probes, and gives its id.
func (u *tenant) drill(checkpoint, probes string) string {
	u.t.Helper()
	a := u.inProof("POST", "/drills", drillBody(checkpoint, probes))
	if a.status != http.StatusOK {
		u.t.Fatalf("POST /drills: %d %s", a.status, a.text)
	}
	return a.body["drill"].(map[string]any)["id"].(string)
}

func drillBody(checkpoint, probes string) string {
	if probes != "" {
		probes = `, "probes": ` + probes
	}
	return fmt.Sprintf(`{"drill": {"provider_id": %q, "checkpoint_id": %q%s}}`, bankProvider, checkpoint, probes)
}

// drilled waits for the end of a drill, and gives it.
func (u *tenant) drilled(id string) map[string]any {
	u.t.Helper()
	var found map[string]any
	await(u.t, "the end of the drill", func() bool {
		a := u.inProof("GET", "/drills/"+id, "")
		found, _ = a.body["drill"].(map[string]any)
		return a.status == http.StatusOK && found["status"] != "running"
	})
	return found
}

// proof gives the record of a drill, checked with the service's key.
func (u *tenant) proof(id string) (file []byte, keys []evidence.PublicKey, s evidence.Signed) {
	u.t.Helper()
	var answer struct{ Evidence json.RawMessage }
	a := u.inProof("GET", "/drills/"+id+"/evidence", "")
	if err := json.Unmarshal([]byte(a.text), &answer); err != nil || a.status != http.StatusOK {
		u.t.Fatalf("the evidence: %d %s", a.status, a.text)
	}
	file, err := evidence.File(answer.Evidence)
	if err != nil {
		u.t.Fatal(err)
	}
	a = u.inProof("GET", "/evidence_keys", "")
	list, _ := a.body["evidence_keys"].([]any)
	for _, item := range list {
		text, _ := item.(map[string]any)["public_key"].(string)
		if block, _ := pem.Decode([]byte(text)); block == nil {
			u.t.Fatalf("the key is %q", text)
		}
		more, err := evidence.ParsePublicKeys([]byte(text))
		if err != nil {
			u.t.Fatal(err)
		}
		keys = append(keys, more...)
	}
	if s, err = evidence.Verify(file, keys...); err != nil {
		u.t.Fatalf("the record: %v\n%s", err, file)
	}
	return file, keys, s
}

// bystanders leaves of an inventory what no drill may change, and gives it as it is now: with
// all that the cloud says of each thing.
func (s *site) bystanders(u *tenant) string {
	s.t.Helper()
	var all []string
	for _, path := range []string{
		"/compute/v2.1/servers/detail", "/network/v2.0/ports", "/network/v2.0/networks", "/network/v2.0/subnets", "/network/v2.0/routers",
		"/network/v2.0/floatingips", "/network/v2.0/security-groups", "/volume/v3/" + u.user.ProjectID + "/volumes/detail",
	} {
		a := s.cloud.Do(s.t, u.token, "GET", path, nil)
		all = append(all, path+"\n"+string(a.Body))
	}
	return strings.Join(all, "\n")
}

func TestDrillRestoresProbesAndRemovesEverything(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	server := u.server("shop")
	cp := u.kept(bankProvider, server)
	before, state := s.idle(), s.bystanders(u)

	id := u.drill(cp, "")
	d := u.drilled(id)
	if d["status"] != "finished" || d["verdict"] != "passed" || d["reason"] != "" {
		t.Fatalf("the drill is %v", d)
	}
	s.same(t, before)
	if now := s.bystanders(u); now != state {
		t.Errorf("the drill has changed something of the tenant's:\n%s\nbefore:\n%s", now, state)
	}
	ended(t, u.logOf("drill", "checkpoint_id", cp), "success")
	file, keys, proof := u.proof(id)
	r := proof.Record
	if r.DrillID != id || r.Checkpoint.ID != cp || !r.Removed || r.RecoveryMS <= 0 || len(r.Left) > 0 {
		t.Errorf("the record is %s", file)
	}
	seen := map[string]evidence.Result{}
	for _, one := range r.Resources {
		for _, p := range one.Probes {
			seen[strings.SplitN(one.Resource, "#", 2)[0]+" "+p.Probe] = p.Result
		}
	}
	for _, want := range []string{"OS::Nova::Server active", "OS::Nova::Server console", "OS::Cinder::Volume active", "OS::Cinder::Volume volume"} {
		if seen[want] != evidence.Passed {
			t.Errorf("%s is %q: %s", want, seen[want], file)
		}
	}
	var phases []string
	for _, p := range r.Phases {
		phases = append(phases, p.Name)
	}
	if !slices.Equal(phases, []string{"isolation", "restore", "probes", "removal"}) {
		t.Errorf("the phases are %v", phases)
	}
	if _, err := evidence.Verify(bytes.Replace(file, []byte(`"passed"`), []byte(`"failed"`), 1), keys...); err == nil {
		t.Error("a record that was tampered with passes")
	}
	page, err := evidence.Page(proof)
	if err != nil || !bytes.Contains(page, []byte(id)) {
		t.Errorf("the page: %v", err)
	}
	if a := u.inProof("GET", checkpoints(bankProvider)+"/"+cp, ""); !strings.Contains(a.text, `"last_drill":{`) || !strings.Contains(a.text, id) {
		t.Errorf("the checkpoint does not tell of its drill: %s", a.text)
	}
}

func TestDrillWhoseProbeFailsIsFailedAndLeavesNothing(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	cp := u.kept(bankProvider, u.server("shop"))
	before := s.idle()
	id := u.drill(cp, `{"active": {}, "console": {"pattern": "this never comes", "timeout": 1}}`)
	d := u.drilled(id)
	if d["status"] != "finished" || d["verdict"] != "failed" {
		t.Errorf("the drill is %v", d)
	}
	says(t, d["reason"].(string), "console", "No line had it within 1 s")
	s.same(t, before)
	ended(t, u.logOf("drill", "checkpoint_id", cp), "error", "console")
	_, _, proof := u.proof(id)
	if !proof.Record.Removed || proof.Record.Verdict != "failed" || proof.Record.RecoveryMS <= 0 {
		t.Errorf("the record is %+v", proof.Record)
	}
}

func TestDrillOfACloudWithoutRoomLeavesNothing(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	cp := u.kept(bankProvider, u.server("shop"))
	before := s.idle()
	s.limit(u.user.ProjectID, "instances", 1)
	id := u.drill(cp, `{"active": {}}`)
	d := u.drilled(id)
	if d["status"] != "error" || d["verdict"] != "inconclusive" {
		t.Errorf("the drill is %v", d)
	}
	says(t, d["reason"].(string), "quota")
	s.same(t, before)
	_, _, proof := u.proof(id)
	if proof.Record.Verdict != "inconclusive" || !proof.Record.Removed {
		t.Errorf("the record is %+v", proof.Record)
	}
}

func TestCancelledDrillLeavesNothing(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	cp := u.kept(bankProvider, u.server("shop"))
	before := s.idle()
	id := u.drill(cp, `{"console": {"pattern": "this never comes", "timeout": 3000}}`)
	await(t, "the probe", func() bool { return strings.Contains(u.inProof("GET", "/drills/"+id, "").text, `"available"`) })
	if a := u.inProof("POST", "/drills", drillBody(cp, "")); a.status != http.StatusRequestEntityTooLarge && a.status != http.StatusForbidden {
		t.Errorf("a second drill at a time is %d %s", a.status, a.text)
	}
	if a := u.inProof("POST", "/operations/"+id+"/action", `{"cancel": {"reason": "enough"}}`); a.status != http.StatusOK {
		t.Fatalf("the cancel: %d %s", a.status, a.text)
	}
	d := u.drilled(id)
	if d["status"] != "error" || d["verdict"] != "inconclusive" {
		t.Errorf("the drill is %v", d)
	}
	says(t, d["reason"].(string), "cancelled", "enough")
	s.same(t, before)
	if a := u.inProof("DELETE", "/drills/"+id, ""); a.status != http.StatusForbidden {
		t.Errorf("who may ask for drills, and no more, deletes a record: %d %s", a.status, a.text)
	}
}

func TestDrillsOfOthersAreNotThere(t *testing.T) {
	s := newSite(t)
	u, other := s.tenant("demo"), s.tenant("other")
	cp := u.kept(bankProvider, u.volume("data"))
	id := u.drill(cp, `{"active": {}}`)
	u.drilled(id)
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/drills", drillBody(cp, "")}, {"GET", "/drills/" + id, ""}, {"GET", "/drills/" + id + "/evidence", ""},
	} {
		if a := other.inProof(r.method, r.path, r.body); a.status != http.StatusNotFound {
			t.Errorf("%s %s of another project is %d %s", r.method, r.path, a.status, a.text)
		}
	}
	if a := other.inProof("GET", "/drills", ""); strings.Contains(a.text, id) {
		t.Errorf("another project's list has it: %s", a.text)
	}
}

// diskless makes a server that has nothing but its disk and its network.
func (u *tenant) diskless(name string) resource {
	u.t.Helper()
	network := u.made("/network/v2.0/networks", "network", map[string]any{"name": name + "-lan"})
	u.made("/network/v2.0/subnets", "subnet", map[string]any{"network_id": network, "cidr": "10.20.30.0/24", "ip_version": 4})
	a := u.cloud.Do(u.t, u.token, "GET", "/compute/v2.1/flavors", nil)
	var flavors struct{ Flavors []struct{ ID string } }
	if err := json.Unmarshal(a.Body, &flavors); err != nil || len(flavors.Flavors) == 0 {
		u.t.Fatalf("the flavors: %d %s", a.Status, a.Body)
	}
	server := u.made("/compute/v2.1/servers", "server", map[string]any{
		"name": name, "flavorRef": flavors.Flavors[0].ID, "imageRef": u.image(name+"-base", 1<<20).ID, "networks": []any{map[string]any{"uuid": network}},
	})
	u.active(server)
	return resource{"OS::Nova::Server", server, name}
}

// drillBoundaries are the boundaries of its work at which a process dies in mid-drill: before and
// behind the hooks that restore the server and its disk, and those that remove them.
var drillBoundaries = []int{1, 2, 3, 4, 5, 6, 7, 8}

func TestDrillKilledAnywhereComesToItsEndAndLeavesNothing(t *testing.T) {
	s := newSite(t)
	cp := s.tenant("demo").kept(bankProvider, s.tenant("demo").diskless("shop"))
	before := s.idle()
	died := 0
	for _, at := range drillBoundaries {
		s.kill()
		s.doom = &doom{At: at}
		s.start()
		p := s.process
		if err := p.cmd.Process.Signal(arm); err != nil {
			t.Fatal(err)
		}
		<-p.armed
		u := s.tenant("demo")
		id := u.drill(cp, `{"active": {}, "console": {"pattern": "login:", "timeout": 60}}`)
		await(t, "the end of the process or of the drill", func() bool {
			select {
			case <-p.ended:
				return true
			default:
			}
			a, err := u.send("GET", "/v1/"+u.user.ProjectID+"/drills/"+id, "", "OpenStack-API-Version", drillVersion)
			return err == nil && a.status == http.StatusOK && !strings.Contains(a.text, `"running"`)
		})
		select {
		case <-p.ended:
			died++
			s.process = nil
		default:
			s.kill()
		}
		s.doom = nil
		s.start()
		u.site = s
		if d := u.drilled(id); d["status"] != "finished" || d["verdict"] != "passed" {
			t.Errorf("killed at boundary %d (%s), the drill is %v", at, p.dies, d)
		}
		s.same(t, before)
		if _, _, proof := u.proof(id); !proof.Record.Removed {
			t.Errorf("killed at boundary %d, the record is %+v", at, proof.Record)
		}
	}
	if died < 4 {
		t.Errorf("the process died only %d times", died)
	}
}
