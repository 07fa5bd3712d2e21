package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/karbor/karbor"
)

// operations serves the operations of checkpoints, restores and so on, by the ids of these.
func (f *fake) operations(v1 func(string, func(http.ResponseWriter, *http.Request))) {
	v1("POST /operations/{id}/action", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Cancel struct{ Reason string } }
		_ = json.NewDecoder(r.Body).Decode(&body)
		of := f.byID(r.PathValue("id"), slices.Concat(f.checkpoints, f.restores, f.copies, f.over))
		switch {
		case of == nil:
			refuse(w, http.StatusNotFound, "itemNotFound", "there is no operation "+r.PathValue("id"))
		case !slices.Contains([]any{"protecting", "in_progress", "copying"}, of["status"]):
			refuse(w, http.StatusConflict, "conflictingRequest", "the operation is over")
		default:
			reason := map[string]string{string(karbor.VolumeType) + "#" + volumeID: "cancelled by demo " + body.Cancel.Reason}
			if of["status"] == "in_progress" {
				of["status"], of["resources_reason"] = "fail", reason
			} else {
				of["status"], of["reasons"] = "error", reason
			}
			reply(w, map[string]any{"operation": map[string]any{"id": r.PathValue("id"), "state": "stopping", "cancelled": "cancelled by demo"}})
		}
	})
	v1("GET /operations/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		cp := f.byID(r.PathValue("id"), f.checkpoints)
		if cp == nil || !f.live {
			refuse(w, http.StatusNotFound, "itemNotFound", "there are no events")
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			f.stage(cp, "reasons", "available", "error")
			name, state := "progress", "running"
			if cp["status"] != "protecting" {
				name, state = "end", "over"
			}
			p := cp["progress"].([]any)[0].(map[string]any)
			if f.stages[r.PathValue("id")] == 2 {
				p["bytes_per_second"], p["seconds_left"] = 16<<20, 32
			}
			text, _ := json.Marshal(map[string]any{"operation": map[string]any{"id": "x", "state": state, "progress": cp["progress"]}})
			_, _ = fmt.Fprintf(w, ":\n\nevent: %s\ndata: %s\n\n", name, text)
			if name == "end" {
				return
			}
		}
	})
}
