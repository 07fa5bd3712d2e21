package server

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/protection"
)

// kept is a document in a bank.
type kept string

func (kept) CreateJSON(context.Context, string, any) error { return nil }

func (k kept) GetJSON(_ context.Context, _ string, v any) error { return json.Unmarshal([]byte(k), v) }

func TestDrillIsToldWhichPortsAreOpen(t *testing.T) {
	got, err := drilled(t.Context(), &protection.Call{Documents: kept(`{"ports": [
		{"id": "p", "network_id": "a", "security_groups": ["g"]},
		{"id": "q", "network_id": "b", "port_security_enabled": true},
		{"id": "r", "network_id": "c", "port_security_enabled": false}
	]}`)})
	want := []protection.DrillNetwork{{ID: "a", Groups: []string{"g"}}, {ID: "b"}, {ID: "c", Open: true}}
	if diff := cmp.Diff(want, got.Networks); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
