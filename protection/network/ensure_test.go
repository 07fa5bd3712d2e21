package network

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// answers is a cloud that gives one answer after the other to each method, the last
// one for ever.
type answers map[string][]string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	list := a[r.Method]
	if len(list) > 1 {
		a[r.Method] = list[1:]
	}
	status, body, _ := strings.Cut(list[0], " ")
	code := map[string]int{"200": http.StatusOK, "400": http.StatusBadRequest, "503": http.StatusServiceUnavailable}[status]
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestEnsureTellsThatItCouldNotLookAgain has the cloud refuse a subnet, as another
// process may have made it, and then not answer to who looks for that one.
func TestEnsureTellsThatItCouldNotLookAgain(t *testing.T) {
	cloud := answers{
		http.MethodGet:  {`200 {"subnets": []}`, `200 {"subnets": []}`, `200 {"subnets": []}`, `200 {"subnets": []}`, `503 {}`},
		http.MethodPost: {`400 {"NeutronError": {"message": "the range overlaps with another subnet"}}`},
	}
	client := &gophercloud.ServiceClient{ProviderClient: &gophercloud.ProviderClient{HTTPClient: http.Client{Transport: cloud}}, Endpoint: "http://cloud/"}
	node := (&karbor.Graph{}).Add(karbor.Resource{Type: karbor.NetworkType, ID: "n"}, "")
	b := &builder{neutron: neutron{client}, call: &protection.Call{Owner: "o", Node: node}, ids: map[string]string{}, made: map[string]bool{}}
	_, err := b.ensure(t.Context(), subnetKind, common{ID: "s"}, map[string]any{})
	if !karbor.IsTransient(err) {
		t.Errorf("the error is %v; want one that passes, as nobody knows whether the subnet is there", err)
	}
}
