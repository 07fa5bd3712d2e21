package cli_test

import (
	"encoding/json"
	"net/http"
)

// keepings are the routes that change how checkpoints are kept. A change shows in the
// checkpoint.
func (f *fake) keepings(v1 func(string, func(http.ResponseWriter, *http.Request))) {
	const one = "/providers/{provider}/checkpoints/{id}"
	body := func(r *http.Request) map[string]any {
		var out map[string]any
		_ = json.NewDecoder(r.Body).Decode(&out)
		return out
	}
	change := func(member string, value func(r *http.Request) any) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			c := f.byID(r.PathValue("id"), f.checkpoints)
			if c == nil {
				refuse(w, http.StatusNotFound, "itemNotFound", "there is no such checkpoint")
				return
			}
			if v := value(r); v == nil {
				delete(c, member)
			} else {
				c[member] = v
			}
			reply(w, map[string]any{})
		}
	}
	v1("PUT "+one+"/hold", change("hold", func(r *http.Request) any {
		hold := body(r)["hold"].(map[string]any)
		hold["held_at"], hold["user_id"] = "2026-01-02T03:04:05Z", "bob"
		return hold
	}))
	v1("DELETE "+one+"/hold", change("hold", func(*http.Request) any { return nil }))
	v1("PUT "+one+"/expiry", change("expires_at", func(r *http.Request) any { return body(r)["expires_at"] }))
	v1("POST "+one+"/force_delete", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusConflict, "conflictingRequest", "not even because "+body(r)["force_delete"].(map[string]any)["reason"].(string))
	})
	v1("POST /plans/{id}/retention", func(w http.ResponseWriter, r *http.Request) {
		asked := body(r)["retention"].(map[string]any)
		if asked["keep_daily"] != 7.0 || asked["timezone"] != "Europe/Berlin" || asked["max_backups"] != nil {
			refuse(w, http.StatusBadRequest, "badRequest", "these are other rules")
			return
		}
		reply(w, map[string]any{"retention": map[string]any{
			"plan_id": r.PathValue("id"), "dry_run": asked["dry_run"] == true, "refused": nil, "gone": 1, "gone_size": 1 << 30,
			"checkpoints": []any{
				map[string]any{"id": newID(101), "created_at": "2026-01-02T03:04:05Z", "size": 1 << 30, "goes": false,
					"reasons": []string{"It is the newest good one.", "It is within the limits."}},
				map[string]any{"id": newID(100), "created_at": "2026-01-01T03:04:05Z", "size": 1 << 30, "goes": true, "reasons": []string{"No rule keeps it."}},
			},
		}})
	})
}
