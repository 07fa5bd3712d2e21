package health

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Path is where the state is told, as oslo.middleware has it.
const Path = "/healthcheck"

// Serve answers a request for the state: the word OK, or with detailed=1 in the
// query or Accept: application/json a Report. details says whether the caller may see
// the checks one by one. 503 says that requests should go elsewhere.
func (b *Board) Serve(w http.ResponseWriter, r *http.Request, details bool) {
	report := b.Report(r.Context())
	status := http.StatusOK
	if report.Status == Failed || report.Status == Stopping {
		status = http.StatusServiceUnavailable
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if !wantsJSON(r) {
		text := map[bool]string{true: "OK", false: "UNAVAILABLE"}[status == http.StatusOK]
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
		return
	}
	if !details {
		report.Checks = nil
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report) // texts and numbers: it can't fail
}

func wantsJSON(r *http.Request) bool {
	switch strings.ToLower(r.URL.Query().Get("detailed")) {
	case "1", "true", "yes":
		return true
	}
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}
