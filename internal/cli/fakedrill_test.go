package cli_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
)

// evidenceKey is a key for tests only.
const evidenceKey karbor.Secret = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
`

// drills adds restore drills to the fake: one that has passed, and one that has failed.
func (f *fake) drills(v1 func(string, func(http.ResponseWriter, *http.Request))) {
	drill := func(n int, verdict, reason string, recovery any) map[string]any {
		return map[string]any{
			"id": newID(n), "project_id": projectID, "provider_id": bankID, "checkpoint_id": newID(100), "plan_id": newID(1), "probes": map[string]any{},
			"mapping": map[string]any{}, "status": "finished", "verdict": verdict, "reason": reason, "recovery_ms": recovery, "resources": map[string]any{},
			"created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:14:05Z",
		}
	}
	all := []map[string]any{drill(700, "passed", "", 95_000), drill(701, "failed", "The console says nothing.", nil)}
	f.over = append(f.over, all...)
	signer, err := evidence.NewSigner(evidenceKey)
	if err != nil {
		panic(err)
	}
	v1("GET /drills", func(w http.ResponseWriter, r *http.Request) { f.page(w, r, "drills", all) })
	v1("GET /drills/{id}", func(w http.ResponseWriter, r *http.Request) { f.one(w, r, "drill", all) })
	v1("DELETE /drills/{id}", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if !slices.ContainsFunc(all, func(d map[string]any) bool { return d["id"] == id }) {
			refuse(w, http.StatusNotFound, "itemNotFound", "there is no drill "+id)
		}
	})
	v1("POST /drills", f.notOffered("drill"))
	v1("GET /drills/{id}/evidence", func(w http.ResponseWriter, r *http.Request) {
		file, err := signer.Sign(evidence.Record{
			DrillID: r.PathValue("id"), Checkpoint: evidence.Checkpoint{ID: newID(100), PlanName: "<b>shop</b>"}, Verdict: karbor.DrillPassed, RecoveryMS: 95_000,
			EndedAt: evidence.Time{Time: time.Date(2026, 1, 2, 3, 14, 5, 0, time.UTC)},
		})
		if err != nil {
			panic(err)
		}
		reply(w, map[string]any{"evidence": json.RawMessage(file)})
	})
	v1("GET /evidence_keys", func(w http.ResponseWriter, _ *http.Request) {
		text, err := signer.Keys()[0].PEM()
		if err != nil {
			panic(err)
		}
		reply(w, map[string]any{"evidence_keys": []any{map[string]any{"id": signer.Keys()[0].ID, "algorithm": "Ed25519", "public_key": text}}})
	})
}

// withDrills gives the checkpoints as a list has them: the first was drilled.
func (f *fake) withDrills() []map[string]any {
	out := slices.Clone(f.checkpoints)
	if len(out) > 0 {
		out[0] = maps.Clone(out[0])
		out[0]["last_drill"] = map[string]any{"id": newID(701), "at": "2026-01-02T03:14:05Z", "verdict": "failed", "recovery_ms": nil}
	}
	return out
}
