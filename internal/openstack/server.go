package openstack

import (
	"context"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/karbor/karbor"
)

// Server gives a server of the session's own project. One that is deleted, or of
// another project that an administrator's session sees, is karbor.NotFound.
func Server(ctx context.Context, c karbor.Cloud, id string) (*servers.Server, error) {
	if !karbor.IsResourceID(id) {
		return nil, karbor.Errorf(karbor.NotFound, "there is no such server")
	}
	client, err := Compute(ctx, c)
	if err != nil {
		return nil, err
	}
	s, err := servers.Get(ctx, client, id).Extract()
	if IsNotFound(err) || err == nil && (s.TenantID != c.ProjectID() || s.Status == "DELETED" || s.Status == "SOFT_DELETED") {
		return nil, karbor.Errorf(karbor.NotFound, "there is no server %s", id)
	}
	if err != nil {
		return nil, explain(err, "looking for server %s", id)
	}
	return s, nil
}
