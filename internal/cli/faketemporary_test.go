package cli_test

import "net/http"

// temporaryResources adds what two operations hold to the fake, which lists what all of a
// request's filters fit.
func (f *fake) temporaryResources(v1 func(pattern string, handle func(w http.ResponseWriter, r *http.Request))) {
	all := []map[string]any{
		{
			"id": newID(800), "operation_id": newID(810), "checkpoint_id": newID(100), "resource": "OS::Cinder::Volume#" + volumeID,
			"type": "snapshot", "cloud_id": "snap", "size": 2, "status": "held", "held_since": "2026-01-02T03:04:05Z",
		},
		{
			"id": newID(801), "operation_id": newID(811), "checkpoint_id": newID(101), "resource": "OS::Cinder::Volume#" + volumeID,
			"type": "image", "cloud_id": "img", "size": nil, "status": "released",
			"held_since": "2026-01-02T03:04:05Z", "released_at": "2026-01-02T03:05:05Z",
		},
		{
			"id": newID(802), "operation_id": newID(812), "checkpoint_id": newID(102), "resource": "OS::Nova::Server#" + volumeID,
			"type": "server", "cloud_id": nil, "size": nil, "status": "asked", "held_since": "2026-01-02T03:04:05Z",
		},
	}
	v1("GET /temporary_resources", func(w http.ResponseWriter, r *http.Request) {
		var found []map[string]any
		for _, item := range all {
			fits := true
			for member := range r.URL.Query() {
				_, known := item[member]
				fits = fits && (!known || item[member] == r.URL.Query().Get(member))
			}
			if fits {
				found = append(found, item)
			}
		}
		f.page(w, r, "temporary_resources", found)
	})
	v1("GET /temporary_resources/usage", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"usage": map[string]any{
			"snapshots": map[string]any{"number": 1, "gigabytes": 2},
			"volumes":   map[string]any{"number": 0, "gigabytes": 0}, "images": map[string]any{"number": 0, "gigabytes": 0},
			"servers": map[string]any{"number": 3, "gigabytes": 0},
		}})
	})
}
