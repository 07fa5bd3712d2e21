package server

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
)

// refusal is the error of a cloud that answers a status.
func refusal(status int) error {
	return gophercloud.ErrUnexpectedResponseCode{Actual: status, Body: []byte(`{"NeutronError": {"message": "no"}}`)}
}

func TestPortIsAskedForWithLessAndLess(t *testing.T) {
	off, ips := false, []fixedIP{{SubnetID: "s", IPAddress: "10.0.0.9"}}
	pairs := []addressPair{{IPAddress: "10.0.0.99"}}
	for name, c := range map[string]struct {
		request portRequest
		status  int
		want    []string
	}{
		"in use": {portRequest{port: port{MACAddress: "m"}, ips: ips}, http.StatusConflict,
			[]string{"mac=m ips=[{s 10.0.0.9}]", "mac=<nil> ips=[{s 10.0.0.9}]", "mac=m ips=<nil>", "mac=<nil> ips=<nil>"}},
		"no subnets": {portRequest{port: port{MACAddress: "m"}}, http.StatusBadRequest, []string{"mac=m ips=<nil>", "mac=<nil> ips=<nil>"}},
		"forbidden": {portRequest{port: port{MACAddress: "m", AllowedAddressPairs: pairs}, ips: ips}, http.StatusForbidden,
			[]string{"mac=m ips=[{s 10.0.0.9}] pairs", "mac=<nil> ips=[{s 10.0.0.9}] pairs", "mac=<nil> ips=[{s }] pairs",
				"mac=<nil> ips=<nil> pairs", "mac=<nil> ips=<nil>"}},
		"without port security": {portRequest{port: port{PortSecurity: &off}}, http.StatusForbidden,
			[]string{"mac=<nil> ips=<nil> open", "mac=<nil> ips=<nil>"}},
		"the cloud is down": {portRequest{port: port{MACAddress: "m"}, ips: ips}, http.StatusServiceUnavailable,
			[]string{"mac=m ips=[{s 10.0.0.9}]"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.request
			r.forbidden = map[string]bool{}
			var asked []string
			for more := true; more && len(asked) < 20; more = r.less(refusal(c.status), refusal(c.status)) {
				body := map[string]any{}
				r.fill(body)
				line := fmt.Sprintf("mac=%v ips=%v", body["mac_address"], body["fixed_ips"])
				if body["allowed_address_pairs"] != nil {
					line += " pairs"
				}
				if body["port_security_enabled"] == false {
					line += " open"
				}
				asked = append(asked, line)
			}
			if diff := cmp.Diff(c.want, asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVolumeInUseElsewhereIsNotYetTheServers(t *testing.T) {
	v := volumeView{Status: "in-use"}
	v.Attachments = append(v.Attachments, struct {
		ServerID string `json:"server_id"`
	}{"other"})
	if v.attachedTo("mine") || !v.attachedTo("other") {
		t.Error("the volume is taken to be attached to another server than it is")
	}
}
