package cli_test

import (
	"net/http"

	"github.com/karbor/karbor"
)

// compliance is the route of the report.
func (f *fake) compliance(v1 func(string, func(http.ResponseWriter, *http.Request))) {
	v1("GET /compliance", func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query()
		if asked.Get("verified_days") == "9999" {
			refuse(w, http.StatusBadRequest, "badRequest", "verified_days is not a number of days from 1 to 3650")
			return
		}
		rows := []any{
			map[string]any{
				"type": karbor.ServerType, "id": serverID, "name": "web", "verdict": "kept", "findings": []string{"kept"},
				"plans":       []any{map[string]any{"id": newID(1), "name": "shop", "provider_id": bankID, "through": "direct"}},
				"rpo_seconds": 86400, "allowed_age_seconds": 87300, "promised_by": newID(500), "age_seconds": 32460,
				"last_good_checkpoint": map[string]any{"id": newID(100), "provider_id": bankID, "plan_id": newID(1),
					"data_from": "2026-01-01T18:03:04Z", "bank": nil, "copies": []string{"far"}},
				"last_verified": map[string]any{"checkpoint_id": newID(100), "at": "2026-01-01T20:00:00Z", "depth": "full"},
				"last_drill": map[string]any{"id": newID(700), "checkpoint_id": newID(100), "at": "2026-01-01T21:00:00Z",
					"verdict": "passed", "rto_seconds": 95},
			},
			map[string]any{
				"type": karbor.VolumeType, "id": volumeID, "name": "<b>scratch</b>", "verdict": "unprotected", "findings": []string{"unprotected"},
				"plans": []any{}, "rpo_seconds": nil, "age_seconds": nil, "last_good_checkpoint": nil, "last_verified": nil, "last_drill": nil,
			},
		}
		if asked.Get("type") == string(karbor.ServerType) {
			rows = rows[:1]
		}
		reply(w, map[string]any{"compliance": map[string]any{
			"project_id": projectID, "created_at": "2026-01-02T03:04:05Z", "back_to": nil, "total": 2,
			"verdicts": map[string]int{"kept": 1, "unprotected": 1, "late": 0}, "findings": map[string]int{"kept": 1, "unprotected": 1, "late": 0},
			"types": []any{
				map[string]any{"type": karbor.ServerType, "state": "listed", "count": 1, "reason": nil},
				map[string]any{"type": karbor.VolumeType, "state": "listed", "count": 1, "reason": nil},
				map[string]any{"type": karbor.ShareType, "state": "absent", "count": 0, "reason": "the cloud offers no share service here"},
			},
			"resources": rows,
			"unmade": []any{map[string]any{"scheduled_operation_id": newID(500), "name": "nightly", "operation_type": "protect", "plan_id": newID(1),
				"expected_at": "2026-01-01T03:00:00Z", "state": "dropped_out_of_window", "reason": "no operation engine was running within its window"}},
		}})
	})
}
