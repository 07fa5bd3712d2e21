package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/karbor/karbor"
)

// operations serves the operations of checkpoints, by the checkpoints' ids.
func (f *fake) operations(v1 func(string, func(http.ResponseWriter, *http.Request))) {
	v1("POST /operations/{id}/action", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Cancel struct{ Reason string } }
		_ = json.NewDecoder(r.Body).Decode(&body)
		cp := f.byID(r.PathValue("id"), f.checkpoints)
		switch {
		case cp == nil:
			refuse(w, http.StatusNotFound, "itemNotFound", "there is no operation "+r.PathValue("id"))
		case cp["status"] != "protecting":
			refuse(w, http.StatusConflict, "conflictingRequest", "the operation is over")
		default:
			cp["status"] = "error"
			cp["reasons"] = map[string]string{string(karbor.VolumeType) + "#" + volumeID: "cancelled by demo " + body.Cancel.Reason}
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
