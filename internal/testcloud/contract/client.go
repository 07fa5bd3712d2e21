package contract

import (
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
)

// client gives gophercloud's client for a service, so that the suite sees
// whether it finds the endpoint and decodes the answers.
func (c *cloud) client(t *testing.T, who Credentials, service string) *gophercloud.ServiceClient {
	t.Helper()
	provider, err := openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{
		IdentityEndpoint: c.AuthURL, Username: who.UserName, Password: who.Password,
		DomainID: "default", TenantName: who.ProjectName, AllowReauth: true,
	})
	if err != nil {
		t.Fatalf("logging in with gophercloud: %v", err)
	}
	provider.HTTPClient = *c.http
	where := gophercloud.EndpointOpts{Region: c.Region}
	open := map[string]func(*gophercloud.ProviderClient, gophercloud.EndpointOpts) (*gophercloud.ServiceClient, error){
		"image": openstack.NewImageV2, "volume": openstack.NewBlockStorageV3,
		"network": openstack.NewNetworkV2, "compute": openstack.NewComputeV2,
	}[service]
	client, err := open(provider, where)
	if err != nil {
		t.Fatalf("finding the service %s with gophercloud: %v", service, err)
	}
	return client
}

// equalsHeader checks one header of the answer.
func (a *answer) equalsHeader(t *testing.T, name, want string) {
	t.Helper()
	if got := a.header.Get(name); got != want {
		t.Errorf("%s: the header %s is %q, want %q", a.what, name, got, want)
	}
}
