package v1_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/internal/store"
)

// evidenceKey is a key for tests only.
const evidenceKey karbor.Secret = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
`

func (s *service) Drill(ctx context.Context, c protectionservice.Caller, r protectionservice.DrillRequest) (karbor.Drill, error) {
	cp, err := s.store.Checkpoint(ctx, c.Identity.ProjectID, r.ProviderID, r.CheckpointID)
	if err != nil {
		return karbor.Drill{}, err
	}
	s.mu.Lock()
	s.drills = append(s.drills, r)
	s.mu.Unlock()
	if err := s.called(c); err != nil {
		return karbor.Drill{}, err
	}
	now := s.now()
	d := karbor.Drill{
		ID: karbor.NewID(), ProjectID: c.Identity.ProjectID, ProviderID: r.ProviderID, CheckpointID: r.CheckpointID, PlanID: cp.Plan.ID,
		Probes: r.Probes, Mapping: r.Mapping, Status: karbor.DrillRunning, CreatedAt: now, UpdatedAt: now,
	}
	return d, s.store.Accept(ctx, store.Acceptance{
		Operation: store.Operation{ID: d.ID, Type: karbor.DrillOperation, ProjectID: d.ProjectID, ProviderID: d.ProviderID, CheckpointID: d.CheckpointID, Graph: cp.Graph},
		Log:       karbor.OperationLog{ID: d.ID, ProjectID: d.ProjectID, OperationType: karbor.DrillOperation, Status: karbor.LogInProgress},
		Drill:     &d, DrillLimit: -1,
	})
}

func (*service) DrillProgress(context.Context, string, string) ([]karbor.ResourceProgress, error) {
	return []karbor.ResourceProgress{{Resource: karbor.Resource{Type: karbor.VolumeType, ID: "v"}, State: karbor.ResourceRestoring}}, nil
}

func (*service) EvidenceKeys() []evidence.PublicKey {
	s, err := evidence.NewSigner(evidenceKey)
	if err != nil {
		return nil
	}
	return s.Keys()
}

func drillBody(checkpoint, more string) string {
	return `{"drill": {"provider_id": "` + provider + `", "checkpoint_id": "` + checkpoint + `"` + more + `}}`
}

func (w *world) drill(t *testing.T, token string) string {
	t.Helper()
	return w.call(t, token, "POST", "/drills", drillBody(w.checkpoint(t, token), ""), v15).want(t, 200).str("drill.id")
}

// endDrill ends a drill with a signed record.
func (w *world) endDrill(t *testing.T, id string) []byte {
	t.Helper()
	s, err := evidence.NewSigner(evidenceKey)
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.Sign(evidence.Record{
		DrillID: id, Verdict: karbor.DrillPassed, Reasons: []string{}, Left: []string{}, LeftOut: []evidence.LeftOut{},
		Phases: []evidence.Phase{}, Resources: []evidence.Resource{},
	})
	if err == nil {
		err = w.store.EndOperation(t.Context(), id, store.Outcome{LogStatus: karbor.LogSuccess, Drilled: &store.Drilled{
			Status: karbor.DrillFinished, Verdict: karbor.DrillPassed, Recovery: 90 * time.Second, Evidence: json.RawMessage(strings.TrimSpace(string(file))),
			Resources: map[string]karbor.DrilledResource{"OS::Cinder::Volume#v": {Verdict: karbor.DrillPassed, RecoveryMS: 90_000}},
		}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// v17 asks for microversion 1.7.
const v17 = "OpenStack-API-Version: data-protect 1.7"

// drillItems are the routes of drills, for the table of who may what.
func (w *world) drillItems(t *testing.T, token string) []item {
	t.Helper()
	id, gone := w.drill(t, token), w.drill(t, token)
	w.endDrill(t, id)
	w.endDrill(t, gone)
	return []item{
		{method: "POST", path: "/drills", body: drillBody(w.checkpoint(t, token), ""), byID: true, writes: true, header: v15},
		{method: "GET", path: "/drills", header: v15},
		{method: "GET", path: "/drills/" + id, byID: true, crosses: true, header: v15},
		{method: "GET", path: "/drills/" + id + "/evidence", byID: true, crosses: true, header: v15},
		{method: "DELETE", path: "/drills/" + gone, byID: true, writes: true, manager: true, crosses: true, header: v15},
		{method: "GET", path: "/evidence_keys", header: v15},
	}
}

func TestDrillIsAskedForWithItsDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cp := w.checkpoint(t, "member")
	for more, want := range map[string]karbor.DrillProbes{
		"": {},
		`, "probes": {"console": {}, "active": {}}`: {
			Active: &karbor.ActiveProbe{}, Console: &karbor.ConsoleProbe{Pattern: "login:", Timeout: 300},
		},
		`, "probes": {"console": {"pattern": "up", "timeout": 5}, "volume": {"digest": false}, "port": {"port": 22}, "command": {"timeout": 7}}`: {
			Console: &karbor.ConsoleProbe{Pattern: "up", Timeout: 5}, Volume: &karbor.VolumeProbe{}, Port: &karbor.PortProbe{Port: 22, Timeout: 300},
			Command: &karbor.CommandProbe{Timeout: 7},
		},
	} {
		w.call(t, "member", "POST", "/drills", drillBody(cp, more), v15).want(t, 200)
		if diff := cmp.Diff(want, w.service.drills[len(w.service.drills)-1].Probes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", more, diff)
		}
	}
	a := w.call(t, "member", "POST", "/drills", drillBody(cp, `, "resources": ["OS::Cinder::Volume#v"], "mapping": {"flavors": {"*": "small"}}`), v15).want(t, 200)
	got := w.service.drills[len(w.service.drills)-1]
	if !cmp.Equal(got.Resources, []string{"OS::Cinder::Volume#v"}) || got.Mapping["flavors"] == nil || a.get("drill.verdict") != nil || a.str("drill.status") != "running" {
		t.Errorf("it asked for %+v: %s", got, a.text)
	}
}

func TestBadDrillsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cp := w.checkpoint(t, "member")
	for _, more := range []string{
		`, "probes": {}`, `, "probes": {"ping": {}}`, `, "probes": {"port": {}}`, `, "probes": {"port": {"port": 0}}`, `, "probes": {"console": {"timeout": 0}}`,
		`, "probes": {"console": {"pattern": ""}}`, `, "mapping": {"networks": {"*": "x"}}`, `, "mapping": {"floating_ips": "keep"}`, `, "parameters": {}`,
	} {
		w.call(t, "member", "POST", "/drills", drillBody(cp, more), v15).want(t, 400)
	}
	w.call(t, "member", "POST", "/drills", drillBody(unknown, ""), v15).want(t, 404)
}

func TestDrillAndItsRecordAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cp := w.checkpoint(t, "member")
	id := w.call(t, "member", "POST", "/drills", drillBody(cp, ""), v15).want(t, 200).str("drill.id")
	w.call(t, "reader", "GET", "/drills/"+id+"/evidence", "", v15).want(t, 404)
	if a := w.call(t, "reader", "GET", "/drills/"+id, "", v15).want(t, 200); len(a.get("drill.progress").([]any)) != 1 {
		t.Errorf("while it runs it shows %s", a.text)
	}
	file := w.endDrill(t, id)
	a := w.call(t, "reader", "GET", "/drills/"+id, "", v15).want(t, 200)
	if a.str("drill.verdict") != "passed" || a.get("drill.recovery_ms") != 90_000.0 || strings.Contains(a.text, "progress") {
		t.Errorf("it shows %s", a.text)
	}
	for query, n := range map[string]int{"": 1, "?verdict=passed": 1, "?verdict=failed": 0, "?checkpoint_id=" + cp: 1, "?status=running": 0} {
		if a := w.call(t, "reader", "GET", "/drills"+query, "", v15).want(t, 200); len(a.get("drills").([]any)) != n {
			t.Errorf("%s lists %s", query, a.text)
		}
	}
	var answer struct{ Evidence json.RawMessage }
	if err := json.Unmarshal([]byte(w.call(t, "reader", "GET", "/drills/"+id+"/evidence", "", v15).want(t, 200).text), &answer); err != nil {
		t.Fatal(err)
	}
	key := w.call(t, "reader", "GET", "/evidence_keys", "", v15).want(t, 200).get("evidence_keys").([]any)[0].(map[string]any)
	keys, err := evidence.ParsePublicKeys([]byte(key["public_key"].(string)))
	if err != nil || keys[0].ID != key["id"] || key["algorithm"] != "Ed25519" {
		t.Fatalf("the key is %v, %v", key, err)
	}
	again, err := evidence.File(answer.Evidence)
	if err != nil || !cmp.Equal(again, file) {
		t.Errorf("the record is %s, %v", again, err)
	}
	if _, err := evidence.Verify(again, keys...); err != nil {
		t.Error(err)
	}
	if a := w.call(t, "reader", "GET", "/providers/"+provider+"/checkpoints/"+cp, "", v15).want(t, 200); a.str("checkpoint.last_drill.id") != id {
		t.Errorf("the checkpoint shows %s", a.text)
	}
	if a := w.call(t, "reader", "GET", "/providers/"+provider+"/checkpoints/"+cp, "", v14).want(t, 200); strings.Contains(a.text, "last_drill") {
		t.Errorf("an older version shows it: %s", a.text)
	}
	if a := w.call(t, "reader", "GET", "/providers/"+provider+"/checkpoints", "", v16).want(t, 200); !strings.Contains(a.text, `"last_drill":{"id":"`+id) {
		t.Errorf("the list does not have it: %s", a.text)
	}
	if a := w.call(t, "reader", "GET", "/providers/"+provider+"/checkpoints", "", v15).want(t, 200); strings.Contains(a.text, "last_drill") {
		t.Errorf("an older version lists it: %s", a.text)
	}
	w.call(t, "reader", "GET", "/drills", "", v14).want(t, 404)
}

