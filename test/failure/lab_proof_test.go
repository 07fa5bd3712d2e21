//go:build openstack

package failure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/karbor/karbor/internal/evidence"
)

// newestly sends a request in the newest microversion, and gives what is in its envelope.
func (u *tenant) newestly(method, path, body, envelope string) map[string]any {
	u.t.Helper()
	a := u.ask(method, path, body, "OpenStack-API-Version", newest)
	inner, ok := a.body[envelope].(map[string]any)
	if a.status != http.StatusOK || !ok {
		u.t.Fatalf("%s %s: %d %s", method, path, a.status, a.text)
	}
	return inner
}

// over waits until what a path shows is no more in one of the states, and gives it.
func (u *tenant) over(path, envelope string, states ...any) map[string]any {
	u.t.Helper()
	var found map[string]any
	await(u.t, "the end of "+path, func() bool {
		found = u.newestly("GET", path, "", envelope)
		return !slices.Contains(states, found["status"])
	})
	return found
}

// emptied gives what removes all that the tenant has in the cloud then beyond what it has now.
func (u *tenant) emptied() func() {
	u.t.Helper()
	before := u.inventory()
	return func() {
		if u.t.Failed() {
			return // whoever looks into it wants to see
		}
		prefixes := map[string]string{
			"servers": "/compute/v2.1/servers/", "volumes": "/volume/v3/" + u.user.ProjectID + "/volumes/", "images": "/image/v2/images/",
			"ports": "/network/v2.0/ports/", "networks": "/network/v2.0/networks/",
		}
		for _, kind := range []string{"servers", "volumes", "images", "ports", "networks"} {
			await(u.t, "the "+kind+" to go", func() bool {
				left := false
				for _, line := range u.inventory() {
					if id, ok := strings.CutPrefix(line, kind+" "); ok && !slices.Contains(before, line) {
						u.cloud.Do(u.t, u.token, "DELETE", prefixes[kind]+id, nil)
						left = true
					}
				}
				return !left
			})
		}
	}
}

// TestOpenStackCheckpointIsProvenInEachWay verifies each byte of a checkpoint, copies it, has the
// copy stand in for a bank that is gone, and restores it in a drill whose record is signed.
//
//karbor:tries protect,verify,copy of server,volumeglance,image,network
func TestOpenStackCheckpointIsProvenInEachWay(t *testing.T) {
	s := newSite(t)
	u := s.tenant("demo")
	defer u.emptied()()
	server := u.server("shop")
	plan := u.plan(bankProvider, server)
	cp := u.protect(bankProvider, plan)
	if made := u.settled(bankProvider, cp); made["status"] != "available" {
		t.Fatalf("the checkpoint is %v", made)
	}
	before, state := s.idle(), s.bystanders(u)

	verify := func() map[string]any {
		t.Helper()
		made := u.newestly("POST", "/verifications", fmt.Sprintf(`{"verification": {"provider_id": %q, "checkpoint_id": %q, "parameters":
			{"OS::Glance::Image": {"depth": "full"}, "OS::Cinder::Volume": {"depth": "full"}}}}`, bankProvider, cp), "verification")
		return u.over("/verifications/"+made["id"].(string), "verification", "verifying")
	}
	if v := verify(); v["status"] != "success" || v["stand_in"] != nil {
		t.Fatalf("the verification is %v", v)
	}
	copying := u.newestly("POST", checkpoints(bankProvider)+"/action",
		fmt.Sprintf(`{"copy": {"plan_id": %q, "provider_id": %q, "checkpoint_ids": [%q]}}`, plan, bankProvider, cp), "copy")
	copied := u.over("/providers/"+bankProvider+"/copies/"+copying["id"].(string), "copy", "wait_copying", "copying")
	text, _ := json.Marshal(copied)
	if !strings.Contains(string(text), `"offsite"`) || strings.Contains(string(text), `"error"`) {
		t.Fatalf("the copy is %s", text)
	}
	main, away := filepath.Join(s.dir, "bank", "v1"), filepath.Join(s.dir, "bank-gone")
	if err := os.Rename(main, away); err != nil {
		t.Fatal(err)
	}
	if v := verify(); v["status"] != "success" || v["stand_in"] == nil {
		t.Errorf("without the main bank the verification is %v", v)
	}
	if err := os.RemoveAll(main); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, main); err != nil {
		t.Fatal(err)
	}

	id := u.drill(cp, `{"active": {}, "console": {"pattern": "LAST LINE", "timeout": 60}, "volume": {}}`)
	if d := u.drilled(id); d["status"] != "finished" || d["verdict"] != "passed" {
		t.Fatalf("the drill is %v", d)
	}
	s.same(t, before)
	if now := s.bystanders(u); now != state {
		t.Errorf("the drill has changed something of the tenant's:\n%s\nbefore:\n%s", now, state)
	}
	file, keys, proof := u.proof(id)
	if r := proof.Record; r.Checkpoint.ID != cp || !r.Removed || r.RecoveryMS <= 0 || len(r.Left) > 0 {
		t.Errorf("the record is %s", file)
	}
	if _, err := evidence.Verify(bytes.Replace(file, []byte(`"passed"`), []byte(`"failed"`), 1), keys...); err == nil {
		t.Error("a record that was tampered with passes")
	}
	t.Logf("the drill took %d ms to recovery", proof.Record.RecoveryMS)
}
