package openstack

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/karbor/karbor"
)

// Identity gives a client of Keystone, at the address that the session was opened
// with.
func Identity(_ context.Context, c karbor.Cloud) (*gophercloud.ServiceClient, error) {
	s, err := sessionOf(c)
	if err != nil {
		return nil, err
	}
	return &gophercloud.ServiceClient{ProviderClient: s.provider, Endpoint: s.site.url + "/", Type: "identity"}, nil
}