func TestADrillSaysWhetherItsRecordLiesInTheBank(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept, failed, running := w.drill(t, "member"), w.drill(t, "member"), w.drill(t, "member")
	for id, p := range map[string]store.DrillProof{kept: {Kept: true}, failed: {Reason: "The bank is full."}} {
		w.endDrill(t, id)
		if err := w.store.NoteProof(t.Context(), id, p); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]string{
		kept: `"record":{"in_bank":true,"reason":""}`, failed: `"record":{"in_bank":false,"reason":"The bank is full."}`, running: "",
	} {
		a := w.call(t, "reader", "GET", "/drills/"+id, "", v17).want(t, 200)
		if want == "" && strings.Contains(a.text, `"record"`) || !strings.Contains(a.text, want) {
			t.Errorf("it shows %s, want %q", a.text, want)
		}
		if list := w.call(t, "reader", "GET", "/drills", "", v17).want(t, 200); !strings.Contains(list.text, want) {
			t.Errorf("it lists %s, want %q", list.text, want)
		}
		for _, path := range []string{"/drills", "/drills/" + id} {
			if a := w.call(t, "reader", "GET", path, "", v16).want(t, 200); strings.Contains(a.text, `"record"`) {
				t.Errorf("an older version shows it: %s", a.text)
			}
		}
	}
}
