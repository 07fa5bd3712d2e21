package openstack

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

func TestVolumesAreMadeInZonesThatAreAvailable(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"availabilityZoneInfo": [{"zoneName": "a", "zoneState": {"available": true}}, {"zoneName": "b", "zoneState": {"available": false}}]}`))
	}))
	defer s.Close()
	client := &gophercloud.ServiceClient{ProviderClient: &gophercloud.ProviderClient{HTTPClient: *s.Client()}, Endpoint: s.URL + "/"}
	got, err := VolumeZones(t.Context(), client)
	if diff := cmp.Diff([]string{"a"}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	status = http.StatusForbidden
	if _, err := VolumeZones(t.Context(), client); karbor.KindOf(err) != karbor.Forbidden {
		t.Errorf("a refusal gives %v", err)
	}
}
